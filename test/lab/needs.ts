import { globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chartTools } from './chart-tools.ts';
import { CONTROL_PLANE_MISSING, findControlPlane } from './control-plane-binaries.ts';
import { fluxTools } from './flux-tools.ts';
import { findForeignDefinitions, FOREIGN_DEFINITIONS_MISSING } from './foreign-definitions.ts';
import { findGo } from './go-toolchain.ts';
import { findGuestAgentImage } from './guest-agent-image.ts';
import { findGuestImage } from './guest-image.ts';
import { namespaceProblem } from './namespaces.ts';
import { findReleasedProgram, releasedProgramProblem } from './released-program.ts';
import { SEARCH_PATH } from './run.ts';
import { hasShippedLibvirt } from './shipped-libvirt.ts';
import { findStrangers } from './strangers.ts';
import { watchTools } from './watch-tools.ts';

/** The parts of the lab; a test names those that it needs. */
export type LabPart =
  | 'browser'
  | 'chart-tools'
  | 'containers'
  | 'control-plane'
  | 'flux'
  | 'guest-agent'
  | 'hypervisor'
  | 'machine'
  | 'packagers'
  | 'released'
  | 'shells'
  | 'strangers'
  | 'watch-tools';

/** What it takes to run the whole product. */
export const STACK_PARTS: readonly LabPart[] = ['control-plane', 'hypervisor'];
/** What it takes to run all tests. */
export const ALL_PARTS: readonly LabPart[] = [
  ...STACK_PARTS,
  'chart-tools',
  'containers',
  'guest-agent',
  'machine',
  'browser',
  'flux',
  'packagers',
  'released',
  'shells',
  'strangers',
  'watch-tools',
];

/** A program or file that the lab uses, and the Debian packages that bring it. */
type Need = { readonly files: string; readonly packages: readonly string[]; readonly parts: readonly LabPart[] };

const HYPERVISOR: readonly LabPart[] = ['hypervisor'];
const MACHINE: readonly LabPart[] = ['machine'];
const CONTAINERS: readonly LabPart[] = ['containers'];
const SHELLS: readonly LabPart[] = ['shells'];
const PACKAGERS: readonly LabPart[] = ['packagers'];
const STRANGERS: readonly LabPart[] = ['strangers'];
const BROWSER: readonly LabPart[] = ['browser'];
const NAMESPACED: readonly LabPart[] = [...HYPERVISOR, ...MACHINE];
// `files`: a command to be found on the PATH, or a glob from the root.
const NEEDS: readonly Need[] = [
  { files: 'setpriv', packages: ['util-linux'], parts: ALL_PARTS },
  { files: 'flock', packages: ['util-linux'], parts: ALL_PARTS },
  { files: 'openssl', packages: ['openssl'], parts: ALL_PARTS },
  { files: 'libvirtd', packages: ['libvirt-daemon'], parts: HYPERVISOR },
  {
    files: '/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so',
    packages: ['libvirt-daemon-driver-qemu'],
    parts: HYPERVISOR,
  },
  { files: 'virsh', packages: ['libvirt-clients'], parts: HYPERVISOR },
  { files: 'qemu-system-x86_64', packages: ['qemu-system-x86'], parts: HYPERVISOR },
  { files: 'ip', packages: ['iproute2'], parts: HYPERVISOR },
  { files: 'mount', packages: ['mount'], parts: NAMESPACED },
  { files: 'xmllint', packages: ['libxml2-utils'], parts: HYPERVISOR },
  { files: '/lib/systemd/systemd', packages: ['systemd'], parts: MACHINE },
  { files: 'useradd', packages: ['passwd'], parts: MACHINE },
  { files: '/lib/systemd/system/dbus.service', packages: ['dbus'], parts: MACHINE },
  { files: '/lib/systemd/system/polkit.service', packages: ['polkitd'], parts: MACHINE },
  { files: 'podman', packages: ['podman'], parts: CONTAINERS },
  { files: 'runc', packages: ['runc'], parts: CONTAINERS },
  { files: 'bash', packages: ['bash'], parts: SHELLS },
  { files: 'zsh', packages: ['zsh'], parts: SHELLS },
  { files: 'fish', packages: ['fish'], parts: SHELLS },
  { files: '/usr/bin/chromium', packages: ['chromium'], parts: BROWSER },
  // What a page is drawn with: screenshots of two machines are alike where both have it.
  { files: '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf', packages: ['fonts-dejavu-core'], parts: BROWSER },
  { files: 'dpkg-deb', packages: ['dpkg'], parts: PACKAGERS },
  { files: 'rpmbuild', packages: ['rpm'], parts: PACKAGERS },
  { files: 'lintian', packages: ['lintian'], parts: PACKAGERS },
  { files: 'rpmlint', packages: ['rpmlint'], parts: PACKAGERS },
  { files: 'shellcheck', packages: ['shellcheck'], parts: STRANGERS },
  { files: 'nmap', packages: ['nmap'], parts: STRANGERS },
  { files: 'tmux', packages: ['tmux'], parts: STRANGERS },
  { files: 'less', packages: ['less'], parts: STRANGERS },
  { files: 'systemd-analyze', packages: ['systemd'], parts: STRANGERS },
];
const TO_INSTALL_STRANGERS: readonly Need[] = [
  { files: 'python3', packages: ['python3', 'python3-venv'], parts: STRANGERS },
];
const TO_BUILD_WHAT_WAS_RELEASED: readonly Need[] = [
  { files: 'git', packages: ['git'], parts: ['released'] },
  { files: 'tar', packages: ['tar'], parts: ['released'] },
];
const TO_MAKE_A_GUEST: readonly Need[] = [
  { files: 'gcc', packages: ['gcc', 'libc6-dev'], parts: HYPERVISOR },
  { files: '/usr/lib/x86_64-linux-gnu/libc.a', packages: ['libc6-dev'], parts: HYPERVISOR },
  { files: 'xz', packages: ['xz-utils'], parts: HYPERVISOR },
];

