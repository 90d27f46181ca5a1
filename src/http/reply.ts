/** What is answered, before it takes the shape of a runtime's response. */
import type { Admission } from "./events.js";

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent: no content. */
  readonly body?: Uint8Array;
  /** Instead of a body: events follow for as long as the connection lasts. */
  readonly events?: Admission;
}

const HOUSE_RULES = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
} as const;

const NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** The headers every answer has; `policy`: what a browser may do with the content, by default nothing. */
export function houseHeaders(policy = NO_CONTENT_POLICY): Record<string, string> {
  return { ...HOUSE_RULES, "content-security-policy": policy };
}

const encoder = new TextEncoder();

export function textReply(
  status: number,
  contentType: string,
  text: string | Uint8Array,
  policy?: string,
): Reply {
  const body = typeof text === "string" ? encoder.encode(text) : text;
  const headers = { ...houseHeaders(policy), "content-type": contentType };
  return { status, headers: { ...headers, "content-length": String(body.length) }, body };
}

export const JSON_TYPE = "application/json; charset=utf-8";

/** A refusal or failure, in words. `message` never repeats anything that came with the request. */
export function errorReply(
  status: number,
  error: string,
  message: string,
  extra: Readonly<Record<string, string>> = {},
): Reply {
  const reply = textReply(status, JSON_TYPE, `${JSON.stringify({ error, message })}\n`);
  return { ...reply, headers: { ...reply.headers, ...extra } };
}
