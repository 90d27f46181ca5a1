/**
 * Source habits of this repository, as pure functions from text to findings.
 *
 * `test/tidy.test.ts` runs them over the checkout and also feeds them sources that must fail.
 * Every message names the better choice, so that a finding can be acted on without reading this file.
 */
import { posix } from "node:path";
import ts from "typescript";

export interface Source {
  /** Path from the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** Folders of src/, each of which may import itself and anything further down. */
export const LAYERS = [
  "cli",
  "page",
  "http",
  "telemetry",
  "async",
  "pool",
  "ring",
  "malloc",
  "data",
  "reclaim",
  "threads",
  "stats",
  "allocator",
] as const;

/** Folders of src/allocator/, likewise. */
export const ALLOCATOR_FOLDERS = ["heap", "seats", "epochs", "slabs", "counters", "words", "memory"] as const;

/** Files of src/allocator/ everybody may import and which import nothing but each other. */
export const BOTTOM_FILES = ["types.ts", "errors.ts"] as const;

/** The list of counters is vocabulary like those: the layout gives every cell its place, whatever folder counts in it. */
export const VOCABULARY = "src/allocator/counters/fields.ts";

/** Parts of the allocator that stats reads directly: it decodes words, it never acts on them. */
export const DECODE_FOLDERS = ["counters", "words", "memory"] as const;

export const MAX_LINES = 450;

/** What runs on every runtime and in browsers: these layers get the strict rules, and so do the entry points. */
const CORE_LAYERS: readonly string[] = ["allocator", "stats", "threads", "data", "malloc", "ring", "pool"];

/** Programs rather than libraries: the build puts what they take from npm into them. */
const BUNDLED_LAYERS: readonly string[] = ["cli", "page"];

/** The one specifier of package.json's "imports": the page as the build made it. */
const LIVE_PAGE = "#live-page";

/** The one door the page has into the layers below: a type. http's front door would bring Node's types along. */
const PAGE_DOOR = "src/http/live-state.ts";

export const format = (finding: Finding): string => `${finding.path}:${finding.line}: ${finding.message}`;

/** Packages a source may import. */
export interface Packages {
  /** Optional peers: everything above the core. */
  readonly peers: ReadonlySet<string>;
  /** Development dependencies: what the build bundles, see {@link BUNDLED_LAYERS}. */
  readonly development: ReadonlySet<string>;
}

/** All rules for one TypeScript source below src/. */
export function checkSource(source: Source, packages: Partial<Packages> = {}): Finding[] {
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
  const all: Packages = { peers: new Set(), development: new Set(), ...packages };
  return [...checkImports(source.path, file, all), ...checkWords(source.path, file)];
}

export function checkLength(source: Source): Finding[] {
  const lines = source.text.split("\n").length - (source.text.endsWith("\n") ? 1 : 0);
  if (lines <= MAX_LINES) return [];
  const message = `${lines} lines, the limit is ${MAX_LINES}: move one idea into a file named after it`;
  return [{ path: source.path, line: lines, message }];
}

// -- Import direction --------------------------------------------------------------------------------------

interface Place {
  /** A member of LAYERS, or "entry" for the files directly in src/, which are the package's entry points. */
  readonly layer: string;
  /** Folder (or file name, for files of the layer itself) below the layer. */
  readonly part: string;
  readonly isFrontDoor: boolean;
}

function place(path: string): Place {
  const [, first = "", second = "", ...rest] = path.split("/");
  if (second === "") return { layer: "entry", part: first, isFrontDoor: false };
  return { layer: first, part: second, isFrontDoor: second === "index.ts" && rest.length === 0 };
}

function checkImports(path: string, file: ts.SourceFile, packages: Packages): Finding[] {
  const from = place(path);
  if (from.layer !== "entry" && layerRank(from.layer) < 0) {
    const message = `src/${from.layer}/ is no known layer: give it its place in LAYERS (test/tidy/rules.ts)`;
    return [{ path, line: 1, message }];
  }
  const known = [...ALLOCATOR_FOLDERS, ...BOTTOM_FILES, "index.ts"] as readonly string[];
  if (from.layer === "allocator" && !known.includes(from.part)) {
    const message = `move it into one of src/allocator/{${ALLOCATOR_FOLDERS.join(",")}}/`;
    return [{ path, line: 1, message }];
  }

  const findings: Finding[] = [];
  for (const { specifier, line } of importsOf(file)) {
    const message = specifier.startsWith(".")
      ? judgeRelative(path, from, specifier)
      : judgePackage(from, specifier, packages);
    if (message !== undefined) findings.push({ path, line, message: `imports "${specifier}": ${message}` });
  }
  return findings;
}

function judgePackage(from: Place, specifier: string, packages: Packages): string | undefined {
  const inCore = from.layer === "entry" || CORE_LAYERS.includes(from.layer);
  if (inCore)
    return "the core runs on every runtime; probe a host feature through globalThis, or move this up";
  if (from.layer === "page" && specifier.startsWith("node:")) return "the live page runs in browsers";
  if (specifier.startsWith("node:")) return undefined;
  if (specifier === LIVE_PAGE && from.layer === "http") return undefined;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  if (BUNDLED_LAYERS.includes(from.layer) && packages.development.has(name)) return undefined;
  if (packages.peers.has(name)) return undefined;
  return "this package has no dependencies; write it here, use node:..., or declare an optional peer";
}

function judgeRelative(path: string, from: Place, specifier: string): string | undefined {
  if (!specifier.endsWith(".js")) return 'name the emitted file, ending in ".js"';
  const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".ts");
  if (!target.startsWith("src/")) return "stay inside src/";
  const to = place(target);

