/**
 * Who is let in before anything else about a request is looked at. A page of somebody else's, on another port of this
 * machine or behind a name that it made point here, must get nothing. Cookies are never looked at: they know no ports. Pure.
 */

export type Head = {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `sec-fetch-site`: what a browser says of who asks. */
  readonly site: string | undefined;
};

export type GuardOptions = {
  readonly scheme: 'http' | 'https';
  /** Whether this is a name of ours, without its port: in lower case, an IPv6 address without brackets. */
  readonly isOurName: (name: string) => boolean;
};

/** Why a request is refused, for people; null: it isn't. */
export type Refusal = string | null;

/** Names that nobody else can make point here: by no DNS. */
export const isLoopbackName = (name: string): boolean => name === '127.0.0.1' || name === '::1' || name === 'localhost';

const hostPattern = /^(?:\[(?<six>[0-9a-f:.]+)\]|(?<name>[0-9a-z.-]+))(?::\d{1,5})?$/i;

/** The name in a Host header; null: it is none. */
function nameIn(host: string): string | null {
  const { six, name } = hostPattern.exec(host)?.groups ?? {};
  return (six ?? name ?? null)?.toLowerCase() ?? null;
}

/** Judges every request, whatever it asks for. */
export function judgeHead({ host, origin }: Head, { scheme, isOurName }: GuardOptions): Refusal {
  const name = host === undefined ? null : nameIn(host);
  // DNS rebinding: the browser thinks that it asks whoever has that name.
  if (host === undefined || name === null || !isOurName(name)) return 'This is not where the console is: use its link';
  // By whatever port a tunnel makes it reachable: page and server must have the same.
  if (origin !== undefined && origin.toLowerCase() !== `${scheme}://${host.toLowerCase()}`) {
    return 'Another page may not ask the console';
  }
  return null;
}

/** Judges what isn't one of the page's own files. A browser says who asks even where it sends no Origin. */
export const judgeSite = ({ site }: Head): Refusal =>
  site === undefined || site === 'same-origin' ? null : 'Another page may not ask the console';
