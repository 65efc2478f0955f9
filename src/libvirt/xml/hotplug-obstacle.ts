/**
 * Whether DIMMs can be plugged into a domain at all. What is told to be missing can be added on that architecture and
 * machine; where nothing helps, that comes first.
 */
import { type HotplugObstacle, isPower, type Machine } from '../../memory/hotplug-obstacle.ts';
import { childOf, type XmlElement } from './tree.ts';

/**
 * Machines that take DIMMs, by architecture: those of QEMU whose pre-plug handler knows pc-dimm (hw/i386/pc.c,
 * hw/ppc/spapr.c, hw/arm/virt.c, where ACPI tells of them and 32-bit guests have none, hw/loongarch/virt.c). riscv64's
 * virt and s390x know virtio-mem only.
 */
function takesDimms({ arch, machine }: Machine): boolean {
  switch (arch) {
    case '':
    case 'x86_64':
    case 'i686':
      return !/^(microvm|isapc|none|xenfv|xenpv|nitro-enclave|nitro)/.test(machine);
    case 'ppc64':
    case 'ppc64le':
      return machine === '' || machine.startsWith('pseries');
    case 'aarch64':
    case 'loongarch64':
      return machine === '' || /^virt(-|$)/.test(machine);
    default:
      return false;
  }
}

/** What stands in the way of plugging DIMMs; null: nothing. What nobody can change comes first. */
export function findHotplugObstacle(domain: XmlElement, machine: Machine, cells: number): HotplugObstacle | null {
  if (!/^(kvm|qemu|hvf)$/.test(machine.type)) return 'NotQemu';
  if (!takesDimms(machine)) return 'NoDimmsOnMachine';
  // Memory that is plugged isn't accepted by the guest: Linux accepts hot-added memory on none of them.
  if (childOf(domain, 'launchSecurity') !== undefined) return 'Confidential';
  const maxMemory = childOf(domain, 'maxMemory');
  if (maxMemory === undefined) return 'NoMaxMemory';
  if (/^\s*0*\s*$/.test(maxMemory.attributes.get('slots') ?? '')) return 'NoSlots';
  // libvirt's qemuDomainDefValidateMemoryHotplug leaves ppc64 out.
  if (cells === 0 && !isPower(machine.arch)) return 'NoNumaNodes';
  const features = childOf(domain, 'features');
  const hasAcpi = features !== undefined && childOf(features, 'acpi') !== undefined;
  return hasAcpi || isPower(machine.arch) ? null : 'NoAcpi';
}
