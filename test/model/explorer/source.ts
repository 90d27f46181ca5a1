/**
 * The sources of the allocator, of owner words, the ring, a pool's permits and a rotator's keeper as modules to run: once as they are, once
 * stoppable before every shared access.
 *
 * Both are made smaller on purpose, so that rare paths become common: a ring of two epochs instead of 16, few label
 * numbers, few retries. And both can be made wrong on purpose (see mutations.ts). Each logical worker gets an
 * instance of its own, because each thread has one: module variables are never shared between threads.
 */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { build, type Plugin } from "esbuild";
import ts from "typescript";
import { instrument } from "./instrument.js";

/** A change to one source: `find` must occur exactly once. */
export interface Edit {
  /** Path from src/allocator: "slabs/slab.ts", "../ring/sender.ts". */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Smaller constants. The meaning of none of them changes. */
const SMALLER: readonly Edit[] = [
  { file: "memory/offsets.ts", find: "RING_SIZE = 16;", replace: "RING_SIZE = 2;" },
  { file: "memory/offsets.ts", find: "FIRST_ERA = 16;", replace: "FIRST_ERA = 2;" },
  { file: "memory/offsets.ts", find: "LABEL_OTHER = 15;", replace: "LABEL_OTHER = 3;" },
  { file: "words/epoch-word.ts", find: "RING_BITS = 4;", replace: "RING_BITS = 1;" },
  { file: "words/label.ts", find: "TEXT_WORDS = 8;", replace: "TEXT_WORDS = 2;" },
  { file: "heap/alloc.ts", find: "MAX_ERA_CHASES = 64;", replace: "MAX_ERA_CHASES = 4;" },
  // Constructors cannot stop: scenarios make a keeper that has seen the first epoch.
  {
    file: "../async/keeper.ts",
    find: "    this.current = heap.currentEpoch;\n    this.firstSeen = this.current.era;\n    if (discard) this.startAfresh();",
    replace:
      "    this.current = { id: 0 as EpochId, era: 2 };\n    this.firstSeen = 2;\n    if (discard) this.discardFrom = 2;",
  },
  // Four slabs take two calls.
  { file: "slabs/release.ts", find: "BATCH_BYTES = 1024 * 1024;", replace: "BATCH_BYTES = 3 * 4096;" },
  // A million looks are one step: the others go on, and then it looks once more.
  {
    file: "memory/atomics.ts",
    find: "  for (let look = 0; look < looks; look++) {\n    if (Atomics.load(m, i) !== value) return true;\n  }\n  return false;",
    replace:
      "  if (looks > 0 && Atomics.load(m, i) !== value) return true;\n  G.changes(m, i, value);\n  return Atomics.load(m, i) !== value;",
  },
  // The process's memory differs from run to run, and nothing depends on it.
  { file: "heap/close.ts", find: "RSS_BURST = 16;", replace: "RSS_BURST = 0;" },
];

/**
 * Not stoppable: what they read never changes once a heap is published, or they run when everything is at rest.
 * Scenarios reap by themselves: watching real threads for their exit needs real ones (test/threads).
 */
const PLAIN_FILES = [
  "seats/runtime.ts",
  "seats/watch.ts",
  "memory/views.ts",
  "memory/process.ts",
  "heap/verify.ts",
  "heap/verify-owned.ts",
  "heap/verify-words.ts",
  // Options, blocking and promises: what leads up to them is explored, they are not.
  "../threads/options.ts",
  "../threads/waiting.ts",
];

const root = process.cwd();
const folder = join(root, "src/allocator");
/** Further sources with words of their own; what only wraps them is left out. */
const ALSO = ["../threads", "../ring"].map((path) => join(folder, path));
const SINGLE = ["../pool/permits.ts", "../async/keeper.ts"].map((path) => join(folder, path));
const WRAPPERS = ["handle-ring.ts", "iterator.ts", "turns.ts"].map((name) => join(folder, "../ring", name));

/** What the runs need of the sources; the same list for both versions. */
const ENTRY = `
export { SlabHeap } from "./heap/heap.js";
export { specialise } from "./heap/fast-path.js";
export { startSampling } from "./heap/sampling.js";
export { heapCounters } from "./heap/info.js";
export { reapSeat } from "./seats/reap.js";
export { takeSeat, leaveSeat } from "./seats/seat.js";
export { sync } from "./seats/sync.js";
export { readCounter } from "./counters/record.js";
export { readLabel } from "./words/label.js";
export { ringOf } from "./words/epoch-word.js";
export { OwnerWords } from "../threads/owners.js";
export { Permits } from "../pool/permits.js";
export { EpochKeeper } from "../async/keeper.js";
export { closeRing } from "../ring/layout.js";
export { Receiver } from "../ring/receiver.js";
export { Sender } from "../ring/sender.js";
`;

export class Sources {
  private readonly texts = new Map<string, string>();
  private program: ts.Program | undefined;

