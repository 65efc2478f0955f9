/**
 * Reads what memory needs from a domain's XML, whatever else is in it. Only what is read can be malformed; every other
 * element and device is passed over.
 */
import { type Bytes, sumBytes, TiB } from '../../memory/bytes.ts';
import type { NodeMemory } from '../../memory/module.ts';
import { emptyOperationState } from '../../memory/operation-state.ts';
import { sumOfDevices } from '../../memory/memory-devices.ts';
import { readBacking } from './backing.ts';
import { readCommandLineDevices } from './command-line.ts';
import type { DomainMemoryXml, OtherMemoryDevice, XmlResult } from './domain-memory.ts';
import { findHotplugObstacle } from './hotplug-obstacle.ts';
import { type MemoryDevices, readMemoryDevices } from './memory-devices.ts';
import { countOf, descend, DomainXmlError, maxNode, maxSlot, quote, requireChild, sizeOf } from './reading.ts';
import { findGuestSystem } from './guest-system.ts';
import { leaderNamespace, readLeaderElement } from './leader.ts';
import { maxPeriodSeconds, periodNamespace, readPeriodElement } from './statistics-period.ts';
import { parseScaledSize } from './scaled-size.ts';
import { stateNamespace } from './operation-state.ts';
import { ownerNamespace, readOwnerElement } from './owner.ts';
import { readStateElement } from './read-operation-state.ts';
import type { Outline } from './parts.ts';
import { childOf, childrenOf, parseXml, type XmlElement, type XmlElements } from './tree.ts';
import { isUuid } from '../rpc/xdr.ts';

/** Of most devices only their types: who else has to map the guest's memory, or pins it. */
const deviceOutline: Outline = new Map<string, Outline | 'whole'>([
  ['memory', 'whole'],
  ['memballoon', 'whole'],
  ...['hostdev', 'interface', 'disk'].map((name) => [name, new Map()] as const),
  ...['filesystem', 'video'].map((name) => [name, new Map([['driver', 'whole']] as const)] as const),
]);

/** What is read of a domain. Modules and marks come and go one by one, so that each is a part of its own. */
const outline: Outline = new Map<string, Outline | 'whole'>([
  ...['name', 'uuid', 'memory', 'currentMemory', 'maxMemory', 'memoryBacking', 'os', 'features', 'cpu'].map(
    (name) => [name, 'whole'] as const,
  ),
  ...['memtune', 'numatune', 'launchSecurity', 'qemu:commandline'].map((name) => [name, 'whole'] as const),
  ['metadata', new Map([['*', new Map([['*', 'whole']])]])],
  ['devices', deviceOutline],
]);

const beyondLimits = (8191 * TiB) as Bytes;

function readBootCells(domain: XmlElement): NodeMemory[] {
  const cpu = childOf(domain, 'cpu');
  const numa = cpu === undefined ? undefined : childOf(cpu, 'numa');
  const cells = childrenOf(numa, 'cell').map((cell, index): NodeMemory => {
    const path = `cpu/numa/cell[${index}]`;
    const memory = cell.attributes.get('memory');
    const size = parseScaledSize(memory ?? '', cell.attributes.get('unit'));
    if (size === null) throw new DomainXmlError(`${path}/@memory`, `${quote(memory ?? '')} is not a size of memory`);
    // libvirt numbers cells by their order where the id is left out.
    const id = cell.attributes.get('id');
    return { node: id === undefined ? index : countOf(id, maxNode, `${path}/@id`), size };
  });
  if (new Set(cells.map((cell) => cell.node)).size !== cells.length) {
    throw new DomainXmlError('cpu/numa/cell', 'names a node twice');
  }
  return cells.sort((a, b) => a.node - b.node);
}

/** Boot memory of a domain without NUMA cells: what `<memory>` says, less the devices that it counts in. */
function readFlatBoot(domain: XmlElement, devices: MemoryDevices): NodeMemory[] {
  const total = sizeOf(requireChild(domain, 'memory', ''), 'memory');
  const plugged = sumBytes([...devices.modules, ...devices.others].map((device) => device.size));
  if (plugged > total) throw new DomainXmlError('memory', 'is less than the memory devices together');
  return [{ node: 0, size: (total - plugged) as Bytes }];
}

function readMaxMemory(domain: XmlElement): DomainMemoryXml['maxMemory'] {
  const element = childOf(domain, 'maxMemory');
  if (element === undefined) return null;
  const slots = countOf(element.attributes.get('slots') ?? '0', maxSlot + 1, 'maxMemory/@slots');
  return { size: limitOf(element, 'maxMemory'), slots };
}

/** A limit: beyond 2^53 - 1 bytes it limits nothing (libvirt writes "no limit" as 2^53 - 1 KiB). */
function limitOf(element: XmlElement, path: string): Bytes {
  const unit = element.attributes.get('unit');
  const isBeyond = /^\s*\d{1,20}\s*$/.test(element.text) && parseScaledSize('1', unit) !== null;
  return isBeyond && parseScaledSize(element.text, unit) === null ? beyondLimits : sizeOf(element, path);
}

