/**
 * Word offsets that do not depend on the configuration: what each word is, who writes it, and why it exists.
 * `layout.ts` has the drawing; `words/` draws the bits of packed words.
 *
 * Every constant here is a literal on purpose. The build inlines literals across modules; an imported constant
 * that is not one costs a load wherever it is used. The sums they stand for are behind them, and a test
 * recomputes each.
 */
export const MAGIC = 0x424c5354; // "TSLB" in memory order
export const LAYOUT_VERSION = 4;

/** Epochs in the ring; eras start here, so that era 16 is epoch 0 and no record ever needs a negative era. */
export const RING_SIZE = 16;
export const FIRST_ERA = 16; // RING_SIZE
/** The era field of an epoch record has 30 bits. */
export const MAX_ERA = 1073741823; // 2 ** 30 - 1

// --- header: word indices -----------------------------------------------------------------------------
export const H_MAGIC = 0;
export const H_VERSION = 1;
export const H_CHECKSUM = 2;
/** 1 once the creator has written everything else; A-stored last, so an attacher never sees half a heap. */
export const H_READY = 3;
/** First and last word the checksum covers (the class sizes are added to it). */
export const H_CONFIG_FIRST = 4;
export const H_SLAB_COUNT = 4;
export const H_SLAB_SIZE = 5;
export const H_CLASS_COUNT = 6;
export const H_MAX_WORKERS = 7;
export const H_SLOTS_SHIFT = 8;
export const H_FLAGS = 9;
export const H_METADATA_PAGES = 10;
export const H_BUFFER_PAGES = 11;
export const H_HEAP_ID = 12;
export const H_CONFIG_LAST = 12;
/** With the id these tell heaps of one process apart. */
export const H_CREATED_MS_LO = 16;
export const H_CREATED_MS_HI = 17;
export const H_NONCE = 18;
/** The heap id is random and biases handle generations, so that handles of another heap are refused. */
export const HEAP_ID_BITS = 25;
export const FLAG_ZERO_ON_FREE = 1;
export const FLAG_PREFAULT = 2;

// One cache line each: PHASE is polled by every operation of every thread and must stay in shared state.
/** Bumped after every change threads must honour (advance, close, discard, reap, pressure). Only grows (mod 2^32). */
export const PHASE = 64;
/** The newest era. Only grows. */
export const ERA = 80;
/** Bumped when slabs were orphaned or hints may be lost: the next sync looks at every tag. */
export const DEEP = 96;
/** Bumped by a thread that is out of memory: give empty slabs back although their epoch is open. */
export const PRESSURE = 112;
/** Bumped after dooms were marked on slabs of a wrapped era: look at `SLAB_DOOM` of draining slabs. */
export const DOOMS = 128;
/** Bumped by a thread that finds no slab while pages of free ones are being released: releasers stop for now. */
export const WANTED = 144;
export const HEADER_WORDS = 256;

// --- ring ---------------------------------------------------------------------------------------------
export const REC_BASE = 256; // HEADER_WORDS
export const REFS_BASE = 272; // REC_BASE + RING_SIZE
export const RETAINS_BASE = 288; // REFS_BASE + RING_SIZE
export const EPOCH_BASE = 304; // RETAINS_BASE + RING_SIZE
/** Words per ring slot in the epoch table. */
export const EPOCH_WORDS = 64;
/** count<<9 | seat<<1 | busy; count selects the readable label buffer. */
export const EP_LABEL_SEQ = 0;
export const EP_LABEL_A = 16;
export const EP_LABEL_B = 32;
/** Label buffer: era it belongs to, byte length, 8 words of text, number in the registry. */
export const LABEL_ERA = 0;
export const LABEL_LENGTH = 1;
export const LABEL_TEXT = 2;
export const LABEL_ID = 10;
export const LABEL_MAX_BYTES = 31;
/** Era whose opening time follows (0 while it is being written), Unix milliseconds in two words. */
export const EP_OPEN_ERA = 1;
export const EP_OPEN_MS_LO = 2;
export const EP_OPEN_MS_HI = 3;

// --- classes ------------------------------------------------------------------------------------------
export const CLASS_SIZE_BASE = 1328; // EPOCH_BASE + RING_SIZE * EPOCH_WORDS
export const CLASS_SLOTS_BASE = 1392; // CLASS_SIZE_BASE + MAX_CLASSES + 1
/** Class field of the tag of a large run. */
export const LARGE_CLASS = 63; // MAX_CLASSES

/**
 * Labels ever used, by number, so that a slab can keep the label of an era whose ring slot went on: 0 is "no label",
 * LABEL_OTHER stands for all that found no place. Entry: 0 = empty, minus the seat = being written, or the length of
 * the text in bytes; then 8 words of text. Entries are never changed once written.
 */
export const LABEL_REGISTRY_BASE = 1472;
export const LABEL_REGISTRY_WORDS = 16;
export const MAX_LABELS = 16;
export const LABEL_NONE = 0;
export const LABEL_OTHER = 15; // MAX_LABELS - 1

/**
 * Class map: bin offset for (size + 7) >> 3, sizes up to FAST_SIZE_LIMIT. Sizes above the largest class lead to the
 * bin of large objects, which never has a current slab, so that the fast path needs no second limit.
 */
export const CLASS_MAP_BASE = 2048;
export const FAST_SIZE_LIMIT = 32768;
export const CLASS_MAP_WORDS = 4097; // FAST_SIZE_LIMIT / 8 + 1