  if (to.layer === "entry") {
    if (from.layer === "cli" || from.layer === "entry") return undefined;
    return "that is the package's public face; import the front door of the layer you need";
  }
  if (from.layer === to.layer) {
    if (target === VOCABULARY || path === VOCABULARY) return judgeVocabulary(path, from, to);
    return from.layer === "allocator" ? judgeInsideAllocator(from, to) : undefined;
  }
  if (from.layer !== "entry" && layerRank(to.layer) < layerRank(from.layer)) {
    return `${from.layer} sits below ${to.layer} (${LAYERS.join(" -> ")}); pass it in from above instead`;
  }
  if (to.isFrontDoor) return undefined;
  if (from.layer === "page" && target === PAGE_DOOR) return undefined;
  const decodes = [...DECODE_FOLDERS, ...BOTTOM_FILES] as readonly string[];
  if (from.layer === "stats" && to.layer === "allocator" && decodes.includes(to.part)) return undefined;
  return `use the front door src/${to.layer}/index.ts${from.layer === "stats" ? `, or allocator/{${DECODE_FOLDERS.join(",")}}` : ""}`;
}

function judgeVocabulary(path: string, from: Place, to: Place): string | undefined {
  const bottom: readonly string[] = BOTTOM_FILES;
  if (path === VOCABULARY) return `${VOCABULARY} is at the very bottom, below ${to.part}; it imports nothing`;
  return bottom.includes(from.part) ? `${from.part} imports nothing but other bottom files` : undefined;
}

function judgeInsideAllocator(from: Place, to: Place): string | undefined {
  if (from.part === "index.ts" || from.part === to.part) return undefined;
  if (to.isFrontDoor) return "the front door is for other layers; import the file that defines it";
  const order: readonly string[] = [...ALLOCATOR_FOLDERS, ...BOTTOM_FILES];
  const bottom: readonly string[] = BOTTOM_FILES;
  const down = order.indexOf(to.part) > order.indexOf(from.part);
  if (down || (bottom.includes(from.part) && bottom.includes(to.part))) return undefined;
  return `${from.part} sits below ${to.part} (${ALLOCATOR_FOLDERS.join(" -> ")}); move the shared piece down`;
}

const layerRank = (layer: string): number => (LAYERS as readonly string[]).indexOf(layer);

/** Static, dynamic and type imports, and re-exports. */
function importsOf(file: ts.SourceFile): { specifier: string; line: number }[] {
  const found: { specifier: string; line: number }[] = [];
  const add = (node: ts.Node | undefined): void => {
    if (node !== undefined && ts.isStringLiteralLike(node)) {
      found.push({ specifier: node.text, line: lineOf(file, node) });
    }
  };
  walk(file, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0]);
    }
  });
  return found;
}

