/** RPC over TLS, against a real libvirtd that listens in the lab's own network namespace. */
import { mkdirSync, copyFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dialEndpoint } from '../../../src/libvirt/rpc/dial.ts';
import { createHypervisor, type Hypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { type ConnectionChange, Session } from '../../../src/libvirt/rpc/session.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { parseLibvirtUri } from '../../../src/libvirt/rpc/uri.ts';
import { type Daemon, startDaemon } from '../../lab/daemon.ts';
import { describeLab } from '../../lab/describe.ts';
import { createLabDirectory, removeLabDirectory } from '../../lab/directory.ts';
import { type LabHypervisor, startHypervisor } from '../../lab/hypervisor.ts';
import { createPki, type IssuedCertificate, type Pki } from '../../lab/pki.ts';
import { waitFor } from '../../lab/wait.ts';

/** Runs inside the namespace: takes connections on a UNIX socket to libvirtd's port there. */
const relayScript = `
  const net = require('node:net');
  net.createServer((from) => {
    const to = net.connect(16514, '127.0.0.1');
    from.pipe(to).pipe(from);
    for (const [one, other] of [[from, to], [to, from]]) { one.on('error', () => other.destroy()); one.on('close', () => other.destroy()); }
  }).listen(process.argv[1]);`;

/** Forwards a port of this machine to the relay. */
async function forward(path: string): Promise<{ server: Server; port: number }> {
  const server = createServer((from) => {
    const to = connect(path);
    from.pipe(to).pipe(from);
    from.on('error', () => to.destroy()).on('close', () => to.destroy());
    to.on('error', () => from.destroy()).on('close', () => from.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port };
}

await describeLab(
  'libvirt over TLS',
  () => {
    let pkiDirectory: string;
    let pki: Pki;
    let strangers: Pki;
    let lab: LabHypervisor;
    let libvirtd: Daemon;
    let relay: Daemon;
    let server: Server;
    let port: number;
    const open: Hypervisor[] = [];

    beforeAll(async () => {
      pkiDirectory = createLabDirectory();
      pki = await createPki(join(pkiDirectory, 'ours'));
      strangers = await createPki(join(pkiDirectory, 'theirs'), 'strangers');
      const daemon = await pki.issue({ name: 'libvirtd', dns: ['localhost'] });
      lab = await startHypervisor({
        libvirtdConf: [
          ...['listen_tls = 1', 'listen_tcp = 0', 'auth_tls = "none"', `ca_file = "${pki.caFile}"`],
          ...[`cert_file = "${daemon.certFile}"`, `key_file = "${daemon.keyFile}"`, 'tls_no_sanity_certificate = 1'],
        ],
      });
      // libvirtd heeds listen_tls only with --listen.
      await lab.killDaemon('SIGTERM');
      const [command, args] = lab.commandInside('libvirtd', ['--listen', '--pid-file', join(lab.directory, 'tls.pid')]);
      libvirtd = await startDaemon({ name: 'libvirtd', command, args, logFile: join(lab.directory, 'tls.log') });
      const relayPath = join(lab.directory, 'relay.sock');
      const [node, nodeArgs] = lab.commandInside(process.execPath, ['-e', relayScript, relayPath]);
      relay = await startDaemon({
        name: 'relay',
        command: node,
        args: nodeArgs,
        logFile: join(lab.directory, 'relay'),
      });
      ({ server, port } = await forward(relayPath));
    });

    afterAll(async () => {
      await Promise.all(open.map((hypervisor) => hypervisor.close()));
      server.close();
      await relay.stop();
      await libvirtd.stop();
      await lab.stop();
      removeLabDirectory(pkiDirectory);
    });

    /** A directory as libvirt's `pkipath` has it. */
    function pkiPath(name: string, caFile: string, client: IssuedCertificate): string {
      const directory = join(pkiDirectory, name);
      mkdirSync(directory, { recursive: true });
      copyFileSync(caFile, join(directory, 'cacert.pem'));
      copyFileSync(client.certFile, join(directory, 'clientcert.pem'));
      copyFileSync(client.keyFile, join(directory, 'clientkey.pem'));
      return directory;
    }

    function connectTo(host: string, directory: string): { hypervisor: Hypervisor; changes: ConnectionChange[] } {
      const endpoint = parseLibvirtUri(`qemu+tls://${host}:${port}/system?pkipath=${directory}`);
      if (!endpoint.ok) throw new Error(endpoint.error);
      const session = new Session({
        endpoint: endpoint.value,
        dial: dialEndpoint,
        clock: systemClock,
        random: Math.random,
      });
      const hypervisor = createHypervisor(session);
      const changes: ConnectionChange[] = [];
      hypervisor.onConnection((change) => void changes.push(change));
      hypervisor.start();
      open.push(hypervisor);
      return { hypervisor, changes };
    }

    const connected = (changes: readonly ConnectionChange[]) =>
      waitFor(() => changes.at(-1)?.kind === 'connected', { what: 'the connection', timeoutMs: 20_000 });

    test('works with a certificate that the daemon knows', async () => {
      const directory = pkiPath('known', pki.caFile, await pki.issue({ name: 'client' }));
      const { hypervisor, changes } = connectTo('localhost', directory);
      await connected(changes);
      expect((await hypervisor.info()).hypervisorVersion).toBeGreaterThan(5_000_000);
      expect(await hypervisor.listDomains()).toEqual([]);
    });

    test('refuses on either side are told as forbidden, and are no storm', async () => {
      const mine = await pki.issue({ name: 'client' });
      const cases = [
        connectTo('127.0.0.1', pkiPath('name', pki.caFile, mine)), // not the name in the daemon's certificate
        connectTo('localhost', pkiPath('daemon', strangers.caFile, mine)), // a daemon that we don't trust
        connectTo('localhost', pkiPath('client', pki.caFile, await strangers.issue({ name: 'eve' }))), // nor it us
        connectTo('localhost', pkiPath('old', pki.caFile, await pki.issue({ name: 'old', notAfter: new Date(0) }))),
      ];
      for (const { changes } of cases) {
        await waitFor(() => changes.length > 0, { what: 'the refusal', timeoutMs: 20_000 });
        expect(changes[0]).toMatchObject({ kind: 'disconnected', reason: 'Forbidden' });
      }
      await Promise.all(cases.map(({ hypervisor }) => hypervisor.close()));
    });

    test('takes a rotated certificate at the next connect', async () => {
      const directory = pkiPath('rotated', pki.caFile, await strangers.issue({ name: 'eve' }));
      const { changes } = connectTo('localhost', directory);
      await waitFor(() => changes.length > 0, { what: 'the refusal', timeoutMs: 20_000 });
      pkiPath('rotated', pki.caFile, await pki.issue({ name: 'client' }));
      await connected(changes);
    });

    test('says which file is missing', async () => {
      const { hypervisor, changes } = connectTo('localhost', '/nowhere');
      await waitFor(() => changes.length > 0, { what: 'the failure', timeoutMs: 20_000 });
      await hypervisor.close();
      expect(changes[0]).toMatchObject({ message: expect.stringContaining('/nowhere/c') as string });
    });
  },
  ['hypervisor'],
);
