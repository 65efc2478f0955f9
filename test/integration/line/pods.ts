/** What a kubelet does for a pod of ours, on a lab machine: its image's root, its Secret, its account, its user, its confinement. */
import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlPlane } from '../../lab/control-plane.ts';
import type { LabMachine } from '../../lab/machine.ts';
import type { CommandResult } from '../../lab/run.ts';
import type { ImageFile } from '../../support/image-file.ts';
import { makeImageRoot } from '../../support/image-root.ts';

export type PodSpec = {
  readonly serviceAccountName: string;
  readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number; readonly fsGroup: number };
  readonly containers: readonly [Container];
  readonly volumes?: readonly { readonly secret: { readonly secretName: string; readonly defaultMode: number } }[];
};

type Container = {
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: { readonly readOnlyRootFilesystem: boolean; readonly allowPrivilegeEscalation: boolean };
};

const imageAt = '/srv/image';
const accountAt = '/run/secrets/kubernetes.io/serviceaccount';
const accountBeside = '/srv/account';
const secretAt = '/etc/dimmer/agent-client';

/** The image, and directories that become a pod's volumes; to be shown by the machine. */
export type PodFiles = {
  readonly image: ImageFile;
  readonly shows: Readonly<Record<string, string>>;
  /** Fills the volumes from the API server; what mounts them must be there. */
  readonly fill: (pod: PodSpec, namespace: string) => Promise<void>;
};

export async function makePodFiles(plane: ControlPlane): Promise<PodFiles> {
  const place = (name: string): string => {
    const directory = join(plane.directory, name);
    mkdirSync(directory);
    return directory;
  };
  const [account, secret] = [place('service-account'), place('agent-client')];
  const root = join(plane.directory, 'image');
  const image = await makeImageRoot(root, [accountAt, secretAt]);
  return {
    image,
    shows: {
      ...{ [imageAt]: root, [`${imageAt}${accountAt}`]: account, [`${imageAt}${secretAt}`]: secret },
      [accountBeside]: account,
    },
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
  };
}

const variablesOf = ({ env }: Container, image: ImageFile, plane: ControlPlane): readonly string[] => {
  const url = new URL(plane.url);
  const address = { KUBERNETES_SERVICE_HOST: url.hostname, KUBERNETES_SERVICE_PORT: url.port };
  const own = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  return Object.entries({ ...image.env, ...address, ...own }).map(([name, value]) => `${name}=${value}`);
};

/** A unit of systemd that runs the pod's container, with nothing that it isn't given. */
export function unitOf(pod: PodSpec, image: ImageFile, plane: ControlPlane): string {
  const [container] = pod.containers;
  const { readOnlyRootFilesystem, allowPrivilegeEscalation } = container.securityContext;
  const quoted = (words: readonly string[]): string => words.map((word) => JSON.stringify(word)).join(' ');
  const command = [...(container.command ?? image.entrypoint), ...container.args];
  return [
    ...['[Service]', `RootDirectory=${imageAt}`, 'MountAPIVFS=yes', `WorkingDirectory=${image.workingDirectory}`],
    ...[`User=${pod.securityContext.runAsUser}`, `Group=${pod.securityContext.runAsGroup}`],
    // With /proc and /dev systemd mounts an empty /run, over what is there.
    `BindReadOnlyPaths=${accountBeside}:${accountAt}`,
    ...(readOnlyRootFilesystem ? ['ReadOnlyPaths=/'] : []),
    ...(allowPrivilegeEscalation ? [] : ['NoNewPrivileges=yes']),
    'CapabilityBoundingSet=',
    `Environment=${quoted(variablesOf(container, image, plane))}`,
    `ExecStart=${quoted(command)}`,
    '',
  ].join('\n');
}

/** Runs the pod's container to its end, in the image's root. A command without a slash is looked for on the image's PATH. */
export function runPod(
  machine: LabMachine,
  pod: PodSpec,
  image: ImageFile,
  plane: ControlPlane,
): Promise<CommandResult> {
  const [container] = pod.containers;
  const user = `--userspec=${pod.securityContext.runAsUser}:${pod.securityContext.runAsGroup}`;
  const command = [...(container.command ?? image.entrypoint), ...container.args];
  // chroot has the shell's way of finding a command: by the PATH that it is given, in the root that it enters.
  const variables = variablesOf(container, image, plane);
  return machine.run('env', ['--ignore-environment', ...variables, '/usr/sbin/chroot', user, imageAt, ...command], {
    timeoutMs: 90_000,
  });
}
