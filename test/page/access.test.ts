/**
 * Defends: the live page is usable by keyboard and screen reader, in light and dark, on a phone, and to eyes that see
 * contrasts or colours poorly.
 * Method: real key presses in a real Chromium; its accessibility tree; contrasts computed by the formula of WCAG 2 from
 * the colours in effect, for all text on the page and for every pair of the style sheet.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { findChromium, unlessMissing } from "../programs.js";
import { Chromium, type Page } from "./devtools.js";
import { Service } from "./service.js";

const browser = findChromium();
const LIVE = "document.querySelector('#connection span').textContent === 'Live'";
const FOCUSED = "document.activeElement";

/** Relative luminance and contrast of two sRGB colours, in the page. */
const CONTRAST = `
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const luminance = (colour) => { const [r, g, b] = rgba(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05); };`;

/** [text, background, least contrast]: 4.5 for text, 3 for what carries meaning as a shape or line. */
const PAIRS: readonly (readonly [string, string, number])[] = [
  ...["bg", "surface", "sunken"].flatMap((ground) => [
    ["text", ground, 4.5] as const,
    ["text-muted", ground, 4.5] as const,
    ["accent", ground, 4.5] as const,
  ]),
  ["accent-text", "accent", 4.5],
  ["text", "accent-soft", 4.5],
  ["border-strong", "surface", 3],
  ...["ok", "degraded", "unhealthy"].flatMap((tone) => [
    [tone, "surface", 4.5] as const,
    [tone, `${tone}-soft`, 4.5] as const,
    ["text", `${tone}-soft`, 4.5] as const,
  ]),
  ["active-text", "active", 4.5],
  ["active", "surface", 3],
  ["closing-text", "closing", 4.5],
  ["closing-line", "surface", 3],
  ["discarded-text", "discarded", 4.5],
  ["discarded-line", "surface", 3],
  ["unused-line", "surface", 3],
  ["memory", "sunken", 3],
  ["surface", "unhealthy", 4.5],
  ...["1", "2", "3"].map((shade) => ["shade-text", `shade-${shade}`, 4.5] as const),
  ...["4", "5"].map((shade) => ["shade-text-strong", `shade-${shade}`, 4.5] as const),
  ...Array.from({ length: 9 }, (_, line) => [`line-${line}`, "surface", 3] as const),
];

