/**
 * Defends: no token, however odd, locks a tab out: one that no service can have asked for is refused where it is entered
 * and not sent where it is remembered; and no pause is begun that nobody sees or can end.
 * Method: the page's rule against the server's own on random texts; the page as built in a real headless Chromium, with a
 * service that wants a token.
 */
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createTelemetryHandler } from "../../src/http/index.js";
import { isToken } from "../../src/page/token-rule.js";
import { findChromium, unlessMissing } from "../programs.js";
import { Chromium, type Page } from "./devtools.js";
import { Service, type ServiceOptions } from "./service.js";

test("a token is what the server takes for one", async () => {
  const allowed = [..."abyzABYZ0189-._~+/"];
  const letter = fc.constantFrom(...allowed);
  const odd = fc.constantFrom(..."=== \t\n\u0000é→:;,\"'<@[`{|");
  const tokens = fc.oneof(
    fc.string({ unit: letter, minLength: 6, maxLength: 10 }),
    fc.string({ unit: letter, minLength: 508, maxLength: 515 }),
    fc
      .tuple(fc.string({ unit: letter, maxLength: 9 }), fc.stringMatching(/^={0,3}$/))
      .map((parts) => parts.join("")),
    fc
      .tuple(fc.string({ unit: letter, minLength: 4 }), odd, fc.string({ unit: letter, minLength: 4 }))
      .map((parts) => parts.join("")),
    fc.string({ unit: "binary" }),
  );
  const seen = { taken: 0, refused: 0 };
  const handlers: { close(): Promise<void> | void }[] = [];
  const takes = (token: string): boolean => {
    try {
      handlers.push(createTelemetryHandler(() => Promise.reject(new Error("not read")), { token }));
      return true;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(tokens, (token) => {
      const taken = takes(token);
      seen[taken ? "taken" : "refused"]++;
      expect(isToken(token)).toBe(taken);
    }),
    { numRuns: 500 },
  );
  await Promise.all(handlers.map((handler) => handler.close()));
  expect(seen.taken).toBeGreaterThan(20);
  expect(seen.refused).toBeGreaterThan(20);
});

const browser = findChromium();
const TOKEN = "correct-horse-battery";
const LIVE = "document.querySelector('#connection span').textContent === 'Live'";
const LOCKED =
  "document.querySelector('#connection span').textContent === 'Locked' && !document.querySelector('#token').hidden";

describe.skipIf(browser.command === undefined)(unlessMissing("tokens in Chromium", browser), () => {
  let chromium: Chromium;
  let page: Page;
  const services: Service[] = [];
  const open = async (options: ServiceOptions): Promise<Service> => {
    const service = await Service.start(options);
    services.push(service);
    page = await chromium.page();
    await page.size(1280, 900);
    await page.open(service.url);
    return service;
  };
  const enter = async (text: string): Promise<void> => {
    await page.value("document.querySelector('#token-input').focus()");
    await page.type(text);
    await page.press("Enter");
  };
  const remembered = (): Promise<string | null> =>
    page.value("sessionStorage.getItem('temporal-slab token')");
  const attempts = (): number => page.requests.filter((url) => url.endsWith("/events")).length;

  beforeAll(() => {
    chromium = new Chromium(browser.command ?? "");
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.kill()));
  });
  afterAll(() => chromium.close());

  test("what no service can have asked for is refused in the form, with the rule, and not kept", async () => {
    await open({ token: TOKEN });
    await page.until(LOCKED);
    for (const text of ["tokén→12345", "short", "a b c d e f", `${"x".repeat(513)}`]) {
      await enter(text);
      await page.until("document.querySelector('#token-input').getAttribute('aria-invalid') === 'true'");
      expect(await page.text("#token-why")).toContain("8 to 512 characters");
      expect(await page.value("document.querySelector('#token-why').getAttribute('role')")).toBe("alert");
      // What is entered next takes its place.
      expect(await page.value("document.activeElement.id")).toBe("token-input");
      expect(await page.value(LOCKED)).toBe(true);
      expect(await remembered()).toBeNull();
      expect(attempts()).toBe(1);
    }
    await enter("wrong-but-possible");
    await page.until("document.querySelector('#token-why').textContent.includes('not accepted')");
    expect(await page.value("document.querySelector('#token-input').hasAttribute('aria-invalid')")).toBe(
      false,
    );
    await enter(` ${TOKEN} `);
    await page.until(LIVE);
    expect(await remembered()).toBe(TOKEN);
    expect(page.troubles.filter((trouble) => !trouble.includes("401"))).toEqual([]);
  });

  test("a remembered one that breaks the rule is asked for again, and harmless where none is needed", async () => {
    const remember = "sessionStorage.setItem('temporal-slab token', 'tokén→')";
    await open({ token: TOKEN });
    await page.until(LOCKED);
    await page.value(remember);
    await page.send("Page.reload");
    await page.until("document.querySelector('#token-why')?.textContent.includes('not accepted')");
    expect(await page.value(LOCKED)).toBe(true);
    await enter(TOKEN);
    await page.until(LIVE);
    expect(page.troubles.filter((trouble) => !trouble.includes("401"))).toEqual([]);

    await open({});
    await page.until(LIVE);
    await page.value(remember);
    await page.value("window.before = true");
    await page.send("Page.reload");
    await page.until(`window.before === undefined && ${LIVE}`);
    expect(page.troubles).toEqual([]);
  });

  test("nothing is paused while locked, and the pause button works afterwards", async () => {
    await open({ token: TOKEN });
    await page.until(LOCKED);
    expect(await page.value("document.querySelector('#pause').disabled")).toBe(true);
    // As a click would that came before the button was drawn as disabled.
    await page.value(
      "document.querySelector('#pause').disabled = false; document.querySelector('#pause').click()",
    );
    expect(await page.value(LOCKED)).toBe(true);
    await enter(TOKEN);
    await page.until(LIVE);
    expect(await page.value("document.querySelector('#pause').disabled")).toBe(false);
    const connection = (word: string): string =>
      `document.querySelector('#connection span').textContent === '${word}' && document.querySelector('#pause').textContent === '${word === "Paused" ? "Resume" : "Pause"}'`;
    for (const word of ["Paused", "Live", "Paused", "Live"]) {
      await page.click("#pause");
      await page.until(connection(word));
    }
    // Whatever the button says, a second click takes back the first: nothing is drawn between the two.
    await page.value("document.querySelector('#pause').click(); document.querySelector('#pause').click()");
    await page.until(connection("Live"));
    expect(page.troubles.filter((trouble) => !trouble.includes("401"))).toEqual([]);
  });
});
