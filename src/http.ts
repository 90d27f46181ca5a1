/**
 * `temporal-slab/http`: a heap's metrics, statistics, health and live page over HTTP: as a handler of the fetch standard,
 * mounted into a `node:http` server, or as a server of its own.
 */
export { InvalidTypeError, InvalidValueError, TemporalSlabError } from "./allocator/index.js";
export {
  createNodeListener,
  createTelemetryHandler,
  createTelemetryServer,
  type LiveClass,
  type LiveEpoch,
  type LiveHealth,
  type LiveHeap,
  type LiveLeak,
  type LiveRates,
  type LiveSlowPathCause,
  type LiveState,
  type LiveStateOptions,
  liveState,
  type NodeListener,
  type TelemetryAddress,
  type TelemetryHandler,
  type TelemetryHandlerOptions,
  type TelemetryServer,
  type TelemetryServerOptions,
  type TelemetrySource,
} from "./http/index.js";
