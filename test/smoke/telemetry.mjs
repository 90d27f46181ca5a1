// Smoke steps for temporal-slab/telemetry and /http: called by smoke.mjs with a heap.
import { createTelemetryServer } from "temporal-slab/http";
import { StatsReader } from "temporal-slab/stats";
import { metricFamilies, prometheusText } from "temporal-slab/telemetry";
import { check } from "./runtime.mjs";

export async function telemetry(heap, asyncStep) {
  const reader = StatsReader.open(heap);
  await asyncStep("telemetry: metrics of the heap", async () => {
    const text = prometheusText(reader);
    check(
      text.endsWith("\n") && text.includes(`\ntemporal_slab_heap_capacity_bytes ${heap.capacity}\n`),
      "text",
    );
    check(metricFamilies().length > 100, "families");
  });
  await asyncStep("http: page, metrics, statistics, health and an event; then an end", async () => {
    const server = createTelemetryServer(reader);
    const { url } = await server.listen();
    const get = async (path) => {
      const response = await fetch(url + path);
      check(response.status === 200, `${path} answers ${response.status}`);
      return response.text();
    };
    check((await get("")).startsWith("<!doctype html>"), "the page");
    check((await get("metrics")).includes("\ntemporal_slab_attached_workers "), "metrics");
    check(JSON.parse(await get("stats.json")).heap.capacity_bytes === heap.capacity, "statistics");
    check(JSON.parse(await get("health")).live === true, "liveness");
    const events = (await fetch(`${url}events`)).body.getReader();
    let seen = "";
    while (!/event: state\ndata: .*\n\n/.test(seen)) {
      const { done, value } = await events.read();
      check(!done, "the stream goes on");
      seen += new TextDecoder().decode(value);
    }
    await events.cancel();
    await server.close();
    check(
      await fetch(`${url}metrics`).then(
        () => false,
        () => true,
      ),
      "it has ended",
    );
  });
}
