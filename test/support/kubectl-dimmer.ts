/** `kubectl dimmer` as npm and krew install it: the built program, which kubectl finds by a link on the PATH. */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { ControlPlane } from '../lab/control-plane.ts';
import { type CommandResult, run } from '../lab/run.ts';
import { builtMain } from './built-program.ts';

export type KubectlDimmer = {
  /** The link. */
  readonly plugin: string;
  /** What a person has who may do everything in the cluster, and has the plugin. */
  readonly env: Record<string, string>;
  /** Runs `kubectl dimmer` to its end. */
  readonly dimmer: (...args: readonly string[]) => Promise<CommandResult>;
};

/** Installs it for whoever administers the cluster. */
export function installPlugin({
  directory,
  kubectlPath,
  adminKubeconfig,
}: Pick<ControlPlane, 'directory' | 'kubectlPath' | 'adminKubeconfig'>): KubectlDimmer {
  const bin = join(directory, 'bin');
  const plugin = join(bin, 'kubectl-dimmer');
  mkdirSync(bin, { recursive: true });
  if (!existsSync(plugin)) symlinkSync(join(dirname(builtMain), 'kubectl-dimmer.js'), plugin);
  const path = [bin, dirname(kubectlPath), dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
  const env = { PATH: path, KUBECONFIG: adminKubeconfig, HOME: directory };
  return { plugin, env, dimmer: (...args) => run('kubectl', ['dimmer', ...args], { env, timeoutMs: 120_000 }) };
}
