/** Error codes on the wire, and who understands them. */
import { expect, test } from 'vitest';
import { type HostErrorCode, hostErrorTable, widelyKnownCode } from '../../../src/host/errors.ts';

/** What a controller of 0.1.0 understands of an agent; it takes any other code for an answer that isn't the API's. */
const codesOf010 = [
  ...['bad-request', 'client-not-allowed', 'claimed-by-other', 'not-found', 'no-such-module', 'no-such-route', 'busy'],
  ...['old-generation', 'not-running', 'unplug-unsettled', 'stale-revision', 'body-too-large', 'rejected'],
  ...['hotplug-unsupported', 'guest-memory-in-use', 'guest-memory-unknown', 'revision-required', 'too-many-requests'],
  ...['internal-error', 'hypervisor-unreachable', 'outcome-unknown', 'insufficient-host-memory'],
  'hugepages-unavailable',
];
/** Answers to what no released client asks. */
const toStrangersOnly = ['method-not-allowed'];

test('every code that an agent raises comes with one that a client of 0.1.0 understands', () => {
  const raised = (Object.keys(hostErrorTable) as HostErrorCode[]).filter(
    (code) => hostErrorTable[code].status !== null,
  );
  expect(raised.map(widelyKnownCode).filter((code) => !codesOf010.includes(code))).toEqual(toStrangersOnly);
  // The codes of 0.1.0 stay, and stand for themselves.
  for (const code of codesOf010) expect(widelyKnownCode(code as HostErrorCode)).toBe(code);
  expect(codesOf010.filter((code) => !Object.hasOwn(hostErrorTable, code))).toEqual([]);
});
