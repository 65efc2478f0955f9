/**
 * What Kubernetes adds to CEL and the rules of our CRDs use: quantities (k8s.io/apiserver/pkg/cel/library/quantity.go),
 * isURL (urls.go). A quantity is a map with one member here, since the evaluator has no types of strangers.
 */
import { type CelFunc, celFunc, type CelMap, celMap, celMethod, CelScalar, mapType } from '@bufbuild/cel';

const quantity = mapType(CelScalar.STRING, CelScalar.INT);

const units: Readonly<Record<string, bigint>> = Object.fromEntries(
  ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((suffix, index) => [suffix, 1024n ** BigInt(index + 1)]),
);
const powers: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const pattern = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:(Ki|Mi|Gi|Ti|Pi|Ei)|([numkMGTPE])|[eE]([+-]?\d{1,3}))?$/;

const perUnit = 1_000_000_000n;

/** Billionths, which is as fine as a quantity can be: what is finer is rounded up, away from zero. */
function parseNanos(text: string): bigint {
  const [, sign, digits = '', binary, decimal, exponent] = pattern.exec(text) ?? [];
  if (digits === '') throw new Error(`'${text}' is not a quantity`);
  const [whole = '', fraction = ''] = digits.split('.');
  const significand = BigInt(whole + fraction) * (binary === undefined ? 1n : (units[binary] ?? 1n));
  const tens = 9 - fraction.length + (exponent === undefined ? (powers[decimal ?? ''] ?? 0) : Number(exponent));
  const divisor = 10n ** BigInt(Math.max(0, -tens));
  const nanos = (significand * 10n ** BigInt(Math.max(0, tens)) + divisor - 1n) / divisor;
  return sign === '-' ? -nanos : nanos;
}

const make = (nanos: bigint): CelMap => celMap(new Map([['nanos', nanos]]));
function nanosOf(value: CelMap): bigint {
  const nanos = value.get('nanos');
  if (typeof nanos !== 'bigint') throw new Error('not a quantity');
  return nanos;
}

/** @throws for what is no whole number, or none of 64 bits */
function asInteger(nanos: bigint): bigint {
  const value = nanos / perUnit;
  if (nanos % perUnit !== 0n || BigInt.asIntN(64, value) !== value) throw new Error('cannot convert value to integer');
  return value;
}

/** What Go's net/url takes in a host without a %, beside what is beyond ASCII (shouldEscape, encodeHost). */
const host = /^[-\w.~!$&'()*+,;=:[\]<>"\u0080-\uFFFF]*$/;
const isEscaped = (text: string): boolean => !/%(?![0-9a-f]{2})/i.test(text);

/** An absolute URI or an absolute path (Go's url.ParseRequestURI). */
function isUrl(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- what Go looks for, too
  if (/[\u0000-\u001F\u007F]/.test(text)) return false;
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:)?(.*)$/is.exec(text) ?? [];
  // Without a path it is opaque, and nothing of it is judged.
  if (!rest.startsWith('/')) return scheme !== '' && rest !== '';
  const [path = ''] = rest.split('?', 1);
  if (scheme === '' || !path.startsWith('//')) return isEscaped(path);
  const [, authority = '', below = ''] = /^\/\/([^/]*)(.*)$/s.exec(path) ?? [];
  const at = authority.lastIndexOf('@');
  const [, port = ''] = /^(?:\[[^\]]*\]|[^:]*)(:.*)?$/s.exec(authority.slice(at + 1)) ?? [];
  const isAddress = host.test(authority.slice(at + 1)) && /^(:\d*)?$/.test(port);
  return isAddress && isEscaped(authority.slice(0, at + 1)) && isEscaped(below);
}

/** The functions for an evaluator. */
export const kubernetesFunctions: readonly CelFunc[] = [
  celFunc('quantity', [CelScalar.STRING], quantity, (text) => make(parseNanos(text))),
  celMethod('compareTo', quantity, [quantity], CelScalar.INT, function (other) {
    const [ours, theirs] = [nanosOf(this), nanosOf(other)];
    return ours < theirs ? -1n : ours > theirs ? 1n : 0n;
  }),
  celMethod('sub', quantity, [quantity], quantity, function (other) {
    return make(nanosOf(this) - nanosOf(other));
  }),
  celMethod('sub', quantity, [CelScalar.INT], quantity, function (other) {
    return make(nanosOf(this) - other * perUnit);
  }),
  celMethod('asApproximateFloat', quantity, [], CelScalar.DOUBLE, function () {
    return Number(nanosOf(this)) / Number(perUnit);
  }),
  celMethod('asInteger', quantity, [], CelScalar.INT, function () {
    return asInteger(nanosOf(this));
  }),
  celFunc('isURL', [CelScalar.STRING], CelScalar.BOOL, isUrl),
];
