/** The names that a shell can complete: of a state directory, or of the cluster that kubectl reaches. */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ownStateDir } from '../standalone/state-dir.ts';
import type { Names, Where } from './candidates.ts';

/** Whoever presses a key doesn't wait for a cluster that is far away. */
const patienceMs = 3_000;

const isCluster = ({ program }: Where): boolean => program.startsWith('kubectl ');

export const knownNames: Names = {
  resources: (where) => (isCluster(where) ? namesInCluster(where) : namesInState(where)),
  namespaces: (where) => (isCluster(where) ? kubectl(where, ['get', 'namespaces', '--output=name']) : none()),
  contexts: (where) => (isCluster(where) ? kubectl(where, ['config', 'get-contexts', '--output=name']) : none()),
};

const none = (): Promise<readonly string[]> => Promise.resolve([]);

function namesInCluster(where: Where): Promise<readonly string[]> {
  const { namespace } = where.given;
  const of = namespace === undefined ? [] : [`--namespace=${namespace}`];
  return kubectl(where, ['get', 'virtualmachinememories.dimmer.dev', '--output=name', ...of]);
}

/** The last part of each line that kubectl prints (`KIND/NAME`). */
function kubectl({ given }: Where, args: readonly string[]): Promise<readonly string[]> {
  const whereabouts = ['context', 'kubeconfig'].flatMap((name) => {
    const value = given[name];
    return value === undefined ? [] : [`--${name}=${value}`];
  });
  const timed = args[0] === 'get' ? [`--request-timeout=${patienceMs / 1_000}s`] : [];
  return new Promise((resolve) => {
    execFile('kubectl', [...args, ...timed, ...whereabouts], { timeout: patienceMs }, (error, stdout) => {
      const lines = error === null ? stdout.split('\n') : [];
      resolve(lines.flatMap((line) => (line === '' ? [] : [line.slice(line.indexOf('/') + 1)])));
    });
  });
}

/** As `dimmer status` takes them: a name that is there once, else with its namespace. */
async function namesInState({ given }: Where): Promise<readonly string[]> {
  const folder = join(given['state-dir'] ?? ownStateDir(), 'virtualmachinememories');
  const inside = async (path: string): Promise<readonly string[]> => readdir(path).catch(() => []);
  const all: { readonly namespace: string; readonly name: string }[] = [];
  for (const namespace of await inside(folder)) {
    for (const name of await inside(join(folder, namespace))) all.push({ namespace, name });
  }
  return all
    .map(({ namespace, name }) =>
      all.filter((other) => other.name === name).length > 1 ? `${namespace}/${name}` : name,
    )
    .toSorted();
}
