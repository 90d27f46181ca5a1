/**
 * Defends: the live page shows a real heap while it works, keeps up with it, survives a restart of its service, leaves
 * the service alone while nobody looks, and asks for nothing but its own events.
 * Method: the page as built, from the server as built, in a real headless Chromium driven over the DevTools protocol; the
 * service is a process of its own with two threads on one heap, killed where the test is about that.
 */
import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { findChromium, unlessMissing } from "../programs.js";
import { Chromium, type Page } from "./devtools.js";
import { Service, type ServiceOptions } from "./service.js";

const browser = findChromium();
const LIVE = "document.querySelector('#connection span').textContent === 'Live'";
/** A figure by its name. */
const figure = (name: string): string =>
  `[...document.querySelectorAll('.figure')].find((box) => box.querySelector('dt').textContent === ${JSON.stringify(name)}).querySelector('.value').textContent`;

describe.skipIf(browser.command === undefined)(unlessMissing("the live page in Chromium", browser), () => {
  let chromium: Chromium;
  const services: Service[] = [];
  let page: Page;

  const serve = async (options?: ServiceOptions): Promise<Service> => {
    const service = await Service.start(options);
    services.push(service);
    return service;
  };
  const open = async (service: Service): Promise<void> => {
    page = await chromium.page();
    await page.size(1280, 900);
    await page.open(service.url);
  };

  beforeAll(() => {
    chromium = new Chromium(browser.command ?? "");
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.kill()));
  });
  afterAll(() => chromium.close());

  test("renders every part from a working heap, and asks only its own service", async () => {
    const service = await serve();
    await open(service);
    await page.until(LIVE);
    await page.until(`${figure("Allocations")}.endsWith('/s')`);
    // Between two requests of the workload every slab may be back.
    await page.until(
      "[...document.querySelectorAll('#slab-map td[tabindex]')].some((cell) => Number(cell.textContent) > 0)",
    );
    const seen = await page.value<Record<string, unknown>>(`({
      epochs: document.querySelectorAll('#ring [role=option]').length,
      current: document.querySelectorAll('#ring [data-current]').length,
      selected: document.querySelectorAll('#ring [aria-selected=true]').length,
      details: document.querySelector('#epoch .title').textContent,
      columns: document.querySelectorAll('#slab-map thead th').length,
      curves: document.querySelectorAll('#curves canvas').length,
      heap: document.querySelector('#facts .mono').textContent,
      workers: document.querySelector('#facts div:last-child dd').textContent,
      noLeaks: document.querySelector('#leaks .empty').textContent,
      verdict: document.querySelector('#health .verdict').textContent,
    })`);
    expect(seen).toEqual({
      epochs: 16,
      current: 1,
      selected: 1,
      details: expect.stringMatching(/^Epoch \d+$/),
      columns: 18,
      curves: 4,
      heap: expect.stringMatching(/^[0-9a-f]{8,}$/),
      workers: "2",
      noLeaks: expect.stringMatching(/^No leaks: /),
      verdict: expect.stringMatching(/^(Healthy|Degraded|Unhealthy)$/),
    });
    // The curves are drawn, not only framed: some pixel of each canvas has a colour.
    const drawn = `[...document.querySelectorAll('#curves canvas')].every((canvas) =>
      canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0))`;
    expect(await page.value(drawn)).toBe(true);
    const origin = new URL(service.url).origin;
    expect(page.requests.filter((url) => !url.startsWith("data:"))).toEqual([
      `${origin}/`,
      `${origin}/events`,
    ]);
    expect(page.troubles).toEqual([]);
  });

  test("keeps up: figures change and curves grow without anything moving", async () => {
    await open(await serve());
    await page.until(LIVE);
    await page.click("#curve-memory summary");
    await page.until("document.querySelectorAll('#curve-memory tbody tr').length >= 3");
    const places = `JSON.stringify([...document.querySelectorAll('main > *, .figure, #ring svg, .curve')].map((part) => {
      const { x, y, width, height } = part.getBoundingClientRect(); return [x, y, width, height].map(Math.round); }))`;
    const before = await page.value<{ places: string; up: string; row: string }>(
      `({ places: ${places}, up: document.querySelector('#facts').textContent, row: document.querySelector('#curve-memory tbody th').textContent })`,
    );
    await page.until("document.querySelectorAll('#curve-memory tbody tr').length >= 12");
    await page.until(`document.querySelector('#facts').textContent !== ${JSON.stringify(before.up)}`);
    await page.until(
      `document.querySelector('#curve-memory tbody th').textContent !== ${JSON.stringify(before.row)}`,
    );
    // The table itself grew by its rows; the curve above it and everything else stayed.
    await page.click("#curve-memory summary");
    const closed = await page.value<string>(places);
    await page.until(
      `document.querySelector('#facts').textContent !== ${JSON.stringify(await page.text("#facts"))}`,
    );
    expect(await page.value(places)).toBe(closed);
    expect(page.troubles).toEqual([]);
  });

  test("shows a leak as it is planted, by label and count, and marks its epoch", async () => {
    const service = await serve({ thresholds: { leakThresholdSec: 1 } });
    await open(service);
    await page.until(LIVE);
    service.tell({ leak: { label: "background-worker-3", objects: 57 } });
    await page.until("document.querySelectorAll('#leaks li').length === 1");
    const sentence = await page.text("#leaks .sentence");
    expect(sentence).toContain("background-worker-3");
    expect(sentence).toContain("57 objects");
    expect((await page.text("#leaks .action")).length).toBeGreaterThan(20);
    // Told to a screen reader, once.
    await page.until("document.querySelector('#announcer').textContent.includes('background-worker-3')");
    expect(await page.value("document.title")).toMatch(/^1 leak/);
    await page.click("#leaks button");
    expect(await page.text("#epoch .title")).toBe((await page.text("#leaks button")).replace("Show e", "E"));
    expect(await page.text("#epoch .badge")).toContain("leaking");
    expect(await page.value("document.activeElement.getAttribute('aria-label')")).toContain("1 leak");
    expect(page.troubles).toEqual([]);
  });

  test("labels stay text, whatever they contain", async () => {
    const service = await serve({ thresholds: { leakThresholdSec: 1 } });
    await open(service);
    await page.until(LIVE);
    const label = "<img src=x onerror=alert(1)>";
    service.tell({ label, leak: { label, objects: 3 } });
    await page.until(
      `document.querySelector('#leaks .sentence')?.textContent.includes(${JSON.stringify(label)})`,
    );
    await page.until(
      `document.querySelector('#epoch [data-fact=Label] dd').textContent === ${JSON.stringify(label)}`,
    );
    expect(await page.value("document.querySelectorAll('main img, main script').length")).toBe(0);
    expect(page.troubles).toEqual([]);
  });

  test("survives a crash and restart of the service: says so, shows the new heap, breaks the curves", async () => {
    const first = await serve();
    await open(first);
    await page.until(LIVE);
    await page.click("#curve-memory summary");
    await page.until("document.querySelectorAll('#curve-memory tbody tr').length >= 3");
    const heap = await page.text("#facts .mono");
    await first.kill();
    await page.until("document.querySelector('#connection span').textContent === 'Reconnecting'");
    await page.until("/Reconnecting: .*Next attempt/.test(document.querySelector('#notice').textContent)");
    // What is known stays to be read.
    expect(await page.text("#facts .mono")).toBe(heap);
    await serve({ port: first.port });
    await page.until(LIVE, 45);
    await page.until(`document.querySelector('#facts .mono').textContent !== ${JSON.stringify(heap)}`);
    await page.until("document.querySelector('#notice').textContent.includes('The service restarted at')");
    // The break: a row without values between those of the two heaps.
    await page.until(
      `[...document.querySelectorAll('#curve-memory tbody tr')].some((row) => row.children[1].textContent === '–')`,
    );
    await page.click("#notice button");
    expect(await page.value("document.querySelector('#notice').hidden")).toBe(true);
    // Refused connections are in the log of any page; nothing else may be.
    expect(page.troubles.filter((trouble) => !/ERR_(CONNECTION|INCOMPLETE|EMPTY)/.test(trouble))).toEqual([]);
  });

  test("listens to nothing while hidden or paused, and goes on afterwards", async () => {
    await open(await serve());
    await page.until(LIVE);
    const streams = (): number => page.requests.filter((url) => url.endsWith("/events")).length;
    const hide = (state: string): Promise<unknown> =>
      page.value(`Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true });
        document.dispatchEvent(new Event('visibilitychange'))`);
    await hide("hidden");
    await page.until("document.querySelector('#connection span').textContent === 'Asleep'");
    expect(streams()).toBe(1);
    const up = await page.text("#facts");
    // Another page listens all the while, so events were sent.
    const other = await chromium.page();
    await other.open(await page.value("location.href"));
    await other.until(`document.querySelector('#facts').textContent !== ${JSON.stringify(up)} && ${LIVE}`);
    expect(await page.text("#facts")).toBe(up);
    await hide("visible");
    await page.until(`${LIVE} && document.querySelector('#facts').textContent !== ${JSON.stringify(up)}`);
    expect(streams()).toBe(2);

    await page.click("#pause");
    await page.until("document.querySelector('#connection span').textContent === 'Paused'");
    expect(await page.text("#pause")).toBe("Resume");
    await page.click("#pause");
    await page.until(LIVE);
    expect(streams()).toBe(3);
    expect(page.troubles).toEqual([]);
  });

  test("asks for the token, says when it is wrong, keeps the right one", async () => {
    await open(await serve({ token: "correct-horse-battery" }));
    await page.until("!document.querySelector('#token').hidden");
    expect(await page.value("document.activeElement.id")).toBe("token-input");
    await page.type("wrong-horse");
    await page.press("Enter");
    await page.until("document.querySelector('#token-why').textContent.includes('not accepted')");
    await page.type("correct-horse-battery");
    await page.press("Enter");
    await page.until(LIVE);
    expect(await page.value("document.querySelector('#token').hidden")).toBe(true);
    await page.send("Page.reload");
    await page.until(LIVE);
    expect(page.troubles.filter((trouble) => !trouble.includes("401"))).toEqual([]);
  });

  test("says plainly when the service has as many watchers as it allows", async () => {
    const service = await serve({ maxEventClients: 0 });
    await open(service);
    await page.until(
      "document.querySelector('#notice').textContent.includes('as many watchers as it allows')",
    );
    expect(await page.text("#connection span")).toBe("Reconnecting");
  });

  test("works below a path, and without the last slash there", async () => {
    const service = await serve({ basePath: "/debug/heap" });
    expect(new URL(service.url).pathname).toBe("/debug/heap/");
    await open(service);
    await page.until(LIVE);
    expect(page.requests.at(-1)).toBe(`${service.url}events`);
  });

  test("an event it does not understand is said, not thrown, and the next good one heals", async () => {
    const service = await serve();
    const { livePage } = (await import("../../dist/live-page.js" as string)) as { livePage: string };
    const good = await fetch(`${service.url}events`).then(async (response) => {
      let text = "";
      for await (const chunk of response.body ?? []) {
        text += new TextDecoder().decode(chunk);
        const data = /^event: state\ndata: (.*)\n\n/m.exec(text)?.[1];
        if (data !== undefined) return data;
      }
      throw new Error(`no event: ${text}`);
    });
    let say: (text: string) => void = () => {};
    const odd = createServer((request, response) => {
      if (!request.url?.endsWith("/events")) return void response.end(livePage);
      response.setHeader("content-type", "text/event-stream");
      say = (data) => response.write(`event: state\ndata: ${data}\n\n`);
      say(good);
    });
    await new Promise<void>((resolve) => odd.listen(0, "127.0.0.1", resolve));
    try {
      page = await chromium.page();
      const { port } = odd.address() as { port: number };
      await page.open(`http://127.0.0.1:${port}/`);
      await page.until(LIVE);
      for (const [data, words] of [
        ["{", "not JSON"],
        ["[]", "not an object"],
        [JSON.stringify({ ...JSON.parse(good), version: 2 }), "knows version 1: reload the page"],
        [JSON.stringify({ ...JSON.parse(good), epochs: [{}] }), "at epochs[0]"],
      ] as const) {
        say(data);
        await page.until(`document.querySelector('#notice').textContent.includes(${JSON.stringify(words)})`);
      }
      say(good);
      await page.until("document.querySelector('#notice').hidden");
      expect(page.troubles).toEqual([]);
    } finally {
      odd.closeAllConnections();
      odd.close();
    }
  });

  test("canary: what the page must not do would have been noticed", async () => {
    await open(await serve());
    await page.until(LIVE);
    await page.value(`(() => {
      const script = document.createElement('script'); script.textContent = 'window.ran = true'; document.body.append(script);
      document.body.setAttribute('style', 'color: red');
      fetch('http://127.0.0.1:9/elsewhere').catch(() => {});
      console.error('said'); setTimeout(() => { throw new Error('thrown'); }); })()`);
    await page.until("!window.ran");
    const noticed = (): string => page.troubles.join("\n");
    for (let i = 0; i < 200 && !noticed().includes("thrown"); i++) await page.value("0");
    for (const word of ["script-src", "style-src", "connect-src", "said", "thrown"])
      expect(noticed()).toContain(word);
  });
});
