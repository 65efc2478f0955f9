import type { GuestImage } from './guest-image.ts';

/** One NUMA node of a guest. */
export type GuestNode = { readonly mib: number; readonly vcpus: number };

export type GuestHardware = {
  readonly name: string;
  readonly uuid: string;
  readonly nodes: readonly GuestNode[];
  readonly slots: number;
  /** Null: a domain that takes no memory modules at all. */
  readonly maxMemoryMib: number | null;
  /** Null: a domain without an operating system. */
  readonly boot: (GuestImage & { readonly kernelArgs: readonly string[] }) | null;
  readonly balloon: boolean;
  /** A third serial port with a shell for people. */
  readonly terminal: boolean;
  /** XML put in as it is: into `<domain>`, and into `<devices>`. */
  readonly extraXml: string;
  readonly extraDevicesXml: string;
  readonly consoleLog: string;
  readonly shellSocket: string;
};

/** The domain XML of a guest under software emulation (TCG), so that no /dev/kvm is needed. */
export function guestXml(guest: GuestHardware): string {
  const totalMib = guest.nodes.reduce((sum, node) => sum + node.mib, 0);
  const vcpus = guest.nodes.reduce((sum, node) => sum + node.vcpus, 0);
  const maxMemory =
    guest.maxMemoryMib === null ? '' : `<maxMemory slots='${guest.slots}' unit='MiB'>${guest.maxMemoryMib}</maxMemory>`;
  return `<domain type='qemu'>
  <name>${escapeXml(guest.name)}</name>
  <uuid>${guest.uuid}</uuid>
  ${maxMemory}
  <memory unit='MiB'>${totalMib}</memory>
  <vcpu>${vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    ${guest.boot === null ? '' : bootXml(guest.boot)}
  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'>
    <model fallback='forbid'>qemu64</model>
    <numa>
      ${numaXml(guest.nodes)}
    </numa>
  </cpu>
  <on_reboot>restart</on_reboot>
  ${guest.extraXml}
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <serial type='file'><source path='${guest.consoleLog}' append='on'/><target port='0'/></serial>
    <serial type='unix'><source mode='bind' path='${guest.shellSocket}'/><target port='1'/></serial>
    ${guest.terminal ? `<serial type='pty'><target port='2'/></serial>` : ''}
    <memballoon model='${guest.balloon ? 'virtio' : 'none'}'/>
    ${guest.extraDevicesXml}
  </devices>
</domain>
`;
}

/** Text of an element. */
export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function bootXml(boot: NonNullable<GuestHardware['boot']>): string {
  return `<kernel>${boot.kernel}</kernel>
    <initrd>${boot.initramfs}</initrd>
    <cmdline>${boot.kernelArgs.join(' ')}</cmdline>`;
}

function numaXml(nodes: readonly GuestNode[]): string {
  let firstVcpu = 0;
  const cells = nodes.map((node, index) => {
    const lastVcpu = firstVcpu + node.vcpus - 1;
    const cpus = node.vcpus === 0 ? '' : ` cpus='${firstVcpu}-${lastVcpu}'`;
    firstVcpu = lastVcpu + 1;
    return `<cell id='${index}'${cpus} memory='${node.mib}' unit='MiB'/>`;
  });
  return cells.join('\n      ');
}

/** Device XML of a memory module, for tests that plug by hand. */
export function dimmXml(mib: number, alias: string, node = 0, hugePages = false): string {
  const source = hugePages ? `<source><pagesize unit='KiB'>2048</pagesize></source>` : '';
  return `<memory model='dimm'>${source}<alias name='${alias}'/><target><size unit='MiB'>${mib}</size><node>${node}</node></target></memory>`;
}
