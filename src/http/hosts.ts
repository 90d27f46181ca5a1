/** Names and addresses of machines, as options, URLs and `Host` headers write them. */

/** An IPv6 address without brackets. */
function isIPv6(text: string): boolean {
  // The parser of URLs knows what is one; the rest of a URL must not get into it.
  if (!/^[\da-f:.]+$/i.test(text)) return false;
  try {
    return new URL(`http://[${text}]/`).port === "";
  } catch {
    return false;
  }
}

/** A host as options say it: lower case, without brackets and the dot of the root; undefined: none, or one with a port. */
export function hostName(text: string): string | undefined {
  const inside = /^\[(.*)\]$/.exec(text)?.[1];
  const bare = inside !== undefined && isIPv6(inside) ? inside : text.replace(/\.$/, "");
  const name = bare.toLowerCase();
  return hostOf(bracketed(name)) === name ? name : undefined;
}

/** As in URLs. */
export const bracketed = (name: string): string => (isIPv6(name) ? `[${name}]` : name);

/** Names, IPv4 addresses, bracketed IPv6 addresses; then perhaps a port. */
const HOST = /^(?:([A-Za-z0-9._-]+)|\[([0-9A-Fa-f:.]+)\])(?::\d{1,5})?$/;

/** The host of a `Host` header in lower case, without port, brackets and the dot of the root; undefined: there is none. */
export function hostOf(header: string): string | undefined {
  const match = HOST.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, "");
}

/** Whether only this machine can reach it. */
export function isLoopback(name: string): boolean {
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    name === "::1" ||
    /^127(?:\.\d{1,3}){3}$/.test(name)
  );
}
