/**
 * Who may use the console: whoever brings a code that was printed on the terminal, once and within a minute, gets a secret,
 * and with the secret may ask. Kept in this process only.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../runtime/clock.ts';

/** A link is good for so long. */
export const codeLifeMs = 60_000;
/** More tabs than a person has: the oldest session ends. */
const mostSessions = 32;
const mostCodes = 16;
/** 256 bits: nobody guesses them, so that wrong ones need not be counted. */
const secretBytes = 32;

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();

export type SessionsOptions = {
  readonly clock: Clock;
  /** So many random bytes, that nobody can foresee. */
  readonly random: (bytes: number) => Buffer;
};

export class Sessions {
  readonly #options: SessionsOptions;
  /** Of what was handed out only digests are kept. */
  #codes: readonly { readonly digest: Buffer; readonly untilMs: number }[] = [];
  #secrets: readonly Buffer[] = [];

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** A new code for a link. */
  newCode(): string {
    const code = this.#options.random(secretBytes).toString('base64url');
    const untilMs = this.#options.clock.monotonic() + codeLifeMs;
    this.#codes = [...this.#codes.slice(1 - mostCodes), { digest: digestOf(code), untilMs }];
    return code;
  }

  /** A session's secret for a code, which is worth nothing from then on; null: it was used, is late, or never was. */
  open(code: string): string | null {
    const now = this.#options.clock.monotonic();
    const digest = digestOf(code);
    const known = this.#codes.filter(({ untilMs }) => untilMs > now);
    this.#codes = known.filter((each) => !timingSafeEqual(each.digest, digest));
    if (this.#codes.length === known.length) return null;
    const secret = this.#options.random(secretBytes).toString('base64url');
    this.#secrets = [...this.#secrets.slice(1 - mostSessions), digestOf(secret)];
    return secret;
  }

  /** Whether a request with this `Authorization` header may go on. */
  admits(authorization: string | undefined): boolean {
    const [, secret] = /^Bearer ([\w-]{1,256})$/i.exec(authorization ?? '') ?? [];
    if (secret === undefined) return false;
    const digest = digestOf(secret);
    return this.#secrets.filter((each) => timingSafeEqual(each, digest)).length > 0;
  }
}
