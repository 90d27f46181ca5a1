/** What the commands read: one stats document, or one after another. */
import type { StatsDocument } from "../../stats.js";

export interface Sample {
  /** The JSON exactly as it was received. */
  readonly text: string;
  readonly document: StatsDocument;
}

export interface SampleSource {
  /** Where the documents come from, for people: `before.json`, `http://127.0.0.1:2112/stats.json`. Safe to print. */
  readonly description: string;
  /** Can be sampled again and may then say something new. */
  readonly live: boolean;
  /** The next document's text, whatever it says. Throws as `sample` does, but not for what the text says. */
  read(): Promise<string>;
  /** Reads the next document. Throws `InputError` when that fails; a live source may be asked again afterwards. */
  sample(): Promise<Sample>;
  /** Ends what the source started. May be called at any time, also while a sample is under way, and more than once. */
  close(): Promise<void>;
}

/** What a source is made of: texts and where they come from. */
export type TextSource = Omit<SampleSource, "sample">;