  constructor() {
    const files = [folder, ...ALSO].flatMap((path) => ts.sys.readDirectory(path, [".ts"]));
    for (const file of [...files, ...SINGLE]) {
      if (!WRAPPERS.includes(file)) this.texts.set(file, readFileSync(file, "utf8"));
    }
  }

  /** Texts with constants made smaller and `edits` applied. */
  private edited(edits: readonly Edit[]): Map<string, string> {
    const texts = new Map(this.texts);
    for (const { file, find, replace } of [...SMALLER, ...edits]) {
      const path = join(folder, file);
      const text = texts.get(path);
      const parts = text?.split(find) ?? [];
      if (parts.length !== 2) {
        throw new Error(`${file}: ${JSON.stringify(find)} occurs ${parts.length - 1} times; expected once.`);
      }
      texts.set(path, parts.join(replace));
    }
    return texts;
  }

  /** Code of both versions: function bodies that take the machine as \`G\` and return what ENTRY exports. */
  async compile(edits: readonly Edit[] = []): Promise<Compiled> {
    const texts = this.edited(edits);
    const { texts: stoppable, accesses } = instrument(this.parse(texts), (file) => {
      return this.texts.has(file) && !PLAIN_FILES.includes(relative(folder, file));
    });
    const [plain, stepping] = await Promise.all([bundle(texts), bundle(new Map([...texts, ...stoppable]))]);
    return { plain, stepping, accesses };
  }

  private parse(texts: ReadonlyMap<string, string>): ts.Program {
    const config = ts.readConfigFile(join(root, "tsconfig.core.json"), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
    const host = ts.createCompilerHost(options);
    const read = host.readFile.bind(host);
    host.readFile = (file) => texts.get(file) ?? read(file);
    host.getSourceFile = (file, version) => {
      const text = texts.get(file) ?? read(file);
      const old = this.program?.getSourceFile(file);
      if (old !== undefined && old.text === text) return old;
      return text === undefined ? undefined : ts.createSourceFile(file, text, version, true);
    };
    const names = [...texts.keys(), join(root, "types/universal.d.ts")];
    this.program = ts.createProgram(names, { ...options, noEmit: true }, host);
    return this.program;
  }
}

export interface Compiled {
  readonly plain: string;
  readonly stepping: string;
  /** Accesses that can be stopped at, in the source's text. */
  readonly accesses: number;
}

async function bundle(texts: ReadonlyMap<string, string>): Promise<string> {
  const inMemory: Plugin = {
    name: "edited sources",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^\./ }, ({ path, resolveDir }) => ({
        path: join(resolveDir, path.replace(/\.js$/, ".ts")),
      }));
      onLoad({ filter: /\.ts$/ }, ({ path }) => ({ contents: texts.get(path) ?? "", loader: "ts" }));
    },
  };
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: ENTRY, resolveDir: folder, sourcefile: "entry.ts", loader: "ts" },
    plugins: [inMemory],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "allocator",
    target: "es2022",
    minifySyntax: true,
    // Runs must repeat: no clock, no chance, no timers.
    define: {
      "Date.now": "G.now",
      "performance.now": "G.now",
      "Math.random": "G.random",
      setInterval: "G.timer",
      clearInterval: "G.timer",
      setTimeout: "G.timer",
    },
    logLevel: "warning",
  });
  return `${outputFiles[0]?.text ?? ""}\nreturn allocator;`;
}