/** Debian packages that would bring what is missing, without double ones. */
export async function missingPackages(parts: readonly LabPart[]): Promise<string[]> {
  const needs = [
    ...NEEDS,
    ...(findGuestImage() === null ? TO_MAKE_A_GUEST : []),
    ...(findReleasedProgram() === null ? TO_BUILD_WHAT_WAS_RELEASED : []),
    ...(findStrangers() === null ? TO_INSTALL_STRANGERS : []),
  ];
  const missing = needs.filter((need) => need.parts.some((part) => parts.includes(part)) && !isThere(need.files));
  const packages = missing.flatMap((need) => need.packages);
  const mustBuild =
    (parts.includes('control-plane') && (await findControlPlane()) === null) ||
    (parts.includes('chart-tools') && chartTools.find() === null) ||
    (parts.includes('flux') && fluxTools.find() === null) ||
    lacksDefinitions(parts) ||
    (parts.includes('strangers') && findStrangers() === null) ||
    (parts.includes('watch-tools') && watchTools.find() === null);
  if (mustBuild && (await findGo()) === null) packages.push('golang-go', 'ca-certificates');
  return [...new Set(packages)];
}

/** What no package can change: null where the lab can run, else why it can't. */
export async function unfitReason(parts: readonly LabPart[]): Promise<string | null> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `the lab runs on Linux on x86-64 only, not on ${process.platform} ${process.arch}`;
  }
  if (!NAMESPACED.some((part) => parts.includes(part))) return null;
  if (process.getuid?.() !== 0) return 'the lab needs root (namespaces and mounts of its own)';
  return isThere('unshare') ? namespaceProblem() : null;
}

/**
 * Whether these parts of the lab can be started right now: null, or one sentence that says why not and what to do.
 * Quick (well under a second), and changes nothing.
 */
export async function labProblem(parts: readonly LabPart[] = STACK_PARTS): Promise<string | null> {
  try {
    return await findProblem(parts);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function findProblem(parts: readonly LabPart[]): Promise<string | null> {
  const remedy = 'run `npx node test/lab/ensure.ts` as root';
  const unfit = await unfitReason(parts);
  if (unfit !== null) return unfit;
  const packages = await missingPackages(parts);
  if (packages.length > 0) return `missing Debian packages: ${packages.join(' ')}; ${remedy}`;
  if (parts.includes('control-plane') && (await findControlPlane()) === null)
    return `${CONTROL_PLANE_MISSING}; ${remedy}`;
  if (parts.includes('chart-tools') && chartTools.find() === null) return `${chartTools.missing}; ${remedy}`;
  if (parts.includes('watch-tools') && watchTools.find() === null) return `${watchTools.missing}; ${remedy}`;
  if (parts.includes('flux') && fluxTools.find() === null) return `${fluxTools.missing}; ${remedy}`;
  if (lacksDefinitions(parts)) return `${FOREIGN_DEFINITIONS_MISSING}; ${remedy}`;
  if (parts.includes('hypervisor') && findGuestImage() === null) return `the guest image is not made yet; ${remedy}`;
  if (parts.includes('guest-agent') && findGuestAgentImage() === null)
    return `the guest image with a guest agent is not made yet; ${remedy}`;
  if (parts.includes('machine') && !hasShippedLibvirt()) return `libvirt's package is not unpacked yet; ${remedy}`;
  if (parts.includes('released') && findReleasedProgram() === null) {
    return (await releasedProgramProblem()) ?? `the program of version 0.1.0 is not built yet; ${remedy}`;
  }
  if (parts.includes('strangers') && findStrangers() === null) {
    return `the checkers of test/lab/strangers are not installed yet; ${remedy}`;
  }
  return null;
}

const lacksDefinitions = (parts: readonly LabPart[]): boolean =>
  (parts.includes('watch-tools') || parts.includes('flux')) && findForeignDefinitions() === null;

function isThere(files: string): boolean {
  if (files.startsWith('/')) return globSync(files).length > 0;
  return SEARCH_PATH.split(delimiter).some((directory) => globSync(join(directory, files)).length > 0);
}
