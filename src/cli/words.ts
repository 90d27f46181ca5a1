/** Misspelt words: which known one was meant? */

/** The known word at most two edits away from `word`, if there is one. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  // A word of one or two letters is two edits away from any other.
  let bestDistance = Math.min(3, word.length);
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `; did you mean X?`, or `fallback` when nothing is near. */
export function suggestion(word: string, known: readonly string[], fallback = ""): string {
  const near = nearest(word, known);
  return near === undefined ? fallback : `; did you mean ${near}?`;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, previous[j] + 1, row[j - 1] + 1));
    }
    previous = row;
  }
  return previous[b.length];
}
