/**
 * Flux' kustomize-controller on a control plane. Of source-controller there is what it leaves: a GitRepository whose status names an
 * archive, and a server that has it.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { ControlPlane } from '../../lab/control-plane.ts';
import { startDaemon } from '../../lab/daemon.ts';
import { fluxTools } from '../../lab/flux-tools.ts';
import { findForeignDefinitions } from '../../lab/foreign-definitions.ts';
import { freePorts } from '../../lab/ports.ts';
import { runOk } from '../../lab/run.ts';
import { root } from '../../lab/stack.ts';
import { waitFor } from '../../lab/wait.ts';

/** Where Flux is, and its Kustomizations. */
const fluxNamespace = 'flux-system';

type Condition = { readonly type: string; readonly status: string; readonly reason: string; readonly message: string };
type Kustomization = {
  readonly status?: { readonly conditions?: readonly Condition[]; readonly lastAttemptedRevision?: string };
};

export type Flux = {
  /** The repository holds these files from now on, beside `crds/` and `deploy/`, and Flux hears of it. Gives the revision. */
  readonly commit: (files: Readonly<Record<string, string>>) => Promise<string>;
  /** Waits until Ready of a Kustomization has this reason; of this revision, where one is given. Gives the message. */
  readonly says: (name: string, reason: string, revision?: string) => Promise<string>;
  readonly stop: () => Promise<void>;
};

/** Installs its definitions, and starts it with an administrator's rights, as its own manifests give it. */
export async function startFlux(plane: ControlPlane): Promise<Flux> {
  const directory = join(plane.directory, 'flux');
  const archives = join(directory, 'archives');
  mkdirSync(archives, { recursive: true });
  const server = createServer((request, response) => {
    response.end(readFileSync(join(archives, (request.url ?? '').replaceAll(/[^\w.]/g, ''))));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const definitions = globSync(join(findForeignDefinitions() ?? '', '*.toolkit.fluxcd.io_*.yaml'));
  await plane.kubectlOk(['apply', '--server-side', ...definitions.map((file) => `--filename=${file}`)]);
  await plane.kubectlOk(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
  await plane.kubectlOk(['create', 'namespace', fluxNamespace]);
  const repository = {
    apiVersion: 'source.toolkit.fluxcd.io/v1',
    kind: 'GitRepository',
    metadata: { name: 'fleet', namespace: fluxNamespace },
    spec: { interval: '1m', url: 'https://git.example.net/fleet.git' },
  };
  await plane.kubectlOk(['apply', '-f', '-'], { input: JSON.stringify(repository) });

  const [health] = await freePorts(1);
  const controller = await startDaemon({
    name: 'kustomize-controller',
    command: fluxTools.find()?.kustomizeController ?? '',
    // Every half minute, when left out.
    args: ['--requeue-dependency=500ms', '--metrics-addr=0', `--health-addr=127.0.0.1:${health}`, '--log-level=debug'],
    env: { KUBECONFIG: plane.adminKubeconfig, TMPDIR: directory },
    logFile: join(plane.directory, 'kustomize-controller.log'),
  });

  let commits = 0;
  const commit: Flux['commit'] = async (files) => {
    commits += 1;
    const checkout = join(directory, `checkout-${commits}`);
    for (const folder of ['crds', 'deploy']) cpSync(join(root, folder), join(checkout, folder), { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(checkout, path)), { recursive: true });
      writeFileSync(join(checkout, path), text);
    }
    const name = `${commits}.tar.gz`;
    await runOk('tar', ['--create', '--gzip', '--file', join(archives, name), '--directory', checkout, '.']);
    const digestOf = (kind: string): string =>
      createHash(kind)
        .update(readFileSync(join(archives, name)))
        .digest('hex');
    const revision = `main@sha1:${digestOf('sha1')}`;
    const now = new Date().toISOString().replace(/\.\d+/, '');
    const ready = { type: 'Ready', status: 'True', reason: 'Succeeded', message: '', lastTransitionTime: now };
    const status = {
      observedGeneration: 1,
      conditions: [{ ...ready, observedGeneration: 1 }],
      artifact: {
        ...{ revision, digest: `sha256:${digestOf('sha256')}`, lastUpdateTime: now },
        ...{ path: name, url: `http://127.0.0.1:${port}/${name}` },
      },
    };
    await plane.kubectlOk([
      ...['patch', 'gitrepository', 'fleet', '-n', fluxNamespace, '--subresource=status', '--type=merge'],
      ...['-p', JSON.stringify({ status })],
    ]);
    return revision;
  };

  const kustomizations = `/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/${fluxNamespace}/kustomizations`;
  const says: Flux['says'] = async (name, reason, revision) => {
    let seen = 'nothing';
    return waitFor(
      async () => {
        const { status } = (await plane.api.read(`${kustomizations}/${name}`)) as Kustomization;
        seen = JSON.stringify(status);
        const ready = status?.conditions?.find(({ type }) => type === 'Ready');
        const isOfIt = revision === undefined || status?.lastAttemptedRevision === revision;
        return isOfIt && ready?.reason === reason ? ready.message : undefined;
      },
      {
        ...{ what: `${name} to say ${reason} of ${revision ?? 'any revision'}`, timeoutMs: 60_000, intervalMs: 100 },
        details: () => `${seen}\n${controller.logTail()}`,
      },
    );
  };
  const stop = async (): Promise<void> => {
    await controller.stop();
    server.closeAllConnections();
    server.close();
  };
  return { commit, says, stop };
}
