/** Starts test/page/service.mjs, and ends it as a crash would. */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";

/** Options of `createTelemetryServer`, as far as the tests use them. */
export interface ServiceOptions {
  readonly port?: number;
  readonly token?: string;
  readonly basePath?: string;
  readonly intervalMs?: number;
  readonly maxEventClients?: number;
  readonly thresholds?: { readonly leakThresholdSec?: number };
}

export interface Told {
  readonly leak?: { readonly label: string; readonly objects: number };
  readonly label?: string;
  readonly rest?: boolean;
}

export class Service {
  readonly url: string;
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, { url, port }: { url: string; port: number }) {
    this.#process = process;
    this.url = url;
    this.port = port;
  }

  static async start(options: ServiceOptions = {}): Promise<Service> {
    const program = join(import.meta.dirname, "service.mjs");
    const child = fork(program, [JSON.stringify({ intervalMs: 200, ...options })], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const address = await new Promise<{ url: string; port: number }>((resolve, reject) => {
      child.once("message", (message) => resolve(message as { url: string; port: number }));
      child.once("exit", (code) => reject(new Error(`the service ended with ${code}`)));
    });
    return new Service(child, address);
  }

  tell(told: Told): void {
    this.#process.send(told);
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGKILL");
    await gone;
  }
}
