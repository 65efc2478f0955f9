/** Writes the XML of a memory module from structured fields: nothing else ever gets into a device (invariant I6). */
import { create } from 'xmlbuilder2';
import { type Bytes, isBytes, KiB } from '../../memory/bytes.ts';
import { isKeptAlias } from '../../memory/module.ts';
import { formatNodeSet } from './scaled-size.ts';

/** A module to plug. */
export type DimmRequest = {
  /** 0 to 255. */
  readonly slot: number;
  /** Must start with `ua-`: libvirt replaces any other silently. null: libvirt gives it one. */
  readonly alias: string | null;
  /** A positive multiple of 1 KiB. */
  readonly size: Bytes;
  /** Guest NUMA node; null: the guest has none, and libvirt wants none named. */
  readonly node: number | null;
  /** Size of the host pages behind it; absent: as the domain's memory backing says. */
  readonly pageSize?: Bytes;
  /** Host nodes to bind it to, not empty; absent: not bound. */
  readonly hostNodes?: readonly number[];
  /** Guest physical address; absent: QEMU's choice. */
  readonly base?: Bytes;
};

const isIndex = (value: number, max: number): boolean => Number.isInteger(value) && value >= 0 && value <= max;

/** A positive multiple of 1 KiB, whatever the type promised. */
const isWholeKiB = (size: number): boolean => isBytes(size) && size > 0 && size % KiB === 0;

function check(request: DimmRequest): void {
  const { slot, alias, size, node, pageSize, hostNodes, base } = request;
  const wrong = (what: string): never => {
    throw new RangeError(`module to plug: ${what}`);
  };
  if (!isIndex(slot, 255)) wrong(`slot ${slot} is not 0 to 255`);
  if (alias !== null && !isKeptAlias(alias)) wrong(`alias '${alias.slice(0, 80)}' is not one that libvirt keeps`);
  if (!isWholeKiB(size)) wrong(`size ${size} is not a positive multiple of 1 KiB`);
  if (node !== null && !isIndex(node, 1023)) wrong(`node ${node} is not 0 to 1023`);
  if (pageSize !== undefined && !isWholeKiB(pageSize)) wrong(`page size ${pageSize}`);
  if (base !== undefined && !isBytes(base)) wrong(`base ${String(base)}`);
  if (hostNodes !== undefined && (hostNodes.length === 0 || !hostNodes.every((host) => isIndex(host, 1023)))) {
    wrong(`host nodes [${hostNodes.join(', ')}]`);
  }
}

/**
 * The `<memory model='dimm'>` device of a request.
 * @throws RangeError that names the field when it is out of range: a fault of the caller
 */
export function writeDimmXml(request: DimmRequest): string {
  check(request);
  const { slot, alias, size, node, pageSize, hostNodes, base } = request;
  const memory = create().ele('memory', { model: 'dimm' });
  if (pageSize !== undefined || hostNodes !== undefined) {
    const source = memory.ele('source');
    if (hostNodes !== undefined) source.ele('nodemask').txt(formatNodeSet(hostNodes));
    if (pageSize !== undefined) source.ele('pagesize', { unit: 'KiB' }).txt(String(pageSize / KiB));
  }
  const target = memory.ele('target');
  target.ele('size', { unit: 'KiB' }).txt(String(size / KiB));
  if (node !== null) target.ele('node').txt(String(node));
  if (alias !== null) memory.ele('alias', { name: alias });
  const address = { type: 'dimm', slot: String(slot) };
  memory.ele('address', base === undefined ? address : { ...address, base: `0x${base.toString(16)}` });
  return memory.end({ headless: true });
}
