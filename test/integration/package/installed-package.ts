/** The package that `npm pack` makes, installed where there is nothing else and nobody to ask. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandResult, run, type RunOptions } from '../../lab/run.ts';
import { type Checkout, copyCheckout, nodePath } from '../../support/checkout.ts';

export type InstalledPackage = {
  readonly checkout: Checkout;
  /** For whatever else the test needs; goes with the rest. */
  readonly directory: string;
  /** The installed program. */
  readonly program: string;
  /** The package's own directory. */
  readonly home: string;
  /** What npm said, and how long it took. */
  readonly installation: CommandResult & { readonly ms: number };
  /** Runs the program, found on the PATH. */
  readonly dimmer: (argv: readonly string[], options?: RunOptions) => Promise<CommandResult>;
  readonly remove: () => void;
};

/** Packs a copy of this checkout and installs the package, with an empty cache and without a network to use. */
export async function installPackage(): Promise<InstalledPackage> {
  const directory = mkdtempSync(join(tmpdir(), 'dimmer-package-'));
  const checkout = copyCheckout(directory);
  await checkout.shOk('npm pack');
  const packages = readdirSync(checkout.directory).filter((name) => name.endsWith('.tgz'));
  if (packages.length !== 1) throw new Error(`npm pack made ${packages.length} packages`);
  const prefix = join(directory, 'usr');
  const startedAt = performance.now();
  const installation = await checkout.sh(
    `npm install --global --prefix ${prefix} --offline --cache ${join(directory, 'cache')} ./${packages.join('')}`,
    // As it is without this checkout's .npmrc, where warnings are seen.
    { npm_config_loglevel: 'warn' },
  );
  const ms = performance.now() - startedAt;
  return {
    checkout,
    directory,
    program: join(prefix, 'bin/dimmer'),
    home: join(prefix, 'lib/node_modules/dimmer'),
    installation: { ...installation, ms },
    dimmer: (argv, options = {}) =>
      run('dimmer', argv, { ...options, env: { PATH: `${join(prefix, 'bin')}:${nodePath}`, ...options.env } }),
    remove: () => rmSync(directory, { recursive: true }),
  };
}
