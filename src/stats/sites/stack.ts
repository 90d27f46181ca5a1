/** Who called: the stack above a function, without the frames of this package. */
import type { AllocHook } from "../../allocator/memory/attachment.js";
import { parseStack, type StackFrame, toUrl } from "./stack-text.js";

/** Any function at all. */
export type AnyFunction = (...args: never[]) => unknown;

/** What V8 has on `Error`, some others have in part, and no standard mentions. */
interface ErrorHost {
  captureStackTrace?: (target: object, above?: AnyFunction) => void;
}

interface CallSite {
  getFunctionName(): string | null;
  getFileName(): string | null | undefined;
  getScriptNameOrSourceURL?(): string | null | undefined;
  getLineNumber(): number | null;
  getColumnNumber(): number | null;
}

/** Frames read besides those asked for: where nothing is cut off above the hook, its own and ours come first. */
const SLACK = 8;

/**
 * Up to `maxDepth` callers of `hook`, which must be running, innermost first. With structured call sites, callers of
 * the last of `wrappers` (innermost first) that is running instead. [] when the runtime tells nothing.
 */
export function captureStack(
  hook: AllocHook,
  wrappers: readonly AnyFunction[],
  maxDepth: number,
): readonly StackFrame[] {
  // Whoever set these expects to find them again, and must not be called for stacks that are not an error's.
  const restoreLimit = replace("stackTraceLimit", maxDepth + SLACK);
  const restorePrepare = replace("prepareStackTrace", (_error: unknown, sites: unknown) => sites);
  try {
    const trace = traceAbove(hook);
    if (!Array.isArray(trace)) return belowHook(parseStack(String(trace ?? ""))).slice(0, maxDepth);
    const frames = belowHook(trace.map(fromCallSite));
    // By name first: looking for a function that is not on the stack walks all of it.
    const near = new Set(frames.slice(0, SLACK).map((frame) => frame.functionName));
    for (const wrapper of wrappers.toReversed()) {
      const above = near.has(wrapper.name) ? traceAbove(wrapper) : [];
      // Empty: another function of that name.
      if (!Array.isArray(above) || above.length === 0) continue;
      const callers = above.map(fromCallSite);
      if (!callers.some(isHook)) return callers.slice(0, maxDepth);
    }
    return frames.slice(0, maxDepth);
  } finally {
    restorePrepare();
    restoreLimit();
  }

  /** Still there where a runtime cuts nothing off. */
  function isHook(frame: StackFrame): boolean {
    return frame.functionName === hook.name;
  }
  function belowHook(frames: readonly StackFrame[]): readonly StackFrame[] {
    return frames.slice(frames.findLastIndex(isHook) + 1);
  }
}

/** Call sites, or the text of the stack. */
function traceAbove(cut: AnyFunction): unknown {
  const { captureStackTrace } = Error as ErrorHost;
  if (typeof captureStackTrace !== "function") return new Error("allocation").stack;
  const holder: { stack?: unknown } = {};
  captureStackTrace.call(Error, holder, cut);
  return holder.stack;
}

/** Sets a property of `Error` as far as it can be set; returns what puts it back as it was. */
function replace(name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(Error, name);
  const set = before === undefined || before.configurable === true || before.writable === true;
  if (!set || !Reflect.defineProperty(Error, name, { ...PLAIN, ...writableParts(before), value })) {
    return () => {};
  }
  return () => {
    if (before === undefined) Reflect.deleteProperty(Error, name);
    else Reflect.defineProperty(Error, name, before);
  };
}

const PLAIN = { writable: true, configurable: true, enumerable: true };

/** A property that cannot be configured can only be given another value. */
function writableParts(before: PropertyDescriptor | undefined): PropertyDescriptor {
  if (before === undefined || before.configurable === true) return {};
  return { configurable: false, enumerable: before.enumerable ?? false };
}

function fromCallSite(site: CallSite): StackFrame {
  return {
    functionName: site.getFunctionName() ?? "",
    url: toUrl(site.getScriptNameOrSourceURL?.() || site.getFileName()),
    line: site.getLineNumber() ?? 0,
    column: site.getColumnNumber() ?? 0,
  };
}