// -- Words -------------------------------------------------------------------------------------------------

/** Names that exist on some runtimes only. `globalThis.process?.` is fine: it is undefined elsewhere. */
const HOST_NAMES = new Set(["process", "Buffer", "require", "__dirname", "__filename", "Deno", "Bun"]);

function checkWords(path: string, file: ts.SourceFile): Finding[] {
  const { layer, part } = place(path);
  if (layer !== "entry" && !CORE_LAYERS.includes(layer)) return [];
  const inHeap = layer === "allocator" && part === "heap";

  const findings: Finding[] = [];
  const report = (node: ts.Node, message: string): void => {
    findings.push({ path, line: lineOf(file, node), message });
  };
  walk(file, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) report(node, "`any` switches checking off; use `unknown`");
    if (ts.isIdentifier(node) && HOST_NAMES.has(node.text) && isFreeName(node)) {
      report(node, `\`${node.text}\` is missing on some runtimes; probe \`globalThis.${node.text}\``);
    }
    const isBigInt =
      ts.isBigIntLiteral(node) ||
      node.kind === ts.SyntaxKind.BigIntKeyword ||
      (ts.isIdentifier(node) && node.text === "BigInt" && isFreeName(node));
    if (inHeap && isBigInt) {
      report(node, "BigInt allocates on the JS heap; keep two int32 words or a float64");
    }
  });
  return findings;
}

/** True when an identifier is looked up in scope: no member, key or name being declared in a type. */
function isFreeName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isQualifiedName(parent)) return parent.left === node;
  if (ts.isTypeElement(parent) || ts.isClassElement(parent) || ts.isPropertyAssignment(parent)) {
    return "initializer" in parent && parent.initializer === node;
  }
  return true;
}

// -- Text of any file --------------------------------------------------------------------------------------

/**
 * Addresses of package registries: they belong in a person's own settings, never in the repository.
 * `extraHosts`: whatever registry this machine is set to.
 */
export function checkText(source: Source, extraHosts: readonly string[] = []): Finding[] {
  const findings: Finding[] = [];
  const mayReferToShared = /^(test|bench)\//.test(source.path);
  source.text.split("\n").forEach((text, index) => {
    const report = (message: string): void => {
      findings.push({ path: source.path, line: index + 1, message });
    };
    const host = extraHosts.find((name) => text.includes(name)) ?? REGISTRY_HOST.exec(text)?.[0];
    if (host !== undefined) {
      report(
        `names the registry host ${host}; leave it to npm's settings (.npmrc omits it from the lockfile)`,
      );
    }
    if (/^\s*(@[\w-]+:)?registry\s*=/.test(text))
      report("sets a registry; leave it to each person's settings");
    if (!mayReferToShared && SHARED_FOLDER.test(text)) {
      report(
        "refers to a folder outside the repository; copy what is needed, or move this to test/ or bench/",
      );
    }
  });
  return findings;
}

const REGISTRY_HOST = /\b(registry|npm\.pkg|npm)\.[a-z0-9-]+(\.[a-z0-9-]+)*\.?(com|org|net|io|dev|local)\b/i;
const SHARED_FOLDER = /\.\.\/shared\b/;

/** Runtime dependencies in a package.json. */
export function checkManifest(source: Source): Finding[] {
  const manifest = JSON.parse(source.text) as Record<string, Record<string, unknown> | undefined>;
  const findings: Finding[] = [];
  for (const field of ["dependencies", "optionalDependencies", "bundleDependencies"]) {
    for (const name of Object.keys(manifest[field] ?? {})) {
      const line = source.text.split("\n").findIndex((text) => text.includes(`"${name}"`)) + 1;
      const message = `${field} holds ${name}: this package has none; use devDependencies or an optional peer`;
      findings.push({ path: source.path, line, message });
    }
  }
  return findings;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

function lineOf(file: ts.SourceFile, node: ts.Node): number {
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
}