function readBalloon(domain: XmlElement): DomainMemoryXml['balloon'] {
  const devices = childOf(domain, 'devices');
  const balloon = devices && childOf(devices, 'memballoon');
  const model = balloon?.attributes.get('model');
  if (balloon === undefined || model === undefined || model === 'none') return null;
  const period = childOf(balloon, 'stats')?.attributes.get('period');
  return {
    model,
    statsPeriodSeconds:
      period === undefined ? 0 : countOf(period, maxPeriodSeconds, 'devices/memballoon/stats/@period'),
  };
}

function findMetadata(domain: XmlElement, namespace: string): XmlElement | undefined {
  return childOf(domain, 'metadata')?.children.find((child) => child.namespace === namespace);
}

function readRunningId(domain: XmlElement): number | null {
  const id = domain.attributes.get('id');
  return id === undefined || id.trim() === '-1' ? null : countOf(id, 0x7fffffff, '@id');
}

function readUuid(domain: XmlElement, isNeeded: boolean): string {
  if (!isNeeded && childOf(domain, 'uuid') === undefined) return '';
  const uuid = requireChild(domain, 'uuid', '').text.trim().toLowerCase();
  if (!isUuid(uuid)) throw new DomainXmlError('uuid', `${quote(uuid)} is not a UUID`);
  return uuid;
}

function readDomain(domain: XmlElement, needsUuid: boolean): DomainMemoryXml {
  if (domain.name !== 'domain') throw new DomainXmlError(domain.name, 'is not a domain');
  const type = domain.attributes.get('type');
  if (type === undefined) throw new DomainXmlError('@type', 'is missing');
  const uuid = readUuid(domain, needsUuid);
  const id = readRunningId(domain);
  const os = childOf(domain, 'os');
  const osType = os && childOf(os, 'type');
  const arch = osType?.attributes.get('arch') ?? '';

  const devices = readMemoryDevices(domain);
  const cells = readBootCells(domain);
  const machine = { type, arch, machine: osType?.attributes.get('machine') ?? '' };
  const slots = [...devices.modules, ...devices.others].flatMap(({ slot }) => slot ?? []);
  const others = [
    ...devices.others,
    ...readCommandLineDevices(domain, slots).map((device): OtherMemoryDevice => ({ ...device, base: null })),
  ];
  const limit = descend(domain, 'memtune', 'hard_limit');
  const hardLimit = limit === undefined ? beyondLimits : limitOf(limit, 'memtune/hard_limit');
  const boot = cells.length > 0 ? cells : readFlatBoot(domain, devices);
  const current = childOf(domain, 'currentMemory');
  const state = findMetadata(domain, stateNamespace);
  const owner = findMetadata(domain, ownerNamespace);
  const period = findMetadata(domain, periodNamespace);
  const leader = findMetadata(domain, leaderNamespace);
  const guestSystem = findGuestSystem(domain);

  return {
    uuid,
    name: requireChild(domain, 'name', '').text,
    id,
    ...machine,
    maxMemory: readMaxMemory(domain),
    hotplugObstacle: findHotplugObstacle(domain, machine, cells.length),
    boot,
    hasNumaNodes: cells.length > 0,
    modules: devices.modules,
    others,
    otherTotal: sumOfDevices(others, 'total'),
    currentMemory:
      current === undefined
        ? sumBytes([...boot, ...devices.modules, ...devices.others].map((part) => part.size))
        : sizeOf(current, 'currentMemory'),
    backing: readBacking(domain),
    hardLimit: hardLimit === beyondLimits ? null : hardLimit,
    balloon: readBalloon(domain),
    ...(guestSystem === null ? {} : { guestSystem }),
    periodToRestore: period === undefined ? null : readPeriodElement(period),
    leader: leader === undefined ? null : readLeaderElement(leader),
    state: state === undefined ? { ok: true, value: emptyOperationState } : readStateElement(state),
    ownerNamespace: owner === undefined ? { ok: true, value: null } : readOwnerElement(owner),
  };
}

/**
 * What Dimmer needs of a domain's XML, or the element that can't be read and why. Sizes in exact bytes.
 * Never throws, whatever the text is.
 * @param elements what was read of the same domain before
 */
export function readDomainMemory(xml: string, elements?: XmlElements): XmlResult<DomainMemoryXml> {
  const parsed = parseXml(xml, outline, elements);
  if (!parsed.ok) return { ok: false, error: { path: 'domain', problem: parsed.error } };
  return attempt(() => readDomain(parsed.value, true));
}

/** Documents that have a domain inside: libvirt's own state of a running one, snapshots and checkpoints. */
const wrappers: ReadonlySet<string> = new Set(['domstatus', 'domainsnapshot', 'domaincheckpoint']);

/** {@link readDomainMemory} for a document as people have it: without a UUID (then it is ''), or in one of `wrappers`. */
export function readDomainDocument(xml: string): XmlResult<DomainMemoryXml> {
  const parsed = parseXml(xml, new Map([['domain', outline], ...outline]));
  if (!parsed.ok) return { ok: false, error: { path: 'domain', problem: parsed.error } };
  const root = parsed.value;
  return attempt(() => readDomain(wrappers.has(root.name) ? requireChild(root, 'domain', root.name) : root, false));
}

function attempt(read: () => DomainMemoryXml): XmlResult<DomainMemoryXml> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof DomainXmlError) return { ok: false, error: { path: error.path, problem: error.message } };
    // Sums past 2^53 - 1.
    if (error instanceof RangeError) return { ok: false, error: { path: 'memory', problem: error.message } };
    throw error;
  }
}
