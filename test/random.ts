/** Random numbers for tests and for programs outside the test runner: print the seed when a test fails. */
export { randomFrom } from "../src/allocator/memory/random.js";
