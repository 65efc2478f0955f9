/** The agent installed on a lab machine as docs/operations.md tells an admin to, under its unit from deploy/. */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import type { Host } from '../../../src/host/port.ts';
import { openTlsFiles } from '../../../src/runtime/tls-files.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { LabMachine } from '../../lab/machine.ts';
import { createPki, type Pki } from '../../lab/pki.ts';
import { documented } from '../../support/documents.ts';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const unitFile = join(root, 'deploy/agent/dimmer-agent.service');
export const unit = 'dimmer-agent.service';

/** A line of the agent's log. */
export type LogLine = Readonly<Record<string, unknown>>;

export type AgentService = {
  readonly machine: LabMachine;
  readonly pki: Pki;
  /** Where the port that the agent has by default is reached out here. */
  readonly port: number;
  /** The name that the documents let in, and a client that has it. */
  readonly clientUri: string;
  readonly client: Host;
  /** Writes the agent's certificate and key where it looks for them. */
  readonly installCertificate: () => Promise<void>;
  /** A property of the unit, as `systemctl show` knows it. */
  readonly property: (name: string) => Promise<string>;
  /** A file of the agent's directory in /proc. */
  readonly proc: (name: string) => Promise<string>;
  /** A value of the agent's control group, by the name of its file with version 2 or 1. */
  readonly controlGroup: (controller: string, ...names: string[]) => Promise<string>;
  /** Runs a command in the mount namespace of the agent, as root. */
  readonly runInside: (command: string, ...args: string[]) => ReturnType<LabMachine['run']>;
  /** Runs `dimmer agent check` as the agent's user, with the flags of its unit. */
  readonly check: () => ReturnType<LabMachine['run']>;
  /** What the agent has logged since the machine was started, from the journal. */
  readonly log: () => Promise<LogLine[]>;
};

/** The program, where `npm install --global --prefix /usr` puts it, and Node where systemd looks for it. */
export function programFiles(): Readonly<Record<string, string>> {
  if (!existsSync(join(root, 'dist/cmd/main.js'))) throw new Error("dist is missing; run 'npm run build' first");
  return { '/usr/local/bin/node': process.execPath, '/usr/lib/node_modules/dimmer': root };
}

/** What docs/operations.md has an admin write into /etc/dimmer/agent.env, to the letter. */
function documentedEnvironment(): { readonly text: string; readonly clientUri: string } {
  const { text } = documented('docs/operations.md', 'DIMMER_AGENT_FLAGS=');
  const clientUri = /--allow-client (\S+)/.exec(text)?.[1];
  if (clientUri === undefined) throw new Error('the agent.env of docs/operations.md names no client');
  return { text: `${text}\n`, clientUri };
}

/** Everything up to `systemctl enable --now`, which is left to the test. The machine has a hypervisor. */
export async function installAgentService(machine: LabMachine): Promise<AgentService> {
  const pki = await createPki(join(machine.directory, 'pki'));
  const { text: environment, clientUri } = documentedEnvironment();
  const { etcDirectory: etc, runOk } = machine;

  await machine.atEachBoot('ln -s ../lib/node_modules/dimmer/dist/cmd/main.js /usr/bin/dimmer');
  await runOk('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', 'dimmer']);
  await runOk('usermod', ['--append', '--groups', 'libvirt', 'dimmer']);

  mkdirSync(join(etc, 'dimmer'));
  await runOk('chown', ['root:dimmer', '/etc/dimmer']);
  await runOk('chmod', ['0750', '/etc/dimmer']);
  copyFileSync(pki.caFile, join(etc, 'dimmer/ca.crt'));
  const installCertificate = async (): Promise<void> => {
    await pki.issue({ name: 'agent', dns: ['localhost'], ip: ['127.0.0.1'] });
    for (const name of ['tls.crt', 'tls.key']) {
      copyFileSync(join(pki.directory, name.replace('tls', 'agent')), join(etc, 'dimmer', name));
    }
    await runOk('chown', ['root:dimmer', '/etc/dimmer/tls.key']);
    await runOk('chmod', ['0640', '/etc/dimmer/tls.key']);
  };
  await installCertificate();
  writeFileSync(join(etc, 'dimmer/agent.env'), environment);
  copyFileSync(unitFile, join(etc, 'systemd/system', unit));
  await runOk('systemctl', ['daemon-reload']);

  const port = await machine.relayPort(9443);
  const client = await pki.issue({ name: 'controller', uri: [clientUri] });
  const clientTls = openTlsFiles({ ...client, caFile: pki.caFile }, systemClock, silentLogger);
  const property = async (name: string): Promise<string> =>
    (await runOk('systemctl', ['show', '--property', name, '--value', unit])).trim();
  const proc = async (name: string): Promise<string> => runOk('cat', [`/proc/${await property('MainPID')}/${name}`]);
  return {
    machine,
    pki,
    port,
    clientUri,
    client: createHttpsHost({ address: `https://127.0.0.1:${port}`, tls: clientTls, clock: systemClock }),
    installCertificate,
    property,
    proc,
    controlGroup: async (controller, ...names) => {
      const group = new RegExp(`:${controller}:(.*)|^0::(.*)`, 'gm');
      const places = [...(await proc('cgroup')).matchAll(group)].map(([, one, two]) =>
        one === undefined ? `/sys/fs/cgroup${two}` : `/sys/fs/cgroup/${controller}${one}`,
      );
      const files = places.flatMap((place) => names.map((name) => join(place, name)));
      return (await machine.run('cat', files)).stdout.trim();
    },
    runInside: async (command, ...args) => {
      const pid = await property('MainPID');
      return machine.run('nsenter', [`--target=${pid}`, '--mount', '--', command, ...args]);
    },
    check: () => {
      const command = '. /etc/dimmer/agent.env; exec dimmer agent check $DIMMER_AGENT_FLAGS';
      return machine.run('runuser', ['--user', 'dimmer', '--', 'sh', '-c', command]);
    },
    log: async () => {
      const text = await runOk('journalctl', ['--unit', unit, '--output', 'cat', '--no-pager']);
      const lines = text.split('\n').filter((line) => line.startsWith('{'));
      return lines.map((line) => JSON.parse(line) as LogLine);
    },
  };
}
