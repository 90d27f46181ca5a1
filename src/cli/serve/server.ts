/** The telemetry server as commands start it: the system's refusals become errors that say what to do. */
import { createTelemetryServer, type TelemetryServerOptions, type TelemetrySource } from "../../http.js";
import { InputError } from "../args.js";
import { orUsageError } from "../library-errors.js";

export interface RunningServer {
  /** Of the live page; ends with a slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** A server that is checked, but does not listen yet. */
export interface PreparedServer {
  /** Throws `InputError` when the address cannot be had; the server is closed then. */
  start(): Promise<RunningServer>;
}

/**
 * Throws `UsageError` for options the server does not take; nothing is asked of the source yet. `portOption`: what the
 * port's option is called.
 */
export function prepareServer(
  source: TelemetrySource,
  options: TelemetryServerOptions,
  portOption = "--port",
): PreparedServer {
  const server = orUsageError(
    () => createTelemetryServer(source, options),
    ["token", "allowUnauthenticated"],
  );
  return {
    async start() {
      try {
        const { url } = await server.listen();
        return { url, close: () => server.close() };
      } catch (error) {
        await server.close();
        const { code } = error as NodeJS.ErrnoException;
        const hint = HINTS[code ?? ""]?.replace("--port", portOption);
        if (hint === undefined) throw error;
        throw new InputError(`${options.host ?? "127.0.0.1"}:${options.port}: ${hint}`);
      }
    },
  };
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; choose another --port, or 0 for any free one",
  EACCES: "this user may not listen there; choose a --port from 1024 on",
  EADDRNOTAVAIL: "no address of this machine; choose another --host",
  ENOTFOUND: "no such host; choose another --host",
  EAI_AGAIN: "the name cannot be looked up; choose another --host",
};
