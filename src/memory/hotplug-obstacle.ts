/** Why DIMMs can't be plugged into a domain at all, and what to change, in words. */

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

/** POWER: libvirt asks for no NUMA cell there, and modules are told without ACPI. */
export const isPower = (arch: string): boolean => arch === 'ppc64' || arch === 'ppc64le';

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
      // libvirt: "ACPI requires UEFI on this architecture" (qemu_validate.c).
      return missing(`<acpi/> under <features>${arch === 'aarch64' ? ", which takes UEFI (<os firmware='efi'>)" : ''}`);
    default:
      return obstacle satisfies never;
  }
}
