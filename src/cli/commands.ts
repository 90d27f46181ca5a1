/**
 * The commands of `tslab`, in the order of the overview. Summaries stand here too, so that the overview need not load the
 * commands, and with them the library; a test compares them.
 */
import type { CommandEntry, CommandGroup } from "./command.js";

export const COMMANDS: readonly (CommandEntry | CommandGroup)[] = [
  {
    name: "stats",
    summary: "what a heap holds and has been through, in one page",
    load: async () => (await import("./stats/command.js")).statsCommand,
  },
  {
    name: "watch",
    summary: "show what changes from second to second",
    load: async () => (await import("./watch/command.js")).watchCommand,
  },
  {
    name: "top",
    summary: "size classes or epochs with the most of something",
    load: async () => (await import("./top/command.js")).topCommand,
  },
  {
    name: "doctor",
    summary: "what is wrong, whose matter it is, what to do",
    load: async () => (await import("./doctor/command.js")).doctorCommand,
  },
  {
    name: "diff",
    summary: "what changed between two documents",
    load: async () => (await import("./diff/command.js")).diffCommand,
  },
  {
    name: "validate",
    summary: "check a document against the schema",
    load: async () => (await import("./validate/command.js")).validateCommand,
  },
  {
    name: "dump",
    summary: "JSON on stdout, text on stderr, like the C program stats_dump",
    load: async () => (await import("./dump/command.js")).dumpCommand,
  },
  {
    name: "export",
    summary: "write metrics for other programs",
    entries: [
      {
        name: "prometheus",
        summary: "Prometheus text, on stdout or into a file",
        load: async () => (await import("./export/prometheus.js")).exportPrometheusCommand,
      },
    ],
  },
  {
    name: "serve",
    summary: "live page, /metrics, /stats.json and health over HTTP",
    load: async () => (await import("./serve/command.js")).serveCommand,
  },
  {
    name: "workload",
    summary: "run worker threads on one heap and check every object",
    load: async () => (await import("./workload/command.js")).workloadCommand,
  },
  {
    name: "completion",
    summary: "a script that completes tslab's command lines in your shell",
    load: async () => (await import("./completion/command.js")).completionCommand,
  },
];
