/** No stream to a daemon could be opened. */
export class DialError extends Error {
  override readonly name = 'DialError';
  /**
   * What the operating system or TLS said: ENOENT, EACCES, ECONNREFUSED, ERR_TLS_CERT_ALTNAME_INVALID, ...;
   * of several sockets that were tried, the first that is there counts. `TLS_REFUSED`: the daemon doesn't take our
   * certificate.
   */
  readonly code: string;

  constructor(message: string, code = 'UNKNOWN') {
    super(message);
    this.code = code;
  }

  /** Whether somebody is there and we, or they, don't pass: trying again soon is of no use. */
  get forbidden(): boolean {
    return /CERT|SIGNATURE|^ERR_(TLS|SSL)_|^(EACCES|EPERM|TLS_REFUSED)$/.test(this.code);
  }
}
