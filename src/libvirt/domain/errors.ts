/**
 * How a call to libvirt fails: a closed union. Codes are classified coarsely, since libvirt gives one code to many
 * conditions (docs: facts on libvirt, section 2); texts are for people and are never parsed.
 */

/** The coarse class of an error that the daemon answered with. */
export type CallErrorClass =
  /** There is no such domain. */
  | 'DomainNotFound'
  /** There is no such device. (An absent *alias* is `Failed`: libvirt has no code of its own for it.) */
  | 'DeviceNotFound'
  /** No metadata under that namespace. */
  | 'MetadataNotFound'
  /** The domain is in the wrong state, mostly: it isn't running. */
  | 'InvalidState'
  /** Somebody else held the domain too long; asking again later is sensible. */
  | 'Busy'
  /** The daemon doesn't let us. */
  | 'Forbidden'
  /** What was asked makes no sense for this domain; asking again gives the same answer. */
  | 'Rejected'
  /** This driver or hypervisor can't do it at all. */
  | 'Unsupported'
  /** Everything else, "already gone" and "QEMU died" included: observe. */
  | 'Failed';

/** enum virErrorNumber of libvirt's virterror.h, as far as it is told apart. */
const classOfCode: Readonly<Record<number, CallErrorClass>> = {
  3: 'Unsupported', // NO_SUPPORT
  8: 'Rejected', // INVALID_ARG
  27: 'Rejected', // XML_ERROR
  29: 'Forbidden', // OPERATION_DENIED
  35: 'Rejected', // XML_DETAIL
  42: 'DomainNotFound', // NO_DOMAIN
  45: 'Forbidden', // AUTH_FAILED
  55: 'InvalidState', // OPERATION_INVALID
  67: 'Rejected', // CONFIG_UNSUPPORTED
  68: 'Busy', // OPERATION_TIMEOUT: the job lock
  74: 'Rejected', // ARGUMENT_UNSUPPORTED
  79: 'Forbidden', // AUTH_CANCELLED
  80: 'MetadataNotFound', // NO_DOMAIN_METADATA
  84: 'Unsupported', // OPERATION_UNSUPPORTED
  87: 'Busy', // RESOURCE_BUSY
  88: 'Forbidden', // ACCESS_DENIED
  92: 'Rejected', // XML_INVALID_SCHEMA
  94: 'Forbidden', // AUTH_UNAVAILABLE
  99: 'DeviceNotFound', // DEVICE_MISSING
};

/** Code and domain of libvirt's RPC layer: a call it doesn't know, or refuses before authentication. */
const rpcCode = 39;
const authenticationDomain = 47; // VIR_FROM_POLKIT: a refusal of polkit arrives with code 1

/** The class of an error by its virErrorNumber and virErrorDomain. */
function classifyCallError(code: number, domain: number): CallErrorClass {
  if (code === rpcCode) return 'Unsupported';
  if (code === 1 && domain === authenticationDomain) return 'Forbidden';
  return classOfCode[code] ?? 'Failed';
}

/** The daemon answered with an error. */
export class LibvirtCallError extends Error {
  override readonly name = 'LibvirtCallError';
  readonly kind = 'call';
  /** virErrorNumber */
  readonly code: number;
  /** virErrorDomain: the part of libvirt that it comes from */
  readonly domain: number;
  /** For people. */
  readonly text: string;
  readonly procedure: string;
  readonly class: CallErrorClass;

  constructor(error: { readonly code: number; readonly domain: number; readonly text: string }, procedure: string) {
    super(`${procedure}: ${error.text} (libvirt ${error.code}/${error.domain})`);
    this.code = error.code;
    this.domain = error.domain;
    this.text = error.text;
    this.procedure = procedure;
    this.class = classifyCallError(error.code, error.domain);
  }
}

/** The connection ended, or there was none. */
export class LibvirtDisconnectedError extends Error {
  override readonly name = 'LibvirtDisconnectedError';
  readonly kind = 'disconnected';
  readonly procedure: string;
  /** True: the call had been sent, so its outcome is unknown. False: it never was. */
  readonly sent: boolean;

  constructor(procedure: string, sent: boolean, reason: string) {
    super(`${procedure}: ${reason}${sent ? '; the outcome is unknown' : '; not sent'}`);
    this.procedure = procedure;
    this.sent = sent;
  }
}

/** No answer in time. */
export class LibvirtDeadlineError extends Error {
  override readonly name = 'LibvirtDeadlineError';
  readonly kind = 'deadline';
  readonly procedure: string;
  /** True: the call had been sent and may still run, so its outcome is unknown. False: it waited in our queue. */
  readonly sent: boolean;

  constructor(procedure: string, sent: boolean, deadlineMs: number) {
    super(`${procedure}: no answer within ${deadlineMs} ms${sent ? '; the outcome is unknown' : '; not sent'}`);
    this.procedure = procedure;
    this.sent = sent;
  }
}

/** What arrived isn't libvirt's protocol, or what should be sent can't be expressed in it (`sent` is then false). */
export class LibvirtProtocolError extends Error {
  override readonly name = 'LibvirtProtocolError';
  readonly kind = 'protocol';
  readonly procedure: string;
  readonly sent: boolean;

  constructor(procedure: string, sent: boolean, problem: string) {
    super(`${procedure}: ${problem}`);
    this.procedure = procedure;
    this.sent = sent;
  }
}

/** Every failure of a call. */
export type LibvirtError = LibvirtCallError | LibvirtDisconnectedError | LibvirtDeadlineError | LibvirtProtocolError;

/** Whether `error` is one of the closed union; everything that this room rejects with is. */
export const isLibvirtError = (error: unknown): error is LibvirtError =>
  error instanceof LibvirtCallError ||
  error instanceof LibvirtDisconnectedError ||
  error instanceof LibvirtDeadlineError ||
  error instanceof LibvirtProtocolError;

/** Whether the daemon may have done what was asked, or may still do it, although the call failed. */
export const isOutcomeUnknown = (error: LibvirtError): boolean => error.kind !== 'call' && error.sent;

/** Whether the daemon answered with an error of that class. */
export const isCallError = (error: unknown, errorClass: CallErrorClass): boolean =>
  error instanceof LibvirtCallError && error.class === errorClass;
