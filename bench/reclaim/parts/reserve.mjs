/** How much to leave warm, for requests with an epoch each. */
import { median } from "../../stats.mjs";
import { MIB } from "../bursts.mjs";
import { fixed, share, size } from "../report.mjs";

const KIB = 1024;
const RESERVES = [null, 0, 64 * KIB, 256 * KIB, MIB, 2 * MIB, 4 * MIB, 16 * MIB];
/** As in the workload: burst holds some 16 KiB per request, kernel 75 KiB. */
const REQUESTS = [16 * KIB, 75 * KIB, 256 * KIB, MIB, 4 * MIB];

export async function run({ rounds, quick, runtimes: [node], child }) {
  const requests = [];
  for (const requestBytes of REQUESTS) {
    const job = { case: "reserve", reserves: RESERVES, requestBytes, capacityMib: 64 };
    const samples = [];
    for (let round = 0; round < rounds; round++)
      samples.push(await child({ ...job, turnMs: quick ? 20 : 100, turns: 5 }, node));
    requests.push({ requestBytes, samples });
  }
  return requests;
}

export function tables(requests) {
  return requests.map(({ requestBytes, samples }) => {
    const mid = (i, name) => median(samples.map((results) => results[i][name]));
    const over = (i) => median(samples.map((r) => r[i].cpuUsPerRequest / r[0].cpuUsPerRequest));
    const rows = RESERVES.map((reserve, i) => [
      reserve === null ? "no releaser" : size(reserve),
      fixed(mid(i, "usPerRequest")),
      fixed(mid(i, "cpuUsPerRequest")),
      share(over(i) - 1),
      fixed(mid(i, "callsPerRequest"), 2),
      fixed(mid(i, "callsPerSecond"), 0),
      size(mid(i, "releasedPerRequest")),
      size(mid(i, "payload")),
    ]);
    return {
      title: `Reserve: requests of ${size(requestBytes)} in objects of 256 B, freed and closed one by one`,
      header: ["reserve", "us/request", "CPU, us", "over", "calls/request", "calls/s", "released", "stays"],
      rows,
      notes: [
        "over: processor time per request above that without a releaser. One request at a time, no pause.",
      ],
    };
  });
}
