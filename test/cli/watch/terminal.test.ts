/**
 * Defends: `tslab watch` and `tslab top` on a real terminal: figures appear and change in place, a new size is filled at
 * once, keys do what the line of keys says, restarts and failures of the source are said without ending.
 * Method: the built program in tmux against a service whose documents the test decides; the screen is read like a person
 * reads it.
 */
import { fileURLToPath } from "node:url";
import stringWidth from "string-width";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unlessMissing } from "../../programs.js";
import { findTmux, REDRAWN, RESTORED, Tmux } from "../screen/tmux.js";
import { heapAt, Service } from "./service.js";

const MAIN = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const tmux = findTmux();

const KEYS = "q quit   space pause   Ctrl-L repaint";
/** What a screen so wide has room for. */
const TITLES: Readonly<Record<number, RegExp>> = {
  40: /^ +per second +now$/,
  70: /^ +per second +now +change +total$/,
  140: /^ +per second +now +change +total +last 60 s$/,
};

describe.skipIf(tmux.command === undefined)(unlessMissing("on a terminal", tmux), () => {
  let service: Service;
  let terminal: Tmux;
  beforeEach(async () => {
    service = await Service.start(heapAt(1));
    terminal = new Tmux(tmux, 110, 40);
    await terminal.until("a prompt", (text) => text.startsWith("$"));
  });
  afterEach(async () => {
    terminal?.close();
    await service?.close();
  });

  const start = (args: string) =>
    terminal.type(`clear; ${process.execPath} ${MAIN} ${args} --url ${service.url}; echo "ended with $?"`);
  const row = (lines: readonly string[], name: string) =>
    lines
      .find((line) => line.startsWith(name))
      ?.slice(name.length)
      .trim()
      .split(/\s{2,}/) ?? [];

  describe("watch", () => {
    it("shows rates in place, fits every size, pauses, and ends with q", async () => {
      let second = 1;
      service.onAsked = () => {
        service.document = heapAt(++second);
      };
      start("watch --interval 100ms");
      const lines = await terminal.until("rates", (_, seen) => row(seen, "allocs")[0] === "1,000");
      expect(terminal.modes()).toEqual(REDRAWN);
      expect(lines[0]).toBe(`tslab watch  ${service.url}/stats.json  every 100ms`);
      expect(row(lines, "slow path")[0]).toBe("50");
      expect(row(lines, "slow share of allocs")[0]).toBe("5.00%");
      expect(row(lines, "yield of closes")[0]).toBe("80.0%");
      expect(row(lines, "leaking epochs")[0]).toBe("1");
      expect(row(lines, "process RSS")[0]).toBe("100 MiB");
      await terminal.until("a curve", (text) => /^allocs .*█{3}$/m.test(text));

      for (const [columns, rows] of [
        [70, 16],
        [40, 10],
        [140, 45],
      ] as const) {
        terminal.resize(columns, rows);
        // The terminal tells the program a moment later; as many figures as there is room for say that it knows.
        const figures = Math.min(27, rows - 6);
        const shown = await terminal.until(`the size ${columns}x${rows}`, (_, seen) => {
          const first = seen.findIndex((line) => line.startsWith("allocs"));
          return (
            seen.length === rows &&
            seen.indexOf("", first) - first === figures &&
            seen[first + figures + 1] === KEYS
          );
        });
        expect(Math.max(...shown.map((line) => stringWidth(line)))).toBeLessThanOrEqual(columns);
        expect(shown.slice(3, 4).join("")).toMatch(TITLES[columns] as RegExp);
      }

      terminal.press("Space");
      await terminal.until("a pause", (text) => text.includes("paused"));
      const more = async () => {
        const { asked } = service;
        while (service.asked < asked + 3) await new Promise((resolve) => setTimeout(resolve, 20));
        return terminal.lines();
      };
      const paused = await more();
      expect(await more()).toEqual(paused);
      terminal.press("Space");
      await terminal.until("the pause's end", (text) => !text.includes("paused"));

      terminal.press("q");
      await terminal.until("the end", (text) => text.includes("ended with 0"));
      expect(terminal.modes()).toEqual(RESTORED);
    });

    it("says that the source fails, goes on when it answers, and says that it was restarted", async () => {
      start("watch --interval 100ms");
      await terminal.until("figures", (_, lines) => row(lines, "leaking epochs")[0] === "1");
      service.document = undefined;
      const failing = await terminal.until("the failure", (text) => text.includes("503 Restarting"));
      expect(failing.join("\n")).toMatch(
        /asked again every 100ms, \d+ times? without success; the figures below are older/,
      );
      expect(row(failing, "leaking epochs")[0]).toBe("1");
      service.document = heapAt(2, "heap-2");
      const again = await terminal.until("the restart", (text) =>
        text.includes("restarted 0 s ago: heap.id differs"),
      );
      expect(again.join("\n")).not.toContain("503");
      terminal.press("C-c");
      await terminal.until("the end", (text) => text.includes("ended with 0"));
      expect(terminal.modes()).toEqual(RESTORED);
    });

    it.each(["watch", "top --count 3", "top --window 10s"])(
      "Ctrl-C ends %s while the service does not answer",
      async (args) => {
        service.document = "never";
        start(args);
        await expect.poll(() => service.asked, { timeout: 20_000 }).toBe(1);
        terminal.press("C-c");
        await terminal.until("the end", (text) => text.includes("ended with 0"));
      },
    );

    it("ends when its terminal goes away", async () => {
      start("watch --interval 50ms");
      await terminal.untilModes(REDRAWN);
      const pid = terminal.child();
      terminal.close();
      const isThere = () => {
        try {
          return process.kill(pid, 0);
        } catch {
          return false;
        }
      };
      await expect.poll(isThere, { timeout: 20_000 }).toBe(false);
    });

    it("leaves the last figures behind when it ends by itself", async () => {
      start("watch --interval 50ms --count 2");
      const lines = await terminal.until("the end", (text) => text.includes("ended with 0"));
      expect(row(lines, "leaking epochs")[0]).toBe("1");
      expect(lines.join("\n")).not.toContain("q quit");
      expect(terminal.modes()).toEqual(RESTORED);
    });
  });

  describe("top", () => {
    it("ranks in place and obeys its keys", async () => {
      let second = 1;
      service.onAsked = () => {
        service.document = heapAt(++second);
      };
      start("top --by slow_path_rate --interval 100ms");
      // After ten of the service's seconds the other class has all of the slow path.
      await terminal.until("the first class in front", (text) => /^ +0 +64 +\d+\/s/m.test(text));
      const first = (lines: readonly string[]) =>
        lines[lines.findIndex((line) => /^class/.test(line)) + 1] ?? "";
      await terminal.until("the second class in front", (_, lines) => /^ +1 +128 +50\/s/.test(first(lines)));

      terminal.press("e");
      const epochs = await terminal.until("epochs", (text) => text.includes("top epochs by rss_bytes"));
      expect(epochs.find((line) => line.startsWith("5 "))).toMatch(
        /^5 {6}5 {4}CLOSING {2}300s {2}2 {9}0\.19MB {2}background-worker-3$/,
      );
      terminal.press("Right");
      await terminal.until("the next metric", (text) => text.includes("top epochs by age_sec"));
      terminal.press("<");
      await terminal.until("the metric before", (text) => text.includes("top epochs by rss_bytes"));
      terminal.press("r");
      await terminal.until("the other direction", (text) => text.includes("by rss_bytes, smallest first"));
      terminal.press("-", "-", "-", "-");
      await terminal.until(
        "one row",
        (_, lines) => lines.filter((line) => /^\d+ .*MB/.test(line)).length === 1,
      );
      terminal.press("?");
      await terminal.until("help", (text) => text.includes("size classes, epochs, the other of them"));
      terminal.press("Tab");
      await terminal.until("classes as they were", (text) => text.includes("top classes by slow_path_rate"));
      terminal.resize(50, 12);
      await terminal.until("a table that fits", (_, lines) => {
        const titles = lines.find((line) => line.startsWith("class"));
        return lines.length === 12 && titles === "class  object_size  slow_path_rate";
      });
      terminal.press("C-c");
      await terminal.until("the end", (text) => text.includes("ended with 0"));
      expect(terminal.modes()).toEqual(RESTORED);
    });

    it("prints once without --interval, in colour, as wide as the terminal", async () => {
      start("top --epochs --by refcount");
      const lines = await terminal.until("the end", (text) => text.includes("ended with 0"));
      const at = lines.indexOf("top epochs by refcount");
      expect(lines.slice(at + 1, at + 4)).toEqual([
        "epoch  era  state    age   refcount  rss     label",
        "5      5    CLOSING  300s  2         0.19MB  background-worker-3",
        "3      19   ACTIVE   1s    0         0.00MB  GET /users",
      ]);
    });
  });
});
