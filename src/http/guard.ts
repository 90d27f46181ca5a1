/** Who may ask: the request's host and its token. */
import { hostOf } from "./hosts.js";
import { LONGEST_TOKEN } from "./options.js";

export interface GuardOptions {
  readonly token: string | undefined;
  readonly allowedHosts: readonly string[] | undefined;
}

export class Guard {
  readonly #token: string | undefined;
  readonly #hosts: ReadonlySet<string> | undefined;
  /** Of this guard only: nobody outside can tell what its digests will be. */
  readonly #salt = crypto.getRandomValues(new Uint8Array(32));
  #expected: Promise<Uint8Array> | undefined;

  constructor({ token, allowedHosts }: GuardOptions) {
    this.#token = token;
    this.#hosts = allowedHosts === undefined ? undefined : new Set(allowedHosts);
  }

  get asksForToken(): boolean {
    return this.#token !== undefined;
  }

  /**
   * A browser sends the name it looked up, so a stranger's page whose name was made to point here gives itself away.
   * Requests without a host come from no browser; where hosts matter they are refused all the same.
   */
  admitsHost(header: string | undefined): boolean {
    if (this.#hosts === undefined) return true;
    const host = hostOf(header ?? "");
    return host !== undefined && this.#hosts.has(host);
  }

  /** Whether an `Authorization` header holds the token; true when none is asked for. */
  async admitsToken(header: string | undefined): Promise<boolean> {
    if (this.#token === undefined) return true;
    const given = /^bearer +(\S+)$/i.exec(header ?? "")?.[1];
    if (given === undefined || given.length > LONGEST_TOKEN) return false;
    this.#expected ??= this.#digest(this.#token);
    const [a, b] = await Promise.all([this.#digest(given), this.#expected]);
    // Digests, so that the time it takes says nothing about the token; all of their bytes, for the same reason.
    let difference = 0;
    for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
    return difference === 0;
  }

  async #digest(token: string): Promise<Uint8Array> {
    const text = new TextEncoder().encode(token);
    const bytes = new Uint8Array(this.#salt.length + text.length);
    bytes.set(this.#salt);
    bytes.set(text, this.#salt.length);
    return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  }
}
