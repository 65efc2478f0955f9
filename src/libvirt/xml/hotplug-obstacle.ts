/**
 * Whether DIMMs can be plugged into a domain at all, and what to change if they can't. What is advised can be changed on
 * that architecture and machine; where nothing helps, that is said.
 */
import { childOf, type XmlElement } from './tree.ts';

/** Why no module can be plugged into a domain, ever; the VM must be shut down and changed. */
export type HotplugObstacle =
  /** Not run by QEMU. */
  | 'NotQemu'
  /** The machine has no place for DIMMs. */
  | 'NoDimmsOnMachine'
  /** The guest's memory is encrypted and measured at its start. */
  | 'Confidential'
  /** No `<maxMemory>`. */
  | 'NoMaxMemory'
  /** A `<maxMemory>` without slots. */
  | 'NoSlots'
  /** No `<numa>` cell: except on ppc64 libvirt plugs memory only into a NUMA node. */
  | 'NoNumaNodes'
  /** No `<acpi/>` where the machine tells its guest of new modules through ACPI. */
  | 'NoAcpi';

/** What it is judged by. */
export type Machine = {
  /** `kvm`, `qemu`, `xen`, ... */
  readonly type: string;
  /** `x86_64`, ...; '' where the XML names none. */
  readonly arch: string;
  /** `pc-q35-7.2`, ...; '' where the XML names none. */
  readonly machine: string;
};

const isPower = (arch: string): boolean => arch === 'ppc64' || arch === 'ppc64le';

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

/** What is missing and the way out, for people. */
export function describeObstacle(
  obstacle: HotplugObstacle,
  { type, arch, machine, hasNumaNodes }: Machine & { readonly hasNumaNodes: boolean },
): string {
  // Said at once: a VM isn't shut down twice for it.
  const numa = hasNumaNodes || isPower(arch) ? '' : ' and no NUMA cell under <cpu>';
  const missing = (what: string): string =>
    `The domain has no ${what}; shut the VM down, add it and start the VM again`;
  switch (obstacle) {
    case 'NotQemu':
      return `The domain's type is ${type}: memory modules can be plugged into QEMU's machines only (kvm, qemu)`;
    case 'NoDimmsOnMachine':
      return `Machine ${machine === '' ? '(not named)' : machine} of ${arch} takes no memory modules: its size can't be changed while it runs`;
    case 'Confidential':
      return 'The guest is confidential (<launchSecurity>): memory that is plugged is never accepted by it, so its size is fixed while it runs';
    case 'NoMaxMemory':
      return missing(`<maxMemory slots="...">${numa}`);
    case 'NoSlots':
      return missing(`slots in its <maxMemory>${numa}`);
    case 'NoNumaNodes':
      return missing('NUMA cell under <cpu>');
    case 'NoAcpi':
      return missing('<acpi/> under <features>');
    default:
      return obstacle satisfies never;
  }
}
