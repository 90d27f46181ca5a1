/**
 * Defends: a wrong command line is answered with one line that names option, value and range and
 * says where to look, with exit code 2 and nothing on stdout.
 */
import { describe, expect, it } from "vitest";
import { runCli } from "../run-cli.js";

describe("bad input of tslab workload", () => {
  it.each<[args: string, message: RegExp]>([
    ["--pattern bursty", /--pattern: got "bursty"; expected one of burst, steady, leak, hotspot, kernel/],
    ["--patern burst", /--patern: unknown option; did you mean --pattern\?/],
    ["--frobnicate", /--frobnicate: unknown option;/],
    ["burst", /unexpected argument "burst"/],
    ["--threads 0", /--threads: got "0"; expected a whole number from 1 to 64/],
    ["--threads -3", /--threads: got "-3"/],
    ["--threads 65", /--threads: got "65"/],
    ["--threads 1.5", /--threads: got "1.5"; expected a whole number/],
    ["--threads two", /--threads: got "two"/],
    ["--threads", /--threads: a value is missing; expected a whole number from 1 to 64/],
    ["--duration 0", /--duration: got "0"; expected a number from 0.1 to 86400/],
    ["--duration NaN", /--duration: got "NaN"/],
    ["--req-rate -1", /--req-rate: got "-1"/],
    ["--objs-min 9 --objs-max 3", /--objs-min: got "9"; expected at most --objs-max, which is 3/],
    ["--objs-max 0", /--objs-max: got "0"/],
    ["--size 0", /--size: got "0"; expected bytes from 1/],
    ["--size 65MiB --capacity 64MiB", /--size: got "68157440"; expected at most --capacity/],
    ["--epoch-policy batch", /--epoch-policy: got "batch"; expected batch:N with N a whole number from 1/],
    ["--epoch-policy hourly", /--epoch-policy: got "hourly"; expected per_req, batch:N or manual/],
    ["--free-policy lag:0", /--free-policy: got "lag:0"; expected lag:N with N a whole number from 1/],
    ["--free-policy leak:101", /--free-policy: got "leak:101"; expected leak:PCT with PCT from 0 to 100/],
    ["--free-policy never", /--free-policy: got "never"/],
    ["--handoff 101", /--handoff: got "101"; expected a number from 0 to 100/],
    ["--handoff 10 --threads 1", /--handoff: got "10"; expected 0 with one thread/],
    ["--capacity 5GiB", /--capacity: got "5GiB"; expected bytes from 4096/],
    ["--capacity lots", /--capacity: got "lots"/],
    ["--slab-size 5000", /--slab-size must be a power of two/],
    ["--slab-size 2MiB", /--slab-size: got "2MiB"/],
    ["--size-classes 64,x", /--size-classes: got "64,x"/],
    ["--size-classes 128,64", /--size-classes/],
    ["--release sometimes", /--release: got "sometimes"; expected one of auto, none/],
    ["--reserve 5GiB", /--reserve: got "5GiB"; expected bytes from 0 to 4294967296/],
    ["--decay 10ms", /--decay: got "10ms"; expected a time from 50ms to 1h/],
    ["--no-release-on-close=1", /--no-release-on-close: got "1"; this option takes no value/],
    ["--release none --reserve 1MiB", /--reserve: means nothing with --release none/],
    ["--release none --decay 1s", /--decay: means nothing with --release none/],
    ["--release none --no-release-on-close", /--no-release-on-close: means nothing with --release none/],
    ["--seed -1", /--seed: got "-1"/],
    ["--kill-rate 0", /--kill-rate: got "0"/],
    ["--json=yes", /--json: got "yes"; this option takes no value/],
    ["--trace", /--trace: a value is missing/],
    ["--trace x.gz --pattern burst", /--pattern: cannot be combined with --trace/],
    ["--repeat 3", /--repeat: needs --trace FILE/],
  ])("%s", async (args, message) => {
    const { code, stdout, stderr } = await runCli(["workload", ...args.split(" ")]);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^tslab: workload: [^\n]+; see 'tslab workload --help'\n$/);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });
});
