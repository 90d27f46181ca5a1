// Dying at one chosen access to shared memory. `worker.terminate()` ends a thread where the engine looks for it, at the
// entry of a function or the end of a loop's turn, and compiled code has few of those inside the allocator; this ends it
// right before any of its Atomics, or before an object is overwritten with zeros.
export const DEATH_CODE = 13;

/** The thread exits instead of making the access of that number. */
export function dieAtAccess(number) {
  let left = number;
  const { fill } = Uint8Array.prototype;
  Uint8Array.prototype.fill = function (...args) {
    if (--left <= 0) process.exit(DEATH_CODE);
    return fill.apply(this, args);
  };
  for (const name of ["load", "store", "compareExchange", "exchange", "add", "or", "and"]) {
    const real = Atomics[name];
    Atomics[name] = (words, index, a, b) => {
      if (--left <= 0) process.exit(DEATH_CODE);
      return real(words, index, a, b);
    };
  }
}
