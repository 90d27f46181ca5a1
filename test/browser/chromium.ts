/** Pages in a real Chromium, and a server that isolates its pages so that they may share memory. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".map": "application/json",
};

/** Serves `folders` (path in the address -> folder) to loopback; whatever a page POSTs goes to `received`. */
export async function serve(
  folders: Readonly<Record<string, string>>,
  received: (body: string) => void,
): Promise<Server> {
  const server = createServer((request, response) => {
    // Without these two a page gets no SharedArrayBuffer.
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    if (request.method === "POST") {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("end", () => {
        response.end();
        received(body);
      });
      return;
    }
    const [, first = "", ...rest] = normalize(new URL(request.url ?? "/", "http://x").pathname).split("/");
    const folder = folders[first];
    try {
      if (folder === undefined) throw new Error("no such folder");
      const file = join(folder, ...rest);
      const text = readFileSync(file);
      response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
      response.end(text);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Opens `path` of the server in a fresh Chromium; returns how to close it. */
export function open(command: string, server: Server, path: string, log: (text: string) => void): () => void {
  const profile = mkdtempSync(join(tmpdir(), "tslab-chromium-"));
  const { port } = server.address() as AddressInfo;
  const flags = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
  ];
  const browser = spawn(
    command,
    [...flags, `--user-data-dir=${profile}`, "--remote-debugging-port=0", `http://127.0.0.1:${port}${path}`],
    // A group of its own: Debian's command is a script that starts the browser, and both have to end.
    { stdio: ["ignore", "ignore", "pipe"], detached: true },
  );
  browser.stderr.setEncoding("utf8").on("data", log);
  const gone = new Promise((resolve) => browser.once("exit", resolve));
  return () => {
    if (browser.pid !== undefined) process.kill(-browser.pid, "SIGKILL");
    void gone.then(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  };
}
