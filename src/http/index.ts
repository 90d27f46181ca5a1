/** Front door of the http layer. */
export { createTelemetryHandler, type TelemetryHandler } from "./handler.js";
export {
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
} from "./live-state.js";
export { createNodeListener, type NodeListener } from "./node-listener.js";
export type { TelemetryHandlerOptions, TelemetryServerOptions } from "./options.js";
export { createTelemetryServer, type TelemetryAddress, type TelemetryServer } from "./server.js";
export type { TelemetrySource } from "./snapshots.js";
