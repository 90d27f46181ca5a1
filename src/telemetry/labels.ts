/**
 * Labels of series. Texts come from applications and, in documents of other programs, from anybody: they are escaped, and
 * there are never more than a handful of different ones, because each makes new series that a server keeps for weeks.
 */

export interface LabelSet {
  /** As it is written: `{epoch="3",state="ACTIVE"}`; "" without labels. */
  readonly text: string;
  readonly values: Readonly<Record<string, string>>;
}

export const NO_LABELS: LabelSet = { text: "", values: {} };

/** Values must be safe texts: those of {@link LabelSlots}, numbers, or literals. */
export function labelSet(values: Readonly<Record<string, string>>): LabelSet {
  const parts = Object.entries(values).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return parts.length === 0 ? NO_LABELS : { text: `{${parts.join()}}`, values };
}

/** Backslash, quote and newline are the only ones the format knows escapes for. */
export function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
    : value;
}

/** For people: backslash and newline, in help texts. */
export function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

const UNLABELED = "(unlabeled)";
const OTHER = "(other)";
/** Slots of the allocators' own registries. */
export const DEFAULT_MAX_LABELS = 16;
/** An allocator keeps 31 bytes. Longer texts, from elsewhere, are cut: they go into every series of a row. */
const MAX_LENGTH = 64;

/** What would end a text, a terminal's line or an encoding: control characters but newline, and halves of surrogate pairs. */
const UNPRINTABLE = /[^\P{Cc}\n]|\p{Cs}/gu;

/**
 * A bounded set of label texts: the first ones asked for get a slot each, all others are "(other)". Epochs without a label
 * are "(unlabeled)". These two count as slots, as in the allocators' registries.
 *
 * Keep one for all scrapes of a source whose documents name no registry, so that no new text gets in later either.
 */
export class LabelSlots {
  private readonly taken = new Map<string, string>();
  private readonly free: number;

  /** `maxLabels`: 2 or more. */
  constructor(maxLabels: number = DEFAULT_MAX_LABELS) {
    this.free = maxLabels - 2;
  }

  /** The label to write for a text. */
  nameOf(text: unknown): string {
    if (typeof text !== "string" || text === "" || text === UNLABELED) return UNLABELED;
    const known = this.taken.get(text);
    if (known !== undefined) return known;
    if (text === OTHER || this.taken.size >= this.free) return OTHER;
    // Characters, not code units: a pair cut in half is no text.
    const short =
      text.length > MAX_LENGTH
        ? Array.from(text.slice(0, MAX_LENGTH + 1))
            .slice(0, -1)
            .join("")
        : text;
    const name = short.replace(UNPRINTABLE, "\uFFFD");
    this.taken.set(text, name);
    return name;
  }
}
