/** From bytes to a sample: a limit on their number, exact text, and errors that say which input was wrong. */
import { readStats, type StatsDocument, TemporalSlabError } from "../../stats.js";
import { InputError } from "../args.js";
import { formatBytes, printable } from "../format.js";
import type { Sample, SampleSource, TextSource } from "./types.js";

/** Longer inputs are refused: the largest documents there are take some hundred KiB. */
export const MAX_INPUT_BYTES = 64 * 1024 ** 2;

/** Collects chunks up to the limit; `add` throws `InputError` beyond it. */
export class LimitedBytes {
  readonly #description: string;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(description: string) {
    this.#description = description;
  }

  get size(): number {
    return this.#bytes;
  }

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > MAX_INPUT_BYTES) throw tooLarge(this.#description);
    this.#chunks.push(chunk);
  }

  /** The bytes as text. Throws `InputError` when they are no UTF-8: replaced characters would not be the input any more. */
  text(): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(this.#chunks));
    } catch {
      throw new InputError(`${this.#description}: not UTF-8 text; a stats document is JSON in UTF-8`);
    }
  }
}

export function tooLarge(description: string): InputError {
  return new InputError(
    `${description}: more than ${formatBytes(MAX_INPUT_BYTES)}, which no stats document is; is it the right input?`,
  );
}

/** A source of documents from one of texts. */
export function samplesOf(source: TextSource): SampleSource {
  return {
    get description() {
      return source.description;
    },
    live: source.live,
    read: () => source.read(),
    async sample(): Promise<Sample> {
      const text = await source.read();
      return { text, document: parseDocument(text, source.description) };
    },
    close: () => source.close(),
  };
}

function parseDocument(text: string, description: string): StatsDocument {
  const content = withoutMark(text);
  if (content.trim() === "") throw new InputError(`${description}: empty; expected a stats document`);
  try {
    return readStats(content);
  } catch (error) {
    if (!(error instanceof TemporalSlabError)) throw error;
    throw new InputError(`${description}: ${printable(error.message)}${guess(content)}`);
  }
}

/** Editors on Windows put a byte order mark in front. */
export function withoutMark(text: string): string {
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}

/** What people mix up with a stats document, recognised by how it begins. */
function guess(text: string): string {
  if (/^\s*</.test(text)) return "; this is a web page or XML: name the stats document's own address";
  if (/^\s*# (HELP|TYPE) /.test(text)) return "; this is Prometheus text: the document is at /stats.json";
  return "; 'tslab validate' lists everything that is wrong with a document";
}
