// Holds stamped blocks of a pool, moves, trades, checks and frees them: what every thread of a test does.
// Plain JavaScript because worker threads load it without a transform; holder.d.mts has the types.
import { Random, stamp, stampProblem } from "../../threads/workers/shared.mjs";

/** Room for a block's bytes in a mailbox cell, beside its pointer. */
const BYTES = 2 ** 20;

export class Holder {
  constructor({ control, mailbox, owner, seed, most, largest }) {
    this.control = control;
    this.mailbox = mailbox;
    this.owner = owner;
    this.random = new Random(seed);
    this.most = most;
    this.largest = largest;
    this.serial = 0;
    /** { pointer, bytes, owner, serial } */
    this.blocks = [];
  }

  step(pool) {
    const dice = this.random.below(20);
    if (dice < 8 && this.blocks.length < this.most) this.take(pool);
    else if (dice < 12) this.drop(pool);
    else if (dice < 16) this.move(pool);
    else if (dice < 19) this.trade(pool);
    else this.misuse(pool);
  }

  /** Mostly small, now and then several slabs; whole words, at least a stamp. */
  size() {
    const limit = this.random.below(8) === 0 ? this.largest : 300;
    return 8 + 4 * this.random.below(limit / 4);
  }

  take(pool) {
    const bytes = this.size();
    const way = this.random.below(3);
    let pointer = 0;
    if (way === 0) pointer = pool.malloc(bytes);
    else if (way === 1) pointer = pool.mallocAs("i32", bytes / 4)?.byteOffset ?? 0;
    else {
      pointer = pool.calloc(bytes);
      const dirty = pool.heap.u8.subarray(pointer, pointer + bytes).findIndex((byte) => byte !== 0);
      if (pointer !== 0 && dirty >= 0) this.control.fail(`calloc: byte ${dirty} of ${pointer} is not 0`);
    }
    if (pointer === 0) this.drop(pool);
    else this.keep(pool, pointer, bytes);
  }

  keep(pool, pointer, bytes) {
    const block = { pointer, bytes, owner: this.owner, serial: ++this.serial };
    stamp(pool.heap.i32, pointer, bytes, block.owner, block.serial);
    this.blocks.push(block);
  }

  drop(pool) {
    const block = this.pick();
    if (block !== undefined) this.release(pool, block);
  }

  pick() {
    if (this.blocks.length === 0) return undefined;
    const i = this.random.below(this.blocks.length);
    const block = this.blocks[i];
    this.blocks[i] = this.blocks[this.blocks.length - 1];
    this.blocks.pop();
    return block;
  }

  release(pool, block) {
    this.check(pool, block);
    const freed = this.random.below(2) === 0 ? block.pointer : new Uint8Array(pool.buf, block.pointer, 1);
    if (!pool.free(freed)) this.control.fail(`free(${block.pointer}) of ${block.bytes} bytes was false`);
  }

  move(pool) {
    const block = this.pick();
    if (block === undefined) return;
    this.check(pool, block);
    const bytes = this.size();
    const pointer = pool.realloc(block.pointer, bytes);
    if (pointer === 0) {
      this.check(pool, block);
      this.blocks.push(block);
      return;
    }
    this.check(pool, { ...block, pointer, bytes: Math.min(bytes, block.bytes) });
    this.keep(pool, pointer, bytes);
  }

  /** Puts a block into a cell and keeps, or frees, what another thread had put there. */
  trade(pool) {
    const mine = this.pick();
    if (mine !== undefined) this.check(pool, mine);
    const given = mine === undefined ? 0 : mine.pointer * BYTES + mine.bytes;
    const got = this.unpack(pool, this.mailbox.swap(this.random.below(1 << 16), given));
    if (got === undefined) return;
    if (this.random.below(3) === 0) this.blocks.push(got);
    else this.release(pool, got);
  }

  unpack(pool, cell) {
    if (cell === 0) return undefined;
    const pointer = Math.floor(cell / BYTES);
    const [owner, serial] = pool.heap.i32.subarray(pointer / 4, pointer / 4 + 2);
    return { pointer, bytes: cell % BYTES, owner, serial };
  }

  misuse(pool) {
    const block = this.blocks[this.random.below(Math.max(1, this.blocks.length))];
    if (block === undefined) return;
    const inside = block.pointer + 1 + this.random.below(block.bytes - 1);
    if (pool.free(inside))
      this.control.fail(`free(${inside}), inside the block at ${block.pointer}, was true`);
    if (pool.realloc(inside, 8) !== 0) this.control.fail(`realloc(${inside}) was not 0`);
  }

  check(pool, { pointer, bytes, owner, serial }) {
    const problem = stampProblem(pool.heap.i32, pointer, bytes, owner, serial);
    if (problem !== "") this.control.fail(`thread ${this.owner}: ${problem}`);
  }

  checkAll(pool) {
    for (const block of this.blocks) this.check(pool, block);
  }

  /** Frees all it holds, and with `cells` all that is in the mailbox. */
  dropAll(pool, cells = 0) {
    for (const block of this.blocks.splice(0)) this.release(pool, block);
    for (let cell = 0; cell < cells; cell++) {
      const block = this.unpack(pool, this.mailbox.swap(cell, 0));
      if (block !== undefined) this.release(pool, block);
    }
  }
}
