/**
 * Defends: the backend chosen is the first that works, its reason is one plain sentence, nothing is loaded that was not
 * installed or granted, nothing throws whatever the globals are; asking for a backend by name gets that one or an error.
 * Method: made-up runtimes, one per reason; the real ones are in runtimes.test.ts.
 */
import { describe, expect, test } from "vitest";
import {
  InvalidTypeError,
  InvalidValueError,
  PageReleaserUnavailableError,
  TemporalSlabError,
} from "../../src/allocator/index.js";
import { chooseReleaser, createOn } from "../../src/reclaim/auto.js";
import type { Globals } from "../../src/reclaim/host.js";
import * as door from "../../src/reclaim.js";
import { deno, host, modulesWith, nodeGlobals, realKoffi } from "./hosts.js";

const NO_FFI = "Node 20.20.2 does not offer node:ffi";
const bare = modulesWith();
const bun = (modules: Record<string, unknown>, platform = "linux"): Globals => ({
  process: { platform, versions: { node: "24.3.0" }, getBuiltinModule: (id) => modules[id] },
  Bun: { version: "1.4.5" },
});
const failing = (message: string) => () => {
  throw new Error(message);
};
const restricted = (modules: Record<string, unknown>): Globals => ({
  process: { ...nodeGlobals(modules).process, permission: { has: () => false } },
});
const denied = (): never => {
  throw Object.assign(new Error("Access to this API has been restricted."), { code: "ERR_ACCESS_DENIED" });
};

const NONE: [string, Globals, string][] = [
  ["a browser", {}, "this runtime has no way to call the system's madvise"],
  [
    "a browser whose bundle brought a process",
    { process: { platform: "browser", versions: {}, argv: [] } },
    "this runtime has no way to call the system's madvise",
  ],
  ["Windows", nodeGlobals(bare, "win32"), "Windows has no madvise"],
  ["Deno on Windows", deno(() => "granted", "windows").globals, "Windows has no madvise"],
  ["FreeBSD", nodeGlobals(bare, "freebsd"), "FreeBSD's madvise promises no zeros"],
  ["AIX", nodeGlobals(bare, "aix"), "what madvise does on aix is not known"],
  [
    "a system named like a method",
    nodeGlobals(bare, "toString"),
    "what madvise does on toString is not known",
  ],
  ["Node with nothing installed", nodeGlobals(bare), `${NO_FFI}, and koffi is not installed`],
  ["Node without node:module", nodeGlobals({}), `${NO_FFI}, and koffi is not installed`],
  [
    "a Node with a permission model and without node:ffi: it has no --allow-ffi",
    restricted(modulesWith()),
    `${NO_FFI}, and koffi is not installed`,
  ],
  [
    "a Node with both, which is not loaded then",
    restricted(modulesWith(undefined, failing("loaded"))),
    "Node 20.20.2 was started with --permission and without --allow-ffi, and koffi is not installed",
  ],
  [
    "Node whose permission model keeps koffi's files from it",
    restricted(modulesWith(denied)),
    `${NO_FFI}, and koffi's files may not be read (see --allow-fs-read of the permission model)`,
  ],
  [
    "Node whose permission model does not let it look for koffi",
    restricted({ "node:module": { createRequire: () => ({ resolve: denied }) } }),
    `${NO_FFI}, and koffi's files may not be read (see --allow-fs-read of the permission model)`,
  ],
  [
    "Node whose node:ffi fails, and a koffi that does not load",
    nodeGlobals(
      modulesWith(failing("Cannot load native addon.\nStack"), () => ({ dlopen: failing("gone wrong.") })),
    ),
    "node:ffi failed: gone wrong, and koffi failed: Cannot load native addon",
  ],
  [
    "a koffi that is something else",
    nodeGlobals(modulesWith(() => ({}))),
    `${NO_FFI}, and koffi of unknown version failed: koffi.load is not a function`,
  ],
  ["Deno without --allow-ffi", deno(() => "prompt").globals, "Deno 2.9.6 was started without --allow-ffi"],
  ["Deno with --deny-ffi", deno(() => "denied").globals, "Deno 2.9.6 was started without --allow-ffi"],
  [
    "a Deno without FFI",
    { Deno: { version: { deno: "2.0.0" }, build: { os: "linux" } } },
    "Deno 2.0.0 does not offer Deno.dlopen",
  ],
  [
    "Deno where the library cannot be opened",
    deno(() => "granted").globals,
    "Deno.dlopen failed: Could not open library: no such file",
  ],
  ["a Bun without bun:ffi", bun({}), "Bun 1.4.5 does not offer bun:ffi"],
  ["Bun on Windows", bun({}, "win32"), "Windows has no madvise"],
  [
    "Bun where the library cannot be opened",
    bun({ "bun:ffi": { dlopen: failing("no libc") } }),
    "bun:ffi failed: no libc",
  ],
];

