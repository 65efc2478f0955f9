/**
 * What Dimmer meets on a host and in a cluster: which versions the tests here run with, and from which on it is known to
 * work at all. The table in README.md is this one; a test holds them together. Pure.
 */

export type Component = 'Kubernetes' | 'libvirt' | 'QEMU';

type Known = {
  /** Beginnings of the versions that the tests run with. */
  readonly tested: readonly string[];
  /** Major and minor of the oldest one that is expected to work. */
  readonly oldest: readonly [number, number];
  /** What older ones lack. */
  readonly without: string;
};

export const knownVersions: Readonly<Record<Component, Known>> = {
  Kubernetes: {
    tested: ['1.36'],
    oldest: [1, 30],
    without: 'ValidatingAdmissionPolicy v1, so that nothing keeps the controller from writing a spec',
  },
  libvirt: {
    tested: ['9.0'],
    // virDomainDetachDeviceAlias is of 4.4.0, statistics that don't wait for a domain are of 4.5.0.
    oldest: [4, 5],
    without: 'statistics that do not wait for a VM that hangs',
  },
  // Unplugging of DIMMs is of 2.4 (its ChangeLog: "Support for memory hot-unplug"); older ones can only be given memory.
  QEMU: { tested: ['7.2'], oldest: [2, 4], without: 'unplugging of memory modules' },
};

/** What is known of a version that was met. */
export type Standing =
  | { readonly standing: 'tested' | 'expected' | 'unreadable' }
  | { readonly standing: 'too-old'; readonly problem: string };

/** @param version as whoever has it says it: `9.0.0`, `v1.36.3`, `v1.30.1-gke.100` */
export function judgeVersion(component: Component, version: string): Standing {
  const { tested, oldest, without } = knownVersions[component];
  const [, major, minor] = /^v?(\d+)\.(\d+)(?:\D|$)/.exec(version) ?? [];
  if (major === undefined || minor === undefined) return { standing: 'unreadable' };
  const [oldestMajor, oldestMinor] = oldest;
  if (Number(major) < oldestMajor || (Number(major) === oldestMajor && Number(minor) < oldestMinor)) {
    const problem = `${component} ${version} is older than ${oldest.join('.')}: it has no ${without}`;
    return { standing: 'too-old', problem };
  }
  return { standing: tested.includes(`${major}.${minor}`) ? 'tested' : 'expected' };
}

type Log = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
};

/** One line on what was met, and one more for each version that is known not to do. @param more what isn't judged */
export function tellVersions(
  log: Log,
  met: Partial<Readonly<Record<Component, string>>>,
  more: Readonly<Record<string, string>>,
): void {
  const judged = (Object.keys(knownVersions) as Component[]).flatMap((component) => {
    const version = met[component];
    return version === undefined ? [] : [{ component, version, judgement: judgeVersion(component, version) }];
  });
  const standings = judged.map(
    ({ component, version, judgement }) => [component, `${version} (${judgement.standing})`] as const,
  );
  log.info({ versions: { ...Object.fromEntries(standings), ...more } }, 'versions met here');
  for (const { judgement } of judged) {
    if (judgement.standing === 'too-old') log.warn({ problem: judgement.problem }, 'a version is known not to work');
  }
}
