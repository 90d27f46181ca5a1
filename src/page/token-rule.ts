/** What a token looks like, as the server has it (src/http/options.ts): anything else no service can have asked for. */

export const TOKEN_RULE = "8 to 512 characters of A-Z a-z 0-9 - . _ ~ + / with = at the end only";

/** Whether `text` can be a token. What cannot is not sent either: a header takes no letters beyond Latin-1. */
export const isToken = (text: string): boolean =>
  text.length >= 8 && text.length <= 512 && /^[A-Za-z0-9\-._~+/]+=*$/.test(text);