test.each(NONE)("none on %s", (_, globals, why) => {
  const releaser = chooseReleaser(host(globals));
  expect(releaser).toMatchObject({ backend: "none", enabled: false, advice: "none", pageBytes: 4096 });
  expect(releaser.reason).toBe(`No pages are released, since ${why}.`);
});

test("koffi is loaded in worker threads on request only: loading may not be cut short by terminate()", () => {
  const loads: string[] = [];
  const modules = modulesWith(() => {
    loads.push("koffi");
    return realKoffi();
  });
  const thread = (isMainThread: boolean) =>
    host(nodeGlobals({ ...modules, "node:worker_threads": { isMainThread } }));
  const unasked = chooseReleaser(thread(false));
  expect([unasked.backend, loads]).toEqual(["none", []]);
  expect(unasked.reason).toContain("koffi is not loaded in a worker thread unasked");
  expect(chooseReleaser(thread(true)).backend).toBe("koffi");
  expect(createOn(thread(false), "koffi").backend).toBe("koffi");
});

test.each([
  [
    "throws",
    {
      get process(): never {
        throw new Error("hidden");
      },
    },
  ],
  ["is half made", { Deno: {} }],
])("globals of which one %s do no harm", (_, globals) => {
  const { backend, reason } = chooseReleaser(host(globals as unknown as Globals));
  expect(backend).toBe("none");
  expect(reason).toMatch(/^No pages are released, since the runtime was not understood \(.*\)\.$/);
});

describe("Deno is asked for what it may do, never for more", () => {
  test("nothing is opened without a grant", () => {
    const { globals, opened } = deno(() => "prompt");
    chooseReleaser(host(globals));
    expect(opened).toEqual([]);
  });
  test("the library in the process with one, or a path of the grant", () => {
    const all = deno(() => "granted");
    chooseReleaser(host(all.globals));
    expect(all.opened).toEqual(["libc.so.6"]);
    const one = deno((path) => (path === "/lib64/libc.so.6" ? "granted" : "prompt"));
    chooseReleaser(host(one.globals));
    expect(one.opened).toEqual(["/lib64/libc.so.6"]);
  });
  test("with anything denied no bare name, which would be a file of the current folder: each path in turn", () => {
    const some = deno((path) => (path === "" ? "partial" : "granted"));
    chooseReleaser(host(some.globals));
    expect(some.opened).toEqual([
      "/lib/x86_64-linux-gnu/libc.so.6",
      "/usr/lib/x86_64-linux-gnu/libc.so.6",
      "/lib64/libc.so.6",
      "/usr/lib64/libc.so.6",
      "/usr/lib/libc.so.6",
    ]);
    const none = deno((path) => (path === "" ? "partial" : "denied"));
    const { reason } = chooseReleaser(host(none.globals));
    expect(none.opened).toEqual([]);
    expect(reason).toBe("No pages are released, since Deno 2.9.6 was started without --allow-ffi.");
  });
  test("macOS has one path", () => {
    const { globals, opened } = deno(() => "granted", "darwin");
    chooseReleaser(host(globals));
    expect(opened).toEqual(["/usr/lib/libSystem.B.dylib"]);
  });
});

describe("libraries that are not what they seem", () => {
  const functions = (page: number) => ({
    load: () => ({ func: (name: string) => () => (name === "getpagesize" ? page : 0) }),
    address: () => 4096n,
    version: "9.9.9",
  });
  test.each([
    ["an odd page", () => functions(5000), "koffi 9.9.9 says that a page has 5000 bytes"],
    ["a tiny page", () => functions(512), "koffi 9.9.9 says that a page has 512 bytes"],
    ["a huge page", () => functions(2 ** 30), "koffi 9.9.9 says that a page has 1073741824 bytes"],
    ["no number", () => functions(Number.NaN), "koffi 9.9.9 says that a page has NaN bytes"],
    [
      "one address for everything",
      () => functions(4096),
      "koffi 9.9.9 cannot tell the address of shared memory",
    ],
  ])("%s", (_, koffi, why) => {
    const { backend, reason } = chooseReleaser(host(nodeGlobals(modulesWith(koffi))));
    expect({ backend, reason }).toEqual({
      backend: "none",
      reason: `No pages are released, since ${NO_FFI}, and ${why}.`,
    });
  });
});

/** Where koffi is looked for when the first argument is /app/main.js. */
function placesAsked(more: Partial<Globals["process"]>): string[] {
  const asked: string[] = [];
  const modules = {
    "node:module": {
      createRequire(from: string) {
        asked.push(from);
        throw new Error("nothing here");
      },
    },
  };
  const { process } = nodeGlobals(modules);
  const argv = ["/usr/bin/node", "/app/main.js"];
  chooseReleaser(host({ process: { ...process, argv, ...more } }, "file:///package/reclaim.js"));
  return asked;
}

