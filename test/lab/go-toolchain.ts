import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from './progress.ts';
import { withHeartbeat } from './progress.ts';
import { run, runOk } from './run.ts';

/** The control plane's go.mod asks for it. */
export const MINIMUM_GO = '1.26';
const TOOLCHAIN = 'go1.26.8';

/** A go command that can build the control plane, and the environment it wants. */
export type Go = {
  readonly command: string;
  readonly version: string;
  readonly env: Readonly<Record<string, string>>;
};

/** What builds programs that lean on no C, from the go.mod at hand alone, whatever else is set on this machine. */
export const buildEnv = ({ env }: Go): Readonly<Record<string, string>> => ({
  ...env,
  ...{ CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' },
});

const PLACES = ['go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go'];

/** The first go command found, whatever its version; null when there is none. */
export async function findGo(): Promise<{ command: string; version: string } | null> {
  for (const command of PLACES) {
    try {
      const { stdout, code } = await run(command, ['env', 'GOVERSION'], { env: { GOTOOLCHAIN: 'local' } });
      if (code === 0) return { command, version: stdout.trim() };
    } catch {
      // Not at this place.
    }
  }
  return null;
}

/**
 * Gives a new enough go. An older one is enough to get there: the toolchain is itself a Go module
 * (https://go.dev/doc/toolchain), checked against the checksum database like any other.
 * Throws when there is no go at all.
 */
export async function ensureGo(report: Report): Promise<Go> {
  const found = await findGo();
  if (found === null) throw new Error(`no go command found; install Go ${MINIMUM_GO} or newer (https://go.dev/dl/)`);
  const minor = minorOf(found.version);
  if (minor >= minorOf(`go${MINIMUM_GO}`)) return { ...found, env: { GOTOOLCHAIN: 'local' } };
  // Since 1.21 go fetches and runs a newer toolchain by itself.
  if (minor >= 21) return { ...found, env: { GOTOOLCHAIN: TOOLCHAIN } };
  report(`${found.version} is too old to build the control plane; downloading ${TOOLCHAIN} with it`);
  return fetchToolchain(found.command, report);
}

async function fetchToolchain(oldGo: string, report: Report): Promise<Go> {
  const platform = `linux-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const module = `golang.org/toolchain@v0.0.1-${TOOLCHAIN}.${platform}`;
  const json = await withHeartbeat(
    report,
    () => `downloading ${TOOLCHAIN}`,
    () => runOk(oldGo, ['mod', 'download', '-json', module], { timeoutMs: 15 * 60_000, env: { GOFLAGS: '' } }),
  );
  const { Dir: root } = JSON.parse(json) as { Dir: string };
  // A module's files are stored without their executable bits, which a go before 1.21 does not restore.
  for (const folder of ['bin', `pkg/tool/${platform.replace('-', '_')}`]) {
    const path = join(root, folder);
    if (!existsSync(path)) continue;
    for (const name of readdirSync(path)) chmodSync(join(path, name), 0o555);
  }
  return { command: join(root, 'bin', 'go'), version: TOOLCHAIN, env: { GOTOOLCHAIN: 'local', GOROOT: root } };
}

function minorOf(version: string): number {
  return Number(/^go1\.(\d+)/.exec(version)?.[1] ?? 0);
}
