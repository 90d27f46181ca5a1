/** Samples as the document that Chrome DevTools opens: `HeapProfiler.SamplingHeapProfile` of its protocol. */
import type { StackFrame } from "./stack-text.js";

/** `Runtime.CallFrame`: lines and columns count from 0; -1 when unknown. */
export interface CallFrame {
  readonly functionName: string;
  /** Made up here, one per URL: DevTools keeps functions of different scripts apart by it. "0": no script. */
  readonly scriptId: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** A function as called from a chain of callers, and what the calls at this place allocated that is still alive. */
export interface ProfileNode {
  readonly callFrame: CallFrame;
  /** Estimated live bytes allocated here, those of `children` not included. */
  readonly selfSize: number;
  /** Unique in the profile; 1 is the root. */
  readonly id: number;
  readonly children: readonly ProfileNode[];
}

/** One sample: `size` estimated bytes it stands for, the node it belongs to, and its number in order of time. */
export interface ProfileSample {
  readonly size: number;
  readonly nodeId: number;
  readonly ordinal: number;
}

/** Contents of a `.heapprofile` file. */
export interface SamplingHeapProfile {
  readonly head: ProfileNode;
  readonly samples: readonly ProfileSample[];
}

/** A live object that was sampled. */
export interface Sampled {
  /** Bytes asked for. */
  readonly size: number;
  readonly ordinal: number;
  readonly site: Site;
}

/** The callers of an allocation, innermost first. */
export interface Site {
  readonly key: string;
  readonly frames: readonly StackFrame[];
}

interface OpenNode extends ProfileNode {
  selfSize: number;
  readonly children: OpenNode[];
}

export function frameKey(frame: StackFrame): string {
  return `${frame.functionName}\n${frame.url}\n${frame.line}:${frame.column}`;
}

/** How many objects of this size one sampled object stands for: one in so many is sampled. */
export function weight(size: number, bytesPerSample: number): number {
  return -1 / Math.expm1(-size / bytesPerSample);
}

/** The tree of callers, outermost first, that the samples make. */
export function buildProfile(samples: Iterable<Sampled>, bytesPerSample: number): SamplingHeapProfile {
  const scripts = new Map<string, string>([["", "0"]]);
  let nodes = 0;
  const open = (callFrame: CallFrame): OpenNode => {
    nodes++;
    return { callFrame, selfSize: 0, id: nodes, children: [] };
  };
  const callFrameOf = ({ functionName, url, line, column }: StackFrame): CallFrame => {
    const scriptId = scripts.get(url) ?? String(scripts.size);
    scripts.set(url, scriptId);
    return { functionName, scriptId, url, lineNumber: line - 1, columnNumber: column - 1 };
  };

  const head = open(callFrameOf({ functionName: "(root)", url: "", line: 0, column: 0 }));
  const children = new Map<string, OpenNode>();
  const out: ProfileSample[] = [];
  for (const { size, ordinal, site } of samples) {
    let node = head;
    for (const frame of site.frames.toReversed()) {
      const key = `${node.id}\n${frameKey(frame)}`;
      let child = children.get(key);
      if (child === undefined) {
        child = open(callFrameOf(frame));
        children.set(key, child);
        node.children.push(child);
      }
      node = child;
    }
    const bytes = Math.round(size * weight(size, bytesPerSample));
    node.selfSize += bytes;
    out.push({ size: bytes, nodeId: node.id, ordinal });
  }
  return { head, samples: out };
}