describe("koffi", () => {
  test("is used where node:ffi is not, and the reason names both", () => {
    const { version } = realKoffi() as { version: string };
    const releaser = chooseReleaser(host(nodeGlobals(modulesWith(() => realKoffi()))));
    expect(releaser).toMatchObject({
      backend: "koffi",
      reason: `Pages are released through koffi ${version}, since ${NO_FFI}.`,
      enabled: true,
    });
  });
  test("is looked for beside this package, then beside the program, never in the current folder", () => {
    expect(placesAsked({})).toEqual(["file:///package/reclaim.js", "/app/main.js"]);
    expect(placesAsked({ execArgv: ["--enable-source-maps", "--import=./setup.js"] })).toHaveLength(2);
  });
  test.each<[Partial<Globals["process"]>]>([
    [{ _eval: "run()" }],
    [{ _eval: "" }],
    ...["-e", "-p", "-pe", "--eval", "--eval=run()", "--print", "-c", "--check", "--snapshot-blob=x"].map(
      (option): [object] => [{ execArgv: ["--no-warnings", option, "x"] }],
    ),
  ])("is not looked for beside an argument that is no program: %j", (process) => {
    expect(placesAsked(process)).toEqual(["file:///package/reclaim.js"]);
  });
  test.skipIf(process.platform !== "linux")(
    "older ones, whose address() takes no views, are asked another way",
    () => {
      const old = realKoffi({
        version: "2.12.0",
        address() {
          throw new TypeError("Unexpected Uint8Array value for ptr, expected external pointer");
        },
      });
      const releaser = chooseReleaser(host(nodeGlobals(modulesWith(() => old))));
      expect(releaser.reason).toContain("koffi 2.12.0");
      const buffer = new SharedArrayBuffer(1 << 20);
      const bytes = new Uint8Array(buffer).fill(3);
      expect(releaser.release(buffer, 0, buffer.byteLength)).toBeGreaterThan(900_000);
      expect(bytes[1 << 19]).toBe(0);
    },
  );
});

describe("by name", () => {
  const node = host(nodeGlobals(modulesWith(() => realKoffi())));

  test("that one, or an error that says why", () => {
    expect(createOn(node, "koffi")).toMatchObject({ backend: "koffi", enabled: true });
    expect(createOn(node, "koffi").reason).toMatch(
      /^Pages are released through koffi \S+, as was asked for\.$/,
    );
    expect(createOn(node, "none")).toMatchObject({
      backend: "none",
      reason: "No pages are released, as was asked for.",
    });
    const refused = [
      ["node:ffi", node, `${NO_FFI}.`],
      ["deno", node, "it is not for Node 20.20.2."],
      ["bun", node, "it is not for Node 20.20.2."],
      ["koffi", host(nodeGlobals(bare)), "koffi is not installed."],
      ["koffi", host(nodeGlobals(bare, "win32")), "Windows has no madvise."],
      ["koffi", host(deno(() => "granted").globals), "it is not for Deno 2.9.6."],
      ["koffi", host({}), "it is not for this runtime."],
    ] as const;
    for (const [backend, where, why] of refused) {
      const ask = (): unknown => createOn(where, backend);
      expect(ask).toThrow(PageReleaserUnavailableError);
      expect(ask).toThrow(`createPageReleaser: no releaser on ${backend}, since ${why}`);
    }
  });

  test("the error is one of the package's", () => {
    const error = new PageReleaserUnavailableError("x");
    expect(error).toBeInstanceOf(TemporalSlabError);
    expect(error.code).toBe("ERR_TSLAB_PAGE_RELEASER_UNAVAILABLE");
    expect(door.PageReleaserUnavailableError).toBe(PageReleaserUnavailableError);
  });

  test("anything else is bad input", () => {
    const ask = (backend: unknown) => (): unknown => createOn(node, backend as "none");
    expect(ask(undefined)).toThrow(InvalidTypeError);
    expect(ask({})).toThrow("backend must be a string");
    expect(ask("ffi")).toThrow(InvalidValueError);
    expect(ask("toString")).toThrow("must be one of node:ffi, koffi, deno, bun, none");
  });
});

test("the entry point: an explicit list, one releaser per thread, new ones by name", () => {
  expect(Object.keys(door).sort()).toEqual([
    "InvalidTypeError",
    "InvalidValueError",
    "PageReleaserUnavailableError",
    "TemporalSlabError",
    "autoPageReleaser",
    "createPageReleaser",
  ]);
  const auto = door.autoPageReleaser();
  expect(auto.enabled).toBe(process.platform === "linux" || process.platform === "darwin");
  if (auto.enabled) expect(door.autoPageReleaser()).toBe(auto);
  expect(door.createPageReleaser("none")).not.toBe(door.createPageReleaser("none"));
});
