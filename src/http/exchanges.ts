/**
 * Requests of node:http whose answers have not been handed over to the system: one for each connection.
 *
 * An answer that is written stays in memory until the other side takes it in. Whoever sends requests without reading
 * the answers can therefore make a process keep one answer for each connection, not one for each request.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

export class Exchanges {
  readonly #busy = new Set<object>();

  /**
   * Resolves when the answer has been handed over, or can no longer be; undefined: the connection has another one under
   * way.
   */
  begin(request: IncomingMessage, response: ServerResponse): Promise<void> | undefined {
    const { socket } = request;
    // From HTTP/2 on requests share a connection, and each has a flow control of its own.
    const connection = request.httpVersionMajor > 1 ? request : socket;
    if (this.#busy.has(connection)) return undefined;
    // What the application did first took too long, or answered.
    if (socket.destroyed || response.destroyed || response.writableFinished) return Promise.resolve();
    this.#busy.add(connection);
    return new Promise((resolve) => {
      const done = (): void => {
        response.off("finish", done);
        response.off("close", done);
        socket.off("close", done);
        this.#busy.delete(connection);
        resolve();
      };
      response.on("finish", done);
      response.on("close", done);
      // An answer that waits behind another's, of the application, is never told that the connection is gone.
      socket.on("close", done);
    });
  }

  isBusy(connection: object): boolean {
    return this.#busy.has(connection);
  }
}