// --- slab records -------------------------------------------------------------------------------------
/**
 * Two cache lines per slab. The first changes when the slab changes hands and is read by every thread that frees into
 * it; the second changes with every alloc and free of the owner. On one line each remote free would take the line
 * from the owner, and the owner would take it back. Two owners never share a line either (0.6x instead of 1.9x with
 * two threads).
 */
export const SLAB_WORDS = 32;
export const SLAB_SHIFT_WORDS = 5;
/** Records start at a literal index: the field version of the fast path saves a load. */
export const SLAB_BASE = 6208;
/** An always-full slab that idle bins point to, so that "no current slab" needs no test of its own. */
export const DUMMY_SLAB = 6176; // SLAB_BASE - SLAB_WORDS
/** Truth: words/slab-tag.ts. */
export const SLAB_TAG = 0;
/** Full era; A-stored while CLAIMED, constant until FREE. */
export const SLAB_ERA = 1;
/** 0 or the highest era whose discard hit this slab; only grows. */
export const SLAB_DOOM = 2;
/** Slabs in a large run (head only); A-stored by the claim before its tails. */
export const SLAB_RUN = 3;
/** Owner: `me` of the thread that may free with the fast path; 0 while draining, large, zeroing. */
export const SLAB_FAST_OWNER = 4;
/** Object size in bytes (constant while OWNED; for a large run slabs * slabSize does not fit, so 0). */
export const SLAB_OBJECT_SIZE = 5;
/** Log2 of the object size, or -1: lets offset-based free skip a division. */
export const SLAB_SIZE_SHIFT = 6;
/** 1 once any thread has used the slab. */
export const SLAB_USED = 7;
/** Owner: allocations and live objects; see counters/slab-counts.ts for this and FOLDED. */
export const SLAB_COUNTS = 16;
/** Owner: word index of the first free slot's word, 0 = none. Links are in the link words. */
export const SLAB_HEAD = 17;
/** Owner: bin that allocates from this slab; 0 while draining or large. */
export const SLAB_BIN = 18;
/** Owner: next slab of the bin's partial list, 0 = last, -1 = not in the list. A listed slab has a free list. */
export const SLAB_PARTIAL_NEXT = 19;
/** Owner: neighbours in the seat's own list of this ring slot (record indices, 0 = none). */
export const SLAB_OWN_NEXT = 20;
export const SLAB_OWN_PREV = 21;
/** Owner: slots from here on were never linked in this tenure; they are FREE or RETIRED. */
export const SLAB_CARVED = 22;
/** Slots of the slab's class; 0 for the dummy slab and large runs. */
export const SLAB_SLOTS = 23;
/** Owner: COUNTS when they last went into the class's counters. */
export const SLAB_FOLDED = 24;
/** Owner: 1 while remote frees are taken back, so that whoever adopts a dead owner's slab knows why slots are missing. */
export const SLAB_COLLECTING = 25;
/** When the slab's era was opened, in Unix seconds; 0 = unknown. Written while CLAIMED. */
export const SLAB_OPENED_SEC = 26;
/** Number of the era's label, noted by the owner when it first finds the era closed. */
export const SLAB_LABEL = 27;
/** Owner: class the slab served when it was given back, class count = part of a run. For whoever releases its pages. */
export const SLAB_LAST_CLASS = 28;

// --- seats: offsets from the seat's base --------------------------------------------------------------
export const SEAT_WORD = 0;
/** Runtime thread id + 1, or minus the ref token; 0 = unknown. A-stored after the seat was taken. */
export const SEAT_THREAD = 1;
/** Owner: last PHASE honoured. Own cache line: read by every operation. */
export const SEAT_PHASE = 16;
/** Owner: ring slot and era this thread allocates in. */
export const SEAT_EPOCH = 17;
export const SEAT_ERA = 18;
/** Holder: note of a count under way, record 0 = none; see counters/slab-counts.ts. */
export const SEAT_COMMIT_RECORD = 19;
export const SEAT_COMMIT_COUNTS = 20;
export const SEAT_COMMIT_SHARD = 21;
export const SEAT_COMMIT_ALLOCS = 22;
export const SEAT_COMMIT_FREES = 23;
export const SEAT_COMMIT_CELL = 24;
export const SEAT_COMMIT_TARGET = 25;
/** Holder: slabs taken minus slabs given back, and the note of a change under way; see counters/slab-changes.ts. */
export const SEAT_COMMITTED = 26;
export const SEAT_CHANGE_RECORD = 27;
export const SEAT_CHANGE_COMMITTED = 28;
export const SEAT_CHANGE_CELL = 29;
export const SEAT_CHANGE_TARGET = 30;
/** Holder: slabs given back so far, modulo 2^32. Others read it to see whether there may be pages to release. */
export const SEAT_GIVEN_BACK = 31;
/** Membership: era this seat is inside per ring slot, 0 = none; and nesting depth. Written by the seat or its reaper. */
export const SEAT_SREF = 32;
export const SEAT_DEPTH = 48;
/** Owner: first record of the own list per ring slot. */
export const SEAT_OWN = 64;
export const SEAT_COUNTERS = 80;

/** Slot words are addressed by 26 bits of a handle. */
export const SLOT_BITS = 26;
export const MAX_SLOTS = 67108864; // 2 ** SLOT_BITS
export const PAGE = 4096;
export const LINE_WORDS = 16;
export const MAX_FREE_LEVELS = 4;
