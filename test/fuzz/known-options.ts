/** Arguments that are known to be answered badly. Defects: delete an entry when it is fixed. */
import type { Violation, ViolationKind } from "./outcome.js";

const KNOWN: readonly {
  readonly target: RegExp;
  readonly kind: ViolationKind;
  readonly message: RegExp;
  readonly why: string;
}[] = [
  {
    target: /^startSampling: heap$/,
    kind: "foreign",
    message: /reading '(_a|detached)'/,
    why: "no check that heap is a SlabHeap, as sampleSites has one",
  },
  {
    target: /^EpochDomain\.current$/,
    kind: "foreign",
    message: /reading '(domains|length)'/,
    why: "no check that heap is a SlabHeap",
  },
  {
    target: /^watch: ref$/,
    kind: "foreign",
    message: /reading 'token'/,
    why: "watch(worker, null): only undefined is refused",
  },
  {
    target: /^SlabHeap\.attach: ref$/,
    kind: "foreign",
    message: /openBuffer|checkHeapRef/,
    why: "ref.buffer and ref.token are read again after they were checked: a getter may answer otherwise",
  },
  {
    target: /^watch: ref$/,
    kind: "foreign",
    message: /Cannot (convert|mix)/,
    why: "ref.token is read again after it was checked",
  },
  {
    target: /^StatsReader\.(class|epoch)|^percentileNs: percent$/,
    kind: "wrong",
    message: /says nothing useful/,
    why: "the message puts the value in as text where describe() belongs",
  },
  {
    target: /^StatsReader\.(class|epoch)/,
    kind: "foreign",
    message: /convert .* to (a string|primitive)/,
    why: "String(value) throws for some objects",
  },
  {
    target: /^percentileNs: percent$/,
    kind: "foreign",
    message: /Cannot convert/,
    why: "compared before it is known to be a number",
  },
  {
    target: /^percentileNs: latency$/,
    kind: "foreign",
    message: /reading '(buckets|reduce)'|is not a function|is not iterable/,
    why: "no check that latency has buckets",
  },
  {
    target: /^stringifyStats: indent$/,
    kind: "foreign",
    message: /Cannot convert/,
    why: "no check that indent is a number or a string",
  },
  {
    target: /^(closeEpoch|discardEpoch|discardBefore)$/,
    kind: "wrong",
    message: /does not name "id": epoch must be/,
    why: 'a wrong id inside an EpochRef is reported as a wrong "epoch"',
  },
];

export function isKnownOption(target: string, violation: Violation): boolean {
  return KNOWN.some(
    (known) =>
      known.kind === violation.kind && known.target.test(target) && known.message.test(violation.message),
  );
}
