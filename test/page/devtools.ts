/**
 * A page in a real headless Chromium, driven by the DevTools protocol over two pipes: no port, nothing to install.
 * Whatever the page asks of the network, prints, throws or is forbidden is recorded from the first byte on.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

export type Json = Record<string, unknown>;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Json;
  readonly result?: Json;
  readonly error?: { readonly message: string };
}

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-extensions",
  "--no-first-run",
  "--remote-debugging-pipe",
  "--force-color-profile=srgb",
];

export class Chromium {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, { resolve: (result: Json) => void; reject: (error: Error) => void }>();
  readonly #listeners = new Set<(answer: Answer) => void>();
  readonly #gone: Promise<unknown>;
  #next = 1;
  #rest = "";
  #log = "";

  constructor(command: string) {
    this.#profile = mkdtempSync(join(tmpdir(), "tslab-page-"));
    this.#process = spawn(command, [...FLAGS, `--user-data-dir=${this.#profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      // A group of its own: Debian starts it by a script, whose end the browser would outlive.
      detached: true,
    });
    this.#gone = new Promise((resolve) => this.#process.once("exit", resolve));
    void this.#gone.then(() => this.#fail("Chromium ended"));
    const errors = this.#process.stderr as Readable;
    errors.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-4000);
    });
    const answers = this.#process.stdio[4] as Readable;
    answers.setEncoding("utf8").on("data", (text: string) => {
      const parts = (this.#rest + text).split("\0");
      this.#rest = parts.pop() ?? "";
      for (const part of parts) this.#take(JSON.parse(part) as Answer);
    });
    // Written to after Chromium ended.
    (this.#process.stdio[3] as Writable).on("error", () => {});
  }

  send(method: string, params: Json = {}, sessionId?: string): Promise<Json> {
    const id = this.#next++;
    const message = sessionId === undefined ? { id, method, params } : { id, method, params, sessionId };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      (this.#process.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
    });
  }

  listen(sessionId: string, listener: (method: string, params: Json) => void): void {
    this.#listeners.add((answer) => {
      if (answer.sessionId === sessionId && answer.method !== undefined) {
        listener(answer.method, answer.params ?? {});
      }
    });
  }

  /** A blank page of its own storage; `page.open(url)` loads something into it. */
  async page(): Promise<Page> {
    const { browserContextId } = await this.send("Target.createBrowserContext");
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId as string);
    await page.start();
    return page;
  }

  async close(): Promise<void> {
    // Answered or not: the group is ended either way.
    const asked = this.send("Browser.close").catch(() => {});
    await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 2000))]);
    try {
      process.kill(-(this.#process.pid as number), "SIGKILL");
    } catch {
      // Gone by itself.
    }
    await this.#gone;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  #take(answer: Answer): void {
    if (answer.id === undefined) {
      for (const listener of this.#listeners) listener(answer);
      return;
    }
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.error === undefined) waiting?.resolve(answer.result ?? {});
    else waiting?.reject(new Error(`DevTools: ${answer.error.message}`));
  }

  #fail(why: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(`${why}: ${this.#log.slice(-1000)}`));
    this.#waiting.clear();
  }
}

export interface AxNode {
  readonly role: string;
  readonly name: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

export class Page {
  /** Addresses of all requests, in order. */
  readonly requests: string[] = [];
  /** What went wrong in the page: messages of the console at level error, exceptions, violations of the policy. */
  readonly troubles: string[] = [];
  readonly #browser: Chromium;
  readonly #session: string;

