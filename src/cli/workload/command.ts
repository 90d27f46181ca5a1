/** `tslab workload`: real worker threads on one heap, contents checked as they go. */
import type { SlabHeap } from "../../index.js";
import type { ParsedOptions } from "../args.js";
import { type Command, type CommandStreams, EXIT_FINDING, EXIT_OK } from "../command.js";
import { catchInterrupt } from "../interrupt.js";
import { WORKLOAD_OPTIONS } from "./options.js";
import { LARGE_REQUESTS } from "./page-text.js";
import { PATTERN_NAMES, PATTERNS } from "./patterns.js";
import { planWorkload } from "./plan.js";
import { ProgressLine } from "./progress.js";
import { buildReport } from "./report.js";
import { renderReport } from "./report-text.js";
import { runWorkload } from "./run.js";

const DESCRIPTION = [
  "Worker threads share one heap and run requests: each allocates objects, stamps them, hands some",
  "to another thread and frees the rest. Every object is checked before it is freed. At the end the",
  "heap is verified, every epoch discarded, and the whole capacity allocated once more.",
  "Exit code 1 when anything was damaged or a check failed, 0 when all is well.",
  "",
  "Patterns:",
  ...PATTERN_NAMES.map((name) => {
    const { requestRate, objectsMin, objectsMax, objectSize, shows } = PATTERNS[name];
    const count = objectsMin === objectsMax ? objectsMin : `${objectsMin}-${objectsMax}`;
    return `  ${name.padEnd(9)}${requestRate}/s, ${count} x ${objectSize} B: ${shows}`;
  }),
  "",
  "Pages of free slabs go back to the system where the runtime has a way (Node: with the package koffi installed, or",
  "node:ffi); the report says which, or why not. The kernel pattern keeps no reserve, so every close that empties slabs",
  "calls madvise. One of its requests is 75 KiB, too little for RSS to show; both move together with",
  `${LARGE_REQUESTS}.`,
  "",
  "Ctrl-C ends the run early, with its report.",
].join("\n");

export const workloadCommand: Command = {
  name: "workload",
  summary: "run worker threads on one heap and check every object",
  description: DESCRIPTION,
  options: WORKLOAD_OPTIONS,
  examples: [
    { run: "tslab workload" },
    { run: "tslab workload --pattern steady --threads 4 --duration 10" },
    { run: "tslab workload --pattern hotspot --req-rate 0", note: "as fast as it goes" },
    { run: `tslab workload --pattern kernel ${LARGE_REQUESTS}`, note: "RSS falls with each close" },
    { run: `tslab workload --pattern kernel ${LARGE_REQUESTS} --release none`, note: "and stays" },
    { run: "tslab workload --trace gcc-cc1.trace.gz --repeat 5" },
    { run: "tslab workload --req-rate 0 --kill-workers --duration 10" },
    { run: "tslab workload --pattern leak --json | jq .leaked" },
    { run: "tslab workload --duration 600 --serve 2112", note: "watch it on a live page" },
    { run: "tslab workload --inject-damage; echo $?", note: "proves that damage is noticed: 1" },
  ],
  run,
};

/** What is served ends with the run. */
async function serveHeap(
  heap: SlabHeap,
  port: number,
  streams: CommandStreams,
): Promise<() => Promise<void>> {
  const [{ StatsReader }, { prepareServer }] = await Promise.all([
    import("../../stats.js"),
    import("../serve/server.js"),
  ]);
  const server = await prepareServer(StatsReader.open(heap), { port }, "--serve").start();
  streams.err.write(`tslab: live page at ${server.url}, metrics at ${server.url}metrics\n`);
  return () => server.close();
}

async function run(options: ParsedOptions, streams: CommandStreams): Promise<number> {
  const setup = planWorkload(options);
  const json = options.has("json");
  const wanted = options.has("progress") || (streams.errIsTerminal && !json);
  const line = new ProgressLine(streams);
  const port = options.number("serve");
  const interrupt = catchInterrupt();
  try {
    const record = await runWorkload(setup, {
      interrupt: interrupt.signal,
      progressMs: line.everyMs,
      ...(port === undefined ? {} : { opened: (heap) => serveHeap(heap, port, streams) }),
      ...(wanted ? { progress: (progress) => line.show(progress) } : {}),
    });
    const report = buildReport(record);
    if (wanted) line.clear();
    streams.out.write(json ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report));
    return report.ok ? EXIT_OK : EXIT_FINDING;
  } finally {
    interrupt.off();
  }
}
