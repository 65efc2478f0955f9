import { mkdirSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { ControlPlaneBinaries } from './control-plane-binaries.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { removeLabDirectory } from './directory.ts';
import { createPki, createSigningKey, type IssuedCertificate, type Pki } from './pki.ts';
import { freePorts } from './ports.ts';
import { GiveUp, waitFor } from './wait.ts';

const READY_TIMEOUT_MS = 120_000;

/** What a control plane is made of; the processes are absent until they are started. */
export type ControlPlaneParts = {
  readonly directory: string;
  readonly binaries: ControlPlaneBinaries;
  readonly extraArgs: readonly string[];
  readonly pki: Pki;
  readonly server: IssuedCertificate;
  readonly admin: IssuedCertificate;
  readonly serviceAccountKey: { readonly privateFile: string; readonly publicFile: string };
  readonly ports: { readonly etcd: number; readonly etcdPeer: number; readonly api: number };
  etcd?: Daemon;
  apiServer?: Daemon;
};

/** Makes certificates and keys and picks ports; starts nothing. */
export async function prepareParts(
  directory: string,
  binaries: ControlPlaneBinaries,
  extraArgs: readonly string[],
): Promise<ControlPlaneParts> {
  const pki = await createPki(join(directory, 'pki'), 'dimmer-lab-kubernetes');
  const serviceAccountKey = {
    privateFile: join(pki.directory, 'service-account.key'),
    publicFile: join(pki.directory, 'service-account.pub'),
  };
  const [server, admin] = await Promise.all([
    pki.issue({
      name: 'kube-apiserver',
      dns: ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
      ip: ['127.0.0.1', '10.96.0.1'],
    }),
    pki.issue({ name: 'lab-admin', organization: 'system:masters' }),
    createSigningKey(serviceAccountKey.privateFile, serviceAccountKey.publicFile),
  ]);
  const [etcd = 0, etcdPeer = 0, api = 0] = await freePorts(3);
  return { directory, binaries, extraArgs, pki, server, admin, serviceAccountKey, ports: { etcd, etcdPeer, api } };
}

/** Starts etcd; it need not be ready yet when this returns. */
export async function startEtcd(parts: ControlPlaneParts): Promise<Daemon> {
  const { directory, ports, server, pki } = parts;
  const client = `https://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  const data = join(directory, 'etcd');
  mkdirSync(data, { mode: 0o700 });
  return startDaemon({
    name: 'etcd',
    command: parts.binaries.etcd,
    logFile: join(directory, 'etcd.log'),
    args: [
      ...['--name', 'lab', '--data-dir', data],
      // A lab's data need not survive a power cut.
      '--unsafe-no-fsync',
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `lab=${peer}`],
      ...['--cert-file', server.certFile, '--key-file', server.keyFile],
      ...['--client-cert-auth', '--trusted-ca-file', pki.caFile, '--log-level', 'warn'],
    ],
  });
}

/** Starts kube-apiserver and waits until `/readyz` says yes. */
export async function startApiServer(parts: ControlPlaneParts): Promise<Daemon> {
  const { directory, ports, pki, server, admin, serviceAccountKey } = parts;
  const daemon = await startDaemon({
    name: 'kube-apiserver',
    command: parts.binaries.apiServer,
    logFile: join(directory, 'kube-apiserver.log'),
    // A fourth of its start is collecting garbage; memory for a few hundred MiB more there is.
    env: { GOGC: '400' },
    args: [
      `--etcd-servers=https://127.0.0.1:${ports.etcd}`,
      ...[`--etcd-cafile=${pki.caFile}`, `--etcd-certfile=${admin.certFile}`, `--etcd-keyfile=${admin.keyFile}`],
      ...['--bind-address=127.0.0.1', `--secure-port=${ports.api}`, `--cert-dir=${directory}`],
      ...[`--tls-cert-file=${server.certFile}`, `--tls-private-key-file=${server.keyFile}`],
      ...[`--client-ca-file=${pki.caFile}`, '--authorization-mode=RBAC'],
      // Nobody makes default service accounts here, and there are no pods to run.
      '--disable-admission-plugins=ServiceAccount',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${serviceAccountKey.publicFile}`,
      `--service-account-signing-key-file=${serviceAccountKey.privateFile}`,
      ...['--service-cluster-ip-range=10.96.0.0/24', '--endpoint-reconciler-type=none'],
      ...parts.extraArgs,
    ],
  });
  try {
    await waitUntilReady(parts, daemon);
  } catch (error) {
    daemon.kill('SIGKILL');
    throw error;
  }
  return daemon;
}

async function waitUntilReady(parts: ControlPlaneParts, apiServer: Daemon): Promise<void> {
  const { ports, pki, admin } = parts;
  const tls = { ca: pki.caPem, cert: readFileSync(admin.certFile), key: readFileSync(admin.keyFile) };
  const daemons = [apiServer, ...(parts.etcd === undefined ? [] : [parts.etcd])];
  const details = (): string => daemons.map((daemon) => daemon.logTail()).join('\n');
  await waitFor(
    async () => {
      for (const daemon of daemons) {
        const ended = daemon.ended();
        if (ended !== null) throw new GiveUp(`${daemon.name} ended with ${ended}\n${details()}`);
      }
      return (await statusOf(`https://127.0.0.1:${ports.api}/readyz`, tls)) === 200;
    },
    { what: 'kube-apiserver to be ready', timeoutMs: READY_TIMEOUT_MS, intervalMs: 100, details },
  );
}

function statusOf(url: string, tls: { ca: string; cert: Buffer; key: Buffer }): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const call = request(url, { ...tls, agent: false, timeout: 5000 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error('no answer within 5 s')));
    call.on('error', reject);
    call.end();
  });
}

/** Ends the processes and removes the directory. */
export async function stopParts(parts: ControlPlaneParts): Promise<void> {
  // Nothing in a lab needs an orderly end, and kube-apiserver takes its time for one.
  for (const daemon of [parts.apiServer, parts.etcd]) {
    daemon?.kill('SIGKILL');
    await daemon?.whenEnded;
  }
  removeLabDirectory(parts.directory);
}