  constructor(browser: Chromium, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  send(method: string, params: Json = {}): Promise<Json> {
    return this.#browser.send(method, params, this.#session);
  }

  async start(): Promise<void> {
    this.#browser.listen(this.#session, (method, params) => this.#record(method, params));
    await Promise.all(["Page", "Runtime", "Network", "Log"].map((domain) => this.send(`${domain}.enable`)));
  }

  async open(url: string): Promise<void> {
    const { errorText } = await this.send("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`);
  }

  /** The value of an expression in the page; promises are awaited. */
  async value<Type>(expression: string): Promise<Type> {
    const answer = await this.send("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    const failure = answer.exceptionDetails as
      | { exception?: { description?: string }; text?: string }
      | undefined;
    if (failure !== undefined) throw new Error(failure.exception?.description ?? failure.text ?? "failed");
    return (answer.result as { value: Type }).value;
  }

  /** Waits until an expression holds in the page, at most `seconds`. */
  async until(expression: string, seconds = 30): Promise<void> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const holds = await this.value<boolean>(`Boolean(${expression})`).catch((error: Error) => error);
      if (holds === true) return;
      if (Date.now() > end) {
        const text = await this.value<string>("document.body?.innerText ?? ''").catch(() => "");
        const why = holds instanceof Error ? `: ${holds.message}` : "";
        throw new Error(
          `after ${seconds} s not ${expression}${why}\n${text.slice(0, 1500)}\n${this.troubles.join("\n")}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  }

  /** Text of the first element that matches. */
  text(selector: string): Promise<string> {
    return this.value(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ""`);
  }

  /** Presses and releases a key by its name, such as "ArrowRight", "Tab" or "Enter". */
  async press(key: string, modifiers = 0): Promise<void> {
    const windowsVirtualKeyCode = KEY_CODES[key];
    if (windowsVirtualKeyCode === undefined) throw new Error(`no code for ${key}: add it to KEY_CODES`);
    const text = key === "Enter" ? "\r" : key === " " ? " " : undefined;
    const common = { key, code: key === " " ? "Space" : key, windowsVirtualKeyCode, modifiers };
    await this.send("Input.dispatchKeyEvent", {
      type: text === undefined ? "rawKeyDown" : "keyDown",
      ...common,
      ...(text === undefined ? {} : { text }),
    });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...common });
  }

  async type(text: string): Promise<void> {
    await this.send("Input.insertText", { text });
  }

  async click(selector: string): Promise<void> {
    const { x, y } = await this.value<{ x: number; y: number }>(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      element.scrollIntoView({ block: "center" });
      const { left, top, width, height } = element.getBoundingClientRect();
      return { x: left + width / 2, y: top + height / 2 };
    })()`);
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    }
  }

  async size(width: number, height: number): Promise<void> {
    await this.send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    });
  }

  async media(features: Readonly<Record<string, string>>): Promise<void> {
    await this.send("Emulation.setEmulatedMedia", {
      features: Object.entries(features).map(([name, value]) => ({ name, value })),
    });
  }

  /** Everything a screen reader is told, ignored nodes left out. */
  async accessibility(): Promise<AxNode[]> {
    const { nodes } = (await this.send("Accessibility.getFullAXTree")) as {
      nodes: {
        ignored: boolean;
        role?: { value: string };
        name?: { value: string };
        properties?: { name: string; value: { value: unknown } }[];
      }[];
    };
    return nodes
      .filter((node) => !node.ignored)
      .map(({ role, name, properties = [] }) => ({
        role: role?.value ?? "",
        name: name?.value ?? "",
        properties: Object.fromEntries(properties.map(({ name, value }) => [name, value.value])),
      }));
  }

  /** PNG of what is visible. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data as string, "base64");
  }

  #record(method: string, params: Json): void {
    if (method === "Network.requestWillBeSent") this.requests.push((params.request as { url: string }).url);
    else if (method === "Runtime.exceptionThrown")
      this.troubles.push(JSON.stringify(params.exceptionDetails));
    else if (
      method === "Runtime.consoleAPICalled" &&
      (params.type === "error" || params.type === "warning")
    ) {
      this.troubles.push(JSON.stringify(params.args));
    } else if (method === "Log.entryAdded") {
      const { level, text, url = "" } = params.entry as { level: string; text: string; url?: string };
      if (level === "error" || level === "warning") this.troubles.push(`${text} ${url}`);
    }
  }
}

const KEY_CODES: Readonly<Record<string, number>> = {
  Tab: 9,
  Enter: 13,
  Escape: 27,
  " ": 32,
  PageUp: 33,
  PageDown: 34,
  End: 35,
  Home: 36,
  ArrowLeft: 37,
  ArrowUp: 38,
  ArrowRight: 39,
  ArrowDown: 40,
};
