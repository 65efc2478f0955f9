/**
 * The sizes that a definition will have once the VM is started: libvirt rounds them up (qemuDomainAlignMemorySizes in
 * qemu_domain.c).
 */
import type { DomainMemoryXml } from '../libvirt/xml/domain-memory.ts';
import { type Bytes, ceilTo, isBytes, mib } from '../memory/bytes.ts';
import { sumOfDevices } from '../memory/memory-devices.ts';

/** Boot memory goes by 1 MiB and devices by 2 MiB; on POWER all by the logical memory block of pseries. */
const unitsOf = (arch: string): { readonly boot: Bytes; readonly device: Bytes } =>
  arch.startsWith('ppc64') ? { boot: mib(256), device: mib(256) } : { boot: mib(1), device: mib(2) };

/** A domain as it will be when it is started; one that runs is as it is. @throws RangeError for sizes beyond 2^53 - 1 */
export function alignAtStart(domain: DomainMemoryXml): DomainMemoryXml {
  if (domain.id !== null) return domain;
  const unit = unitsOf(domain.arch);
  const { maxMemory } = domain;
  const others = domain.others.map((device) => ({
    ...device,
    size: ceilTo(device.size, unit.device),
    // What virtio-mem gives is a matter of its own blocks.
    ...(device.given < device.size ? {} : { given: ceilTo(device.given, unit.device) }),
  }));
  const limit = maxMemory === null ? 0 : Math.ceil(maxMemory.size / unit.boot) * unit.boot;
  return {
    ...domain,
    boot: domain.boot.map(({ node, size }) => ({ node, size: ceilTo(size, unit.boot) })),
    modules: domain.modules.map((module) => ({ ...module, size: ceilTo(module.size, unit.device) })),
    others,
    otherTotal: sumOfDevices(others, 'total'),
    maxMemory: maxMemory !== null && isBytes(limit) ? { ...maxMemory, size: limit } : maxMemory,
  };
}
