/**
 * What a kubelet does for a pod of ours, by a container engine and in a lab machine's network: its image, its Secret, its account,
 * its user, its confinement, its limit of memory.
 */
import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { within } from '../../lab/containers.ts';
import type { ControlPlane } from '../../lab/control-plane.ts';
import { type Daemon, startDaemon } from '../../lab/daemon.ts';
import type { CommandResult } from '../../lab/run.ts';
import { type Image, makeImage } from '../../support/image.ts';

export type PodSpec = {
  readonly serviceAccountName: string;
  readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number; readonly fsGroup: number };
  readonly containers: readonly [Container];
  readonly volumes?: readonly { readonly secret: { readonly secretName: string; readonly defaultMode: number } }[];
};

type Container = {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: { readonly limits: { readonly memory: string } };
  readonly securityContext: {
    readonly readOnlyRootFilesystem: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly capabilities: { readonly drop: readonly string[] };
  };
};

const accountAt = '/var/run/secrets/kubernetes.io/serviceaccount';
const secretAt = '/etc/dimmer/agent-client';

export type Pods = {
  readonly image: Image;
  /** Gives a pod its volumes from the API server; what mounts them must be there. */
  readonly fill: (pod: PodSpec, namespace: string) => Promise<void>;
  /** Runs the pod's container in the network of the process `pid`, and ends with that. */
  readonly start: (pod: PodSpec, pid: number) => Promise<Daemon>;
  /** Runs the pod's container there to its end. */
  readonly run: (pod: PodSpec, pid: number) => Promise<CommandResult>;
};

/** Makes the image (10 s), and directories for the volumes. */
export async function makePods(plane: ControlPlane): Promise<Pods> {
  const place = (name: string): string => {
    const directory = join(plane.directory, name);
    mkdirSync(directory);
    return directory;
  };
  const [account, secret] = [place('service-account'), place('agent-client')];
  const image = await makeImage(place('image'));

  const argsOf = ({ containers: [container], securityContext }: PodSpec, pid: number): readonly string[] => {
    const { securityContext: confinement, resources, command } = container;
    const url = new URL(plane.url);
    const address = { KUBERNETES_SERVICE_HOST: url.hostname, KUBERNETES_SERVICE_PORT: url.port };
    const variables = { ...address, ...Object.fromEntries(container.env.map(({ name, value }) => [name, value])) };
    return [
      ...['run', ...within(pid), `--user=${securityContext.runAsUser}:${securityContext.runAsGroup}`],
      ...[`--group-add=${securityContext.fsGroup}`, `--memory=${resources.limits.memory.replace('Mi', 'm')}`],
      ...(confinement.readOnlyRootFilesystem ? ['--read-only', '--read-only-tmpfs=false'] : []),
      ...(confinement.allowPrivilegeEscalation ? [] : ['--security-opt=no-new-privileges']),
      ...confinement.capabilities.drop.map((name) => `--cap-drop=${name.toLowerCase()}`),
      ...[`--volume=${account}:${accountAt}:ro`, `--volume=${secret}:${secretAt}:ro`],
      ...Object.entries(variables).map(([name, value]) => `--env=${name}=${value}`),
      ...(command === undefined ? [] : [`--entrypoint=${JSON.stringify(command)}`]),
      ...[container.image, ...container.args],
    ];
  };
  return {
    image,
    async fill({ serviceAccountName, securityContext, volumes = [] }, namespace) {
      const scope = `--namespace=${namespace}`;
      const token = await plane.kubectlOk(['create', 'token', serviceAccountName, scope, '--duration=24h']);
      writeFileSync(join(account, 'token'), token.trim());
      writeFileSync(join(account, 'namespace'), namespace);
      copyFileSync(plane.caFile, join(account, 'ca.crt'));
      for (const {
        secret: { secretName, defaultMode },
      } of volumes) {
        const { data } = JSON.parse(await plane.kubectlOk(['get', 'secret', secretName, scope, '-o', 'json'])) as {
          readonly data: Readonly<Record<string, string>>;
        };
        for (const [name, value] of Object.entries(data)) {
          const file = join(secret, name);
          writeFileSync(file, Buffer.from(value, 'base64'));
          chownSync(file, 0, securityContext.fsGroup);
          chmodSync(file, defaultMode);
        }
      }
    },
    start: (pod, pid) => {
      const [command, ...options] = image.containers.command;
      const logFile = join(plane.directory, 'pod.log');
      return startDaemon({ name: 'the pod', command, args: [...options, ...argsOf(pod, pid)], logFile });
    },
    run: (pod, pid) => image.containers.podman(argsOf(pod, pid), { timeoutMs: 90_000 }),
  };
}
