/** A real Chromium, and a server that isolates its pages so that they may share memory. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";

const NAMES = [process.env.CHROMIUM ?? "", "chromium-headless-shell", "chromium", "google-chrome"];
const PACKAGE = "chromium-headless-shell";

export interface Browser {
  readonly command?: string;
  /** Why there is none, for the line a skipped test prints. */
  readonly missing?: string;
}

/** Finds Chromium. In CI a missing one is installed from Debian; elsewhere nothing is installed behind anybody's back. */
export function findChromium(): Browser {
  const found = () => NAMES.find((name) => name !== "" && answers(name));
  const command = found();
  if (command !== undefined) return { command };
  if ((process.env.CI ?? "") === "") {
    return { missing: `no Chromium: install Debian's ${PACKAGE}, or name one in CHROMIUM` };
  }
  const apt = ["install", "-y", "-qq", "--no-install-recommends", PACKAGE];
  spawnSync("apt-get", ["update", "-qq"], { timeout: 120_000 });
  const { status, stderr } = spawnSync("apt-get", apt, { encoding: "utf8", timeout: 240_000 });
  const installed = found();
  if (installed === undefined) {
    return { missing: `apt-get install ${PACKAGE} ended with ${status}: ${(stderr ?? "").slice(-200)}` };
  }
  return { command: installed };
}

function answers(command: string): boolean {
  return spawnSync(command, ["--version"], { timeout: 30_000 }).status === 0;
}

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
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  browser.stderr.setEncoding("utf8").on("data", log);
  const gone = new Promise((resolve) => browser.once("exit", resolve));
  return () => {
    browser.kill("SIGKILL");
    void gone.then(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  };
}
