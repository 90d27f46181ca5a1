/** Front door of the threads layer: owner words and waiting, for what several attached threads share besides the heap. */
export {
  type AbortSignalLike,
  checkHeap,
  checkKeys,
  checkOptionKeys,
  checkWaitOptions,
  isSignal,
  stringOption,
  type WaitOptions,
} from "./options.js";
export {
  isGone,
  OwnerWords,
  ownerIncarnation,
  ownerSeat,
  ownerWord,
  type SeatHolder,
  type SeatSource,
  UNOWNED,
} from "./owners.js";
export {
  deadlineAfter,
  LONGEST_TIMER_MS,
  RECHECK_MS,
  timeLeft,
  waitAsync,
  waitBlocking,
  wake,
} from "./waiting.js";
