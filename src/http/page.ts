/** The live page and the policy that lets its own script and style run and nothing else. */

export interface Page {
  readonly body: Uint8Array;
  readonly policy: string;
}

let loading: Promise<Page> | undefined;

/** Loaded when it is first asked for: whoever only scrapes never reads it. */
export function loadPage(): Promise<Page> {
  loading ??= import("#live-page").then(({ livePage }) => makePage(livePage));
  // Whoever asks next tries again.
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}

/** Exported for tests. */
export async function makePage(html: string): Promise<Page> {
  const [scripts, styles] = await Promise.all([hashes(html, SCRIPT), hashes(html, STYLE)]);
  const policy = [
    "default-src 'none'",
    `script-src ${scripts}`,
    `style-src ${styles}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return { body: new TextEncoder().encode(html), policy: policy.join("; ") };
}

/** Inline elements; a script's text cannot contain its own end tag, nor can a style's. */
const SCRIPT = /<script(?![^>]*\ssrc\s*=)(?:\s[^>]*)?>([\s\S]*?)<\/script\s*>/gi;
const STYLE = /<style(?:\s[^>]*)?>([\s\S]*?)<\/style\s*>/gi;

/** As the policy names them; 'none' where there is none. */
async function hashes(html: string, element: RegExp): Promise<string> {
  const names = Array.from(html.matchAll(element), async ([, text = ""]) => {
    // Parsers turn line ends into \n before anything is hashed.
    const bytes = new TextEncoder().encode(text.replace(/\r\n?/g, "\n"));
    const digest = await crypto.subtle.digest("SHA-256", bytes);
    return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
  });
  const all = await Promise.all(names);
  return all.length === 0 ? "'none'" : all.join(" ");
}
