/** Between requests and responses of the fetch standard and the handler's own. */
import type { Admission, EventSink } from "./events.js";
import type { Call, Handler } from "./handler.js";

export async function fetchReply(handler: Handler, request: Request): Promise<Response> {
  const reply = await handler.answer(callOf(request));
  const { status, headers, body, events } = reply;
  if (events === undefined)
    return new Response(body as Uint8Array<ArrayBuffer> | undefined, { status, headers });
  return new Response(streamOf(events), { status, headers });
}

function callOf(request: Request): Call {
  const header = (name: string): string | undefined => request.headers.get(name) ?? undefined;
  const { host } = new URL(request.url);
  return {
    method: request.method,
    target: request.url,
    hasBody: (request.body ?? null) !== null || saysBody(header),
    // Some runtimes keep the header to themselves; then it is in the address.
    header: (name) => (name === "host" ? (header(name) ?? host) : header(name)),
  };
}

/** Whether the headers announce a body, however short. */
export function saysBody(header: (name: string) => string | undefined): boolean {
  const length = header("content-length");
  return header("transfer-encoding") !== undefined || (length !== undefined && Number(length) !== 0);
}

/**
 * Chunks wait in the stream's queue until the connection takes them. Runtimes cancel the stream of a connection that is
 * lost; the request's signal would say so too, but with some it is aborted by every answer.
 */
function streamOf(events: Admission): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => events.open(sinkOf(controller)),
      cancel: () => events.leave(),
    },
    // The opening lines and the first event.
    { highWaterMark: 2 },
  );
}

function sinkOf(controller: ReadableStreamDefaultController<Uint8Array>): EventSink {
  let open = true;
  /** Runtimes close streams whose connection is lost, each in its own time. */
  const whileOpen = (work: () => void): void => {
    if (!open) return;
    try {
      work();
    } catch {
      open = false;
    }
  };
  return {
    ready: () => open && (controller.desiredSize ?? 0) > 0,
    write: (chunk) => whileOpen(() => controller.enqueue(chunk)),
    end: () => {
      whileOpen(() => controller.close());
      open = false;
    },
    destroy: () => {
      whileOpen(() => controller.error(new Error("the listener took nothing in for too long")));
      open = false;
    },
  };
}
