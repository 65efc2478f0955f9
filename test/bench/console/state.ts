/** A state directory as `dimmer standalone` leaves it, with as many resources as a console is to show. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateDirectory } from '../../../src/standalone/state-directory.ts';
import { crowd, many } from '../../support/console/scenes.ts';

export type BenchState = { readonly folder: string; remove(): void };

/** `count` VMs, one of which has 256 slots. */
export function writeState(count: number): BenchState {
  const root = mkdtempSync(join(tmpdir(), 'dimmer-bench-console-'));
  const state = new StateDirectory(join(root, 'state'));
  for (const raw of [...crowd(count - 1), many()]) {
    const { namespace, name } = raw.metadata;
    const folder = state.folderOf({ kind: 'VirtualMachineMemory', namespace, name });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'resource.json'), JSON.stringify(raw));
  }
  // Whoever may write there may choose sizes.
  mkdirSync(join(root, 'vms'));
  writeFileSync(join(state.path, 'manifests-path'), join(root, 'vms'));
  return { folder: state.path, remove: () => rmSync(root, { recursive: true }) };
}
