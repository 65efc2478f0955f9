import { globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from './progress.ts';
import { runOk } from './run.ts';

const MAX_AGE_MS = 7 * 24 * 60 * 60 * 1000;

/** True where the package manager of Debian and its relatives works. */
export function hasApt(): boolean {
  return globSync('/usr/bin/apt-get').length > 0 && globSync('/usr/bin/dpkg').length > 0;
}

/** Runs `apt-get update` when the package lists are missing or older than a week: old ones name files that are gone. */
export async function ensurePackageLists(report: Report): Promise<void> {
  const lists = globSync('/var/lib/apt/lists/*InRelease');
  const newest = Math.max(0, ...lists.map((file) => statSync(file).ctimeMs));
  const hasPackages = globSync('/var/lib/apt/lists/*_Packages*').length > 0;
  if (hasPackages && Date.now() - newest < MAX_AGE_MS) return;
  if (process.getuid?.() !== 0) {
    if (hasPackages) return;
    throw new Error('the package lists are missing; run `apt-get update` as root');
  }
  report('apt-get update');
  await runOk('apt-get', ['update', '-q'], { timeoutMs: 10 * 60_000 });
}

/** Installs packages without their recommendations. Needs root. */
export async function installPackages(packages: readonly string[], report: Report): Promise<void> {
  await ensurePackageLists(report);
  report(`apt-get install ${packages.join(' ')}`);
  await runOk('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], {
    timeoutMs: 20 * 60_000,
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  });
}

/** Downloads packages and unpacks them into a directory; nothing is installed. */
export async function unpackPackages(packages: readonly string[], target: string, report: Report): Promise<void> {
  await ensurePackageLists(report);
  const downloads = mkdtempSync(join(tmpdir(), 'dimmer-packages-'));
  try {
    await runOk('apt-get', ['download', ...packages], { cwd: downloads, timeoutMs: 10 * 60_000 });
    for (const file of globSync(join(downloads, '*.deb'))) {
      await runOk('dpkg-deb', ['--extract', file, target], { timeoutMs: 5 * 60_000 });
    }
  } finally {
    rmSync(downloads, { recursive: true, force: true });
  }
}
