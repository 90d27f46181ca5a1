/** The little arithmetic that turns samples into figures. */

export function median(numbers) {
  const sorted = Float64Array.from(numbers).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** One contender's rounds in one row: typical and best figure, and the rounds themselves. */
export function summarize(rounds, higherIsBetter = false) {
  const values = rounds.map((round) => round.value);
  const all = rounds.flatMap((round) => round.samples);
  const metrics = {};
  for (const name of Object.keys(rounds[0].metrics ?? {}))
    metrics[name] = median(rounds.map((round) => round.metrics[name]));
  const best = all.reduce((a, b) => (higherIsBetter ? Math.max(a, b) : Math.min(a, b)));
  return { median: median(values), best, values, metrics };
}

/**
 * Ours divided by theirs, round by round, then the median of those.
 * Rounds of two contenders run one after the other, so what slows the machine for a while hits both.
 */
export function ratioOf(ours, theirs) {
  const rounds = Math.min(ours.values.length, theirs.values.length);
  return median(ours.values.slice(0, rounds).map((value, i) => value / theirs.values[i]));
}

/** Takes the timer's own median off every quantile of a tail measurement. */
export function tailResult(timer, raw) {
  const metrics = { timerP50: timer.p50, timerP999: timer.p999 };
  for (const [name, ns] of Object.entries(raw)) metrics[name] = Math.max(0, ns - timer.p50);
  return { value: metrics.p999, samples: [metrics.p999], metrics };
}