describe.skipIf(browser.command === undefined)(unlessMissing("the live page for everybody", browser), () => {
  let chromium: Chromium;
  let service: Service;
  let page: Page;

  beforeAll(() => {
    chromium = new Chromium(browser.command ?? "");
  });
  afterEach(() => service.kill());
  afterAll(() => chromium.close());

  const open = async (width = 1280, height = 900): Promise<void> => {
    service = await Service.start({ thresholds: { leakThresholdSec: 1 } });
    page = await chromium.page();
    await page.size(width, height);
    await page.open(service.url);
    service.tell({ leak: { label: "background-worker-3", objects: 57 } });
    await page.until(`${LIVE} && document.querySelectorAll('#leaks li').length > 0`);
  };
  const focus = (property: string): Promise<string> => page.value(`${FOCUSED}.${property}`);

  test("Tab reaches every group once, in reading order, and the focus can be seen", async () => {
    await open();
    await page.value("document.querySelector('.skip').focus()");
    await page.press("Enter");
    expect(await focus("id")).toBe("main");
    await page.value("document.querySelector('.skip').focus()");
    const stops: string[] = [];
    for (let i = 0; i < 60; i++) {
      await page.press("Tab");
      const stop = await page.value<string>(`(() => { const at = ${FOCUSED};
        return at === document.body ? '' : at.closest('#ring') ? 'ring' : at.matches('td') ? 'cell'
          : at.closest('.legend') ? 'legend' : at.id || at.className || at.localName; })()`);
      if (stop === "") break;
      stops.push(stop);
      const seen = await page.value<boolean>(`(() => { const at = ${FOCUSED};
        const box = at.matches('.switch input') ? at.nextElementSibling : at.closest('#ring') ? at.querySelector('.cell') : at;
        const style = getComputedStyle(box);
        return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || parseFloat(style.strokeWidth) >= 4; })()`);
      expect(seen, stop).toBe(true);
    }
    const order = stops.filter((stop, index) => stop !== stops[index - 1]);
    expect(order.slice(0, 9)).toEqual([
      "pause",
      "theme-system",
      "summary",
      "ring",
      "summary",
      "slabs-all",
      "slabs-by-slabs",
      "slab-map",
      "cell",
    ]);
    expect(order.filter((stop) => stop === "ring")).toHaveLength(1);
    expect(stops.filter((stop) => stop === "cell")).toHaveLength(1);
    expect(stops.filter((stop) => stop === "plot")).toHaveLength(4);
    expect(stops.filter((stop) => stop === "legend")).toHaveLength(9 + 3 + 3 + 1);
    expect(order).toContain("leaks");
  });

  test("arrow keys walk the ring all the way around, and Escape goes back to the current epoch", async () => {
    await open();
    await page.value("document.querySelector('#ring [tabindex=\"0\"]').focus()");
    await page.press("Home");
    expect(await focus("id")).toBe("epoch-0");
    const walked: string[] = [];
    for (let i = 0; i < 16; i++) {
      await page.press("ArrowRight");
      walked.push(await focus("id"));
      expect(await page.text("#epoch .title")).toBe(`Epoch ${walked.at(-1)?.slice(6)}`);
      expect(await page.value("document.querySelectorAll('#ring [tabindex=\"0\"]').length")).toBe(1);
    }
    expect(walked).toEqual([...Array.from({ length: 15 }, (_, i) => `epoch-${i + 1}`), "epoch-0"]);
    await page.press("ArrowLeft");
    expect(await focus("id")).toBe("epoch-15");
    await page.press("Escape");
    await page.until(
      `${FOCUSED}.hasAttribute('data-current') || document.querySelector('#epoch .badge').textContent.includes('current')`,
    );
    expect(await page.value("document.querySelector('#epoch button').disabled")).toBe(true);
  });

  test("arrow keys walk the heat map, and each cell is read out", async () => {
    await open();
    await page.click("#slabs-all");
    await page.value("document.querySelector('#slab-map td[tabindex=\"0\"]').focus()");
    const index = `[...document.querySelectorAll('#slab-map td[tabindex]')].indexOf(${FOCUSED})`;
    const walk: readonly (readonly [string, number, number])[] = [
      ["Home", 0, 0],
      ["ArrowLeft", 0, 0],
      ["ArrowRight", 0, 1],
      ["ArrowDown", 0, 17],
      ["End", 0, 31],
      ["ArrowRight", 0, 31],
      ["ArrowUp", 0, 15],
      ["ArrowUp", 0, 15],
      ["Home", 2, 0],
    ];
    await page.press("Home", 2);
    for (const [key, modifiers, expected] of walk) {
      await page.press(key, modifiers);
      expect(await page.value(index), key).toBe(expected);
    }
    expect(await page.text("#slab-readout")).toMatch(
      /^16 B, epoch 0: (no slabs|[\d,]+ slabs?, [\d,]+ live objects?)/,
    );
  });

  test("a curve is read point by point with the arrow keys, and switched off and on", async () => {
    await open();
    await page.value("document.querySelector('#curve-memory .plot').focus()");
    await page.press("Home");
    const first = await page.value<string>(`${FOCUSED}.getAttribute('aria-valuetext')`);
    expect(first).toMatch(/^\d\d:\d\d:\d\d: live [\d.]+ [KM]?i?B, committed /);
    await page.press("ArrowRight");
    expect(await page.value(`${FOCUSED}.getAttribute('aria-valuetext')`)).not.toBe(first);
    expect(await page.value(`${FOCUSED}.getAttribute('aria-valuenow')`)).toBe("1");
    await page.value("document.querySelector('#curve-memory .legend button').focus()");
    await page.press("Enter");
    expect(await page.value(`${FOCUSED}.getAttribute('aria-pressed')`)).toBe("false");
    await page.press(" ");
    expect(await page.value(`${FOCUSED}.getAttribute('aria-pressed')`)).toBe("true");
  });

  test("a screen reader gets landmarks, headings, names and states", async () => {
    await open();
    const tree = await page.accessibility();
    const named = (role: string): string[] =>
      tree.filter((node) => node.role === role).map(({ name }) => name);
    for (const landmark of ["banner", "main", "contentinfo"])
      expect(named(landmark), landmark).toHaveLength(1);
    expect(named("heading")).toEqual(
      expect.arrayContaining([
        "Figures",
        "Epochs",
        "Slabs by class and epoch",
        "Leaks",
        "Curves",
        "Slow path",
        "Memory",
      ]),
    );
    expect(named("listbox")).toEqual(["Ring of epochs"]);
    const options = named("option");
    expect(options).toHaveLength(16);
    expect(
      options.filter((name) =>
        /^Epoch \d+, active, current, era \d+, age .*, label .*, \d+ references?, /.test(name),
      ),
    ).toHaveLength(1);
    expect(options.some((name) => name.endsWith("1 leak"))).toBe(true);
    expect(named("grid")).toEqual(["Slabs by class and epoch"]);
    expect(named("rowheader").every((name) => /^[\d.]+ (B|KiB)$|^large$/.test(name))).toBe(true);
    expect(named("columnheader")).toEqual(expect.arrayContaining(["Class", "epoch 0", "epoch 15", "All"]));
    expect(named("slider")).toEqual(
      ["Slow path", "Memory", "Allocations and frees", "Close yield"].map((name) => `${name}: point in time`),
    );
    // Nothing to act on without a name.
    const active = [
      "button",
      "radio",
      "link",
      "textbox",
      "slider",
      "option",
      "gridcell",
      "summary",
      "DisclosureTriangle",
    ];
    expect(tree.filter((node) => active.includes(node.role) && node.name.trim() === "")).toEqual([]);
    expect(tree.filter((node) => node.properties.live === "polite" && node.role === "status")).toHaveLength(
      1,
    );
    const ids = await page.value<string[]>(
      "[...document.querySelectorAll('[id]')].map((element) => element.id)",
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  test.each(["light", "dark"])("every text and sign has contrast enough in %s", async (theme) => {
    service = await Service.start({ thresholds: { leakThresholdSec: 1 } });
    page = await chromium.page();
    await page.media({ "prefers-color-scheme": theme });
    await page.open(service.url);
    service.tell({ leak: { label: "background-worker-3", objects: 57 } });
    await page.until(`${LIVE} && document.querySelectorAll('#leaks li').length > 0`);
    expect(await page.value("getComputedStyle(document.documentElement).colorScheme")).toBe(theme);
    // Canary: the formula knows black on white and the least grey that passes.
    const known = await page.value<number[]>(
      `(() => {${CONTRAST} return [contrast('#000', '#fff'), contrast('#767676', '#fff'), contrast('#777', '#fff')]; })()`,
    );
    expect(known.map((value) => value.toFixed(2))).toEqual(["21.00", "4.54", "4.48"]);
    const faint = await page.value<string[]>(`(() => {${CONTRAST}
      const style = getComputedStyle(document.documentElement);
      return ${JSON.stringify(PAIRS)}.map(([a, b, least]) => [a, b, least, contrast(style.getPropertyValue('--' + a), style.getPropertyValue('--' + b))])
        .filter(([, , least, found]) => !(found >= least)).map((pair) => pair.join(' ')); })()`);
    expect(faint).toEqual([]);
    // And what is really there: each visible text on the nearest background behind it.
    const unreadable = await page.value<{ seen: number; faint: string[] }>(`(() => {${CONTRAST}
      const faint = []; let seen = 0;
      for (const element of document.querySelectorAll('body *')) {
        if (element.closest('svg, .visually-hidden, .skip') || !element.checkVisibility({ visibilityProperty: true })) continue;
        if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')) continue;
        let ground = element;
        while (ground && rgba(getComputedStyle(ground).backgroundColor)[3] < 255) ground = ground.parentElement;
        const found = contrast(getComputedStyle(element).color, getComputedStyle(ground ?? document.body).backgroundColor);
        seen++;
        if (found < 4.5) faint.push(element.className + ' ' + element.textContent.slice(0, 30) + ' ' + found.toFixed(2));
      }
      return { seen, faint }; })()`);
    expect(unreadable.seen).toBeGreaterThan(80);
    expect(unreadable.faint).toEqual([]);
  });

  test.each(["light", "dark"])(
    "axe finds nothing to object to in %s, on a desk and on a phone",
    async (theme) => {
      const axe = readFileSync(join(import.meta.dirname, "../../node_modules/axe-core/axe.min.js"), "utf8");
      await open();
      await page.media({ "prefers-color-scheme": theme });
      for (const details of ["#epochs-table", "#curve-memory"]) await page.click(`${details} summary`);
      await page.value(`${axe}; 0`);
      for (const width of [1280, 390]) {
        await page.size(width, 900);
        const found = await page.value<
          string[]
        >(`axe.run({ resultTypes: ['violations'] }).then(({ violations }) =>
        violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + ' ' + target + ' ' + failureSummary)))`);
        expect(found, `${width} px`).toEqual([]);
      }
      // Canary: it does look.
      await page.value("document.querySelector('.foot a').textContent = ''");
      expect(
        await page.value("axe.run().then(({ violations }) => violations.map(({ id }) => id))"),
      ).toContain("link-name");
    },
  );

  test("the theme can be chosen, is remembered, and reaches the canvases", async () => {
    await open();
    await page.media({ "prefers-color-scheme": "light" });
    const ground = "getComputedStyle(document.body).backgroundColor";
    const light = await page.value(ground);
    const pixels = "document.querySelector('#curve-memory canvas').toDataURL()";
    service.tell({ rest: true });
    const before = await page.value(pixels);
    await page.click("#theme-dark + label");
    await page.until(`${ground} !== ${JSON.stringify(light)}`);
    expect(await page.value(pixels)).not.toBe(before);
    await page.send("Page.reload");
    await page.until(`${LIVE} && ${ground} !== ${JSON.stringify(light)}`);
    expect(await page.value("document.querySelector('#theme-dark').checked")).toBe(true);
    await page.click("#theme-system + label");
    await page.until(`${ground} === ${JSON.stringify(light)}`);
  });

  test.each([360, 390, 768, 1024, 1280, 1920])(
    "nothing is cut off or needs sideways scrolling at %d px",
    async (width) => {
      await open(width);
      const wide = await page.value<string[]>(`[...document.querySelectorAll('body *')].filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return width > 1 && (right > document.documentElement.clientWidth + 1 || left < -1)
        && !element.closest('.scroll, .skip, .visually-hidden, .switch input');
    }).map((element) => element.localName + '.' + (element.className.baseVal ?? element.className) + '#' + element.id)`);
      expect(wide).toEqual([]);
      expect(
        await page.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
      ).toBe(true);
    },
  );

  test("nothing moves by itself for those who asked for that", async () => {
    await open();
    await page.media({ "prefers-reduced-motion": "reduce" });
    const moving = await page.value<string[]>(`[...document.querySelectorAll('body *')].filter((element) => {
      const style = getComputedStyle(element);
      return parseFloat(style.transitionDuration) > 0 || style.animationName !== 'none';
    }).map((element) => element.className)`);
    expect(moving).toEqual([]);
  });
});
