import { hasApt, installPackages } from './apt.ts';
import { chartTools } from './chart-tools.ts';
import { ensureControlPlane } from './control-plane-binaries.ts';
import { fluxTools } from './flux-tools.ts';
import { ensureForeignDefinitions } from './foreign-definitions.ts';
import { MINIMUM_GO } from './go-toolchain.ts';
import { ensureGuestAgentImage } from './guest-agent-image.ts';
import { ensureGuestImage } from './guest-image.ts';
import { ALL_PARTS, type LabPart, labProblem, missingPackages, STACK_PARTS, unfitReason } from './needs.ts';
import { reportToTerminal, type Report } from './progress.ts';
import { ensureReleasedProgram, releasedProgramProblem } from './released-program.ts';
import { ensureShippedLibvirt } from './shipped-libvirt.ts';
import { ensureStrangers } from './strangers.ts';
import { watchTools } from './watch-tools.ts';

const INTRODUCTION = `The lab needs, and installs or makes once what is missing:
  - libvirt, QEMU, systemd, polkit, podman, zsh, fish, Chromium and small tools from Debian's packages (as root, without recommended packages)
  - a Kubernetes control plane: from KUBEBUILDER_ASSETS or the PATH, else built with Go (about 4 minutes)
  - for the tests: promtool, kube-state-metrics and an interpreter of Lua, built with Go (about 3 minutes)
  - a guest: a Debian kernel and busybox, downloaded but not installed (30 MB); for the tests a second one with a guest agent
  - for the tests: helm and OLM's checker of bundles, built with Go (about 2 minutes)
  - for the tests: Flux' kustomize-controller, built with Go (about 3 minutes)
  - for the tests: the program of version 0.1.0, built from this repository's history with npm (a minute)
  - for the tests: checkers from npm, Go and Python, krew and k9s, in versions that are locked (5 minutes, 300 MB)`;

/** Installs and builds what these parts of the lab need. Throws with one message that says what to do if it can't. */
export async function ensureLab(report: Report, parts: readonly LabPart[] = STACK_PARTS): Promise<void> {
  if ((await labProblem(parts)) === null) return;
  for (const line of INTRODUCTION.split('\n')) report(line);
  const unfit = await unfitReason(parts);
  const packages = await missingPackages(parts);
  if (unfit !== null) throw new Error([`The lab can't run here: ${unfit}.`, ...adviceFor(packages)].join('\n'));
  if (packages.length > 0) {
    if (!hasApt() || process.getuid?.() !== 0) throw new Error(adviceFor(packages).join('\n'));
    await installPackages(packages, report);
  }
  if (parts.includes('control-plane')) await ensureControlPlane(report);
  if (parts.includes('chart-tools')) await chartTools.ensure(report);
  if (parts.includes('watch-tools')) await watchTools.ensure(report);
  if (parts.includes('flux')) await fluxTools.ensure(report);
  if (parts.includes('watch-tools') || parts.includes('flux')) await ensureForeignDefinitions(report);
  if (parts.includes('hypervisor')) await ensureGuestImage(report);
  if (parts.includes('guest-agent')) await ensureGuestAgentImage(report);
  if (parts.includes('machine')) await ensureShippedLibvirt(report);
  if (parts.includes('released')) {
    const lacking = await releasedProgramProblem();
    if (lacking !== null) throw new Error(`The lab can't run all tests: ${lacking}`);
    await ensureReleasedProgram(report);
  }
  if (parts.includes('strangers')) await ensureStrangers(report);
  const problem = await labProblem(parts);
  if (problem !== null) throw new Error(`The lab still can't run: ${problem}`);
}

/** What to do about missing packages, by hand. */
function adviceFor(packages: readonly string[]): string[] {
  if (packages.length === 0) return [];
  const go = `Any Go ${MINIMUM_GO} or newer on the PATH does instead of golang-go, and so does KUBEBUILDER_ASSETS=DIRECTORY with kube-apiserver, etcd and kubectl.`;
  return [
    'Missing is what these Debian packages bring; as root:',
    `  apt-get install --no-install-recommends ${packages.join(' ')}`,
    ...(packages.includes('golang-go') ? [go] : []),
  ];
}

/**
 * What `npm test` begins with: all parts of the lab. Where they can't all be had nothing more is built: what is there is
 * used, and the rest left out. Returns whether the tests may run.
 */
export async function ensureForTests(report: Report, isStrict: boolean, ensure = ensureLab): Promise<boolean> {
  try {
    await ensure(report, ALL_PARTS);
    return true;
  } catch (error) {
    report(error instanceof Error ? error.message : String(error));
    if (!isStrict) report('tests that need what is missing are left out; LAB_STRICT=1 makes that a failure');
    return !isStrict;
  }
}

if (import.meta.main) {
  const start = Date.now();
  const isReady = await ensureForTests(reportToTerminal, process.env['LAB_STRICT'] === '1');
  reportToTerminal(`prepared in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  if (!isReady) process.exitCode = 1;
}
