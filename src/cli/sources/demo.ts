/** The built-in demo: a heap of this process with the worker threads of `tslab workload` on it. */
import { setTimeout as sleep } from "node:timers/promises";
import { SlabHeap } from "../../index.js";
import { StatsReader, stringifyStats } from "../../stats.js";
import { InputError, parseOptions } from "../args.js";
import type { CommandStreams } from "../command.js";
import { ClaimMap } from "../workload/claims.js";
import { Control, PHASE_DRAIN, PHASE_RUN, PHASE_STOP } from "../workload/control.js";
import { Crew } from "../workload/crew.js";
import { createRings } from "../workload/handoff.js";
import { WORKLOAD_OPTIONS } from "../workload/options.js";
import type { PatternName } from "../workload/patterns.js";
import { planWorkload } from "../workload/plan.js";
import type { SourceChoice } from "./choose.js";
import type { Sample, SampleSource } from "./types.js";

/** How long the workers run before the first look, so that there is something to see. */
const WARM_UP_MS = { once: 1000, live: 250 } as const;
/** Workers that have not ended by then are terminated. */
const END_TIMEOUT_MS = 5000;

/**
 * Gentle enough to run for hours beside other work. Leaking at the pattern's own rate would fill the heap within
 * minutes; at this one it takes half an hour, and then allocations fail, which is worth seeing too.
 */
const SETTINGS: Readonly<Record<PatternName, readonly string[]>> = {
  burst: ["--req-rate", "500"],
  steady: ["--req-rate", "1000"],
  leak: ["--req-rate", "50", "--capacity", "512MiB"],
  hotspot: ["--req-rate", "1000"],
  kernel: ["--req-rate", "200"],
};

export async function demoSource(
  { pattern, asked }: Extract<SourceChoice, { kind: "demo" }>,
  streams: CommandStreams,
  live: boolean,
): Promise<SampleSource> {
  const how = asked ? "" : " (name a FILE, --stdin, --url or --exec to see another heap)";
  streams.err.write(`tslab: demo run of the ${pattern} pattern on a heap of its own${how}\n`);
  const run = await DemoRun.start(pattern);
  await sleep(live ? WARM_UP_MS.live : WARM_UP_MS.once);
  return run;
}

class DemoRun implements SampleSource {
  readonly description: string;
  readonly live = true;
  readonly #heap: SlabHeap;
  readonly #reader: StatsReader;
  readonly #control: Control;
  readonly #crew: Crew;
  #closing: Promise<void> | undefined;

  static async start(pattern: PatternName): Promise<DemoRun> {
    const options = parseOptions(
      ["--pattern", pattern, "--duration", "60", ...SETTINGS[pattern]],
      WORKLOAD_OPTIONS,
    );
    const { plan, heap: heapOptions } = planWorkload(options);
    const heap = SlabHeap.create(heapOptions);
    const control = Control.create(plan.threads);
    const crew = new Crew(heap, {
      control: control.shared,
      claims: ClaimMap.create(heap.buffer.byteLength),
      rings: createRings(plan.threads),
      plan,
      trace: undefined,
    });
    const run = new DemoRun(pattern, heap, control, crew);
    if (!(await crew.ready())) {
      const [error = "a worker did not start"] = crew.record.errors;
      await run.close();
      throw new InputError(`demo: ${error}`);
    }
    control.enter(PHASE_RUN);
    return run;
  }

  private constructor(pattern: PatternName, heap: SlabHeap, control: Control, crew: Crew) {
    this.description = `demo run of the ${pattern} pattern`;
    this.#heap = heap;
    this.#reader = StatsReader.open(heap);
    this.#control = control;
    this.#crew = crew;
  }

  async read(): Promise<string> {
    return (await this.sample()).text;
  }

  async sample(): Promise<Sample> {
    if (this.#closing !== undefined) throw new InputError("demo: it has ended");
    const [error] = this.#crew.record.errors;
    if (error !== undefined) throw new InputError(`demo: ${error}`);
    const document = this.#reader.snapshot();
    return { text: `${stringifyStats(document, 2)}\n`, document };
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.#control.enter(PHASE_STOP);
    await this.#crew.stopped(END_TIMEOUT_MS);
    this.#control.enter(PHASE_DRAIN);
    await this.#crew.ended(END_TIMEOUT_MS);
    this.#heap.detach();
  }
}
