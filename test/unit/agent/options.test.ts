import { describe, expect, it } from 'vitest';
import { readAgentArguments } from '../../../src/cmd/agent/options.ts';
import { runProgram } from '../../support/built-program.ts';

const file = import.meta.filename;
const files = [`--tls-cert-file=${file}`, `--tls-private-key-file=${file}`, `--client-ca-file=${file}`];
const client = '--allow-client=spiffe://dimmer.test/controller';

describe('dimmer agent: command line', () => {
  it('reads everything', () => {
    const read = readAgentArguments([
      ...files,
      client,
      '--allow-client=urn:other',
      '--allow-domains=tenant-*',
      '--listen=127.0.0.1:0',
      '--libvirt-uri=qemu:///system?socket=/run/x',
      '--log-level=debug',
    ]);
    expect(read).toMatchObject({
      kind: 'serve',
      options: {
        allowClients: ['spiffe://dimmer.test/controller', 'urn:other'],
        allowDomains: 'tenant-*',
        listen: { host: '127.0.0.1', port: 0 },
        driver: { kind: 'libvirt', endpoint: { sockets: ['/run/x'], openUri: 'qemu:///system' } },
        logLevel: 'debug',
      },
    });
  });

  it.each([
    [[], { kind: 'libvirt', endpoint: { openUri: 'qemu:///system' } }],
    [['--driver=libvirt'], { kind: 'libvirt' }],
    [['--driver=simulated'], { kind: 'simulated', numbers: { first: 1, last: 4 } }],
    [['--driver=simulated', '--simulated-vms=10000'], { kind: 'simulated', numbers: { first: 1, last: 10_000 } }],
    [['--driver=simulated', '--simulated-vms', '101-200'], { kind: 'simulated', numbers: { first: 101, last: 200 } }],
    [['--driver=simulated', '--simulated-vms=999999999-999999999'], { numbers: { first: 999_999_999 } }],
  ])('%j: whose VMs', (argv, driver) => {
    expect(readAgentArguments([...files, client, ...argv])).toMatchObject({ kind: 'serve', options: { driver } });
  });

  it.each([
    [[...files], '--allow-client is required'],
    [[...files, '--allow-client=anybody'], "--allow-client: 'anybody' is not a URI"],
    [[...files, '--allow-client=urn:a, URI:urn:b'], 'is not a URI'],
    [[...files, client, '--listen=nowhere'], "--listen: 'nowhere' is not HOST:PORT"],
    [[...files, client, '--libvirt-uri=xen:///'], '--libvirt-uri'],
    [[...files, client, '--driver=xen'], "--driver: 'xen' is not libvirt or simulated"],
    [[...files, '--driver=simulated'], '--allow-client is required'],
    [[client, '--driver=simulated', '--tls-cert-file=/nonexistent'], '--tls-cert-file: file /nonexistent'],
    [[...files, client, '--driver=simulated', '--libvirt-uri=qemu:///system'], '--libvirt-uri is not for --driver'],
    [[...files, client, '--simulated-vms=4'], '--simulated-vms is only for --driver simulated'],
    [[...files, client, '--driver=libvirt', '--simulated-vms=4'], '--simulated-vms is only for --driver simulated'],
    ...['0', '10001', '0-3', '5-4', '1-10001', '-4', '1.5', 'four', '', '1-2-3', '1234567890'].map(
      (vms): [string[], string] => [
        [...files, client, '--driver=simulated', `--simulated-vms=${vms}`],
        `--simulated-vms: '${vms}' is not`,
      ],
    ),
    [['check', '--driver=simulated'], '--driver'],
    [['check', '--simulated-vms=4'], '--simulated-vms'],
    [['release', '--driver=simulated', '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11'], '--driver'],
    [[...files, client, '--log-level=loud'], "--log-level: 'loud'"],
    [[client, '--tls-cert-file=/nonexistent'], '--tls-cert-file: file /nonexistent'],
    [[...files, client, '--frobnicate'], '--frobnicate'],
    [[...files, client, 'stray'], 'stray'],
    [['release'], 'release takes one UUID'],
    [['release', 'a', 'b'], 'release takes one UUID'],
    [['release', '../x'], "'../x' is not a UUID"],
  ])('%j: one line that names what is wrong', (argv, expected) => {
    const read = readAgentArguments(argv);
    expect(read.kind).toBe('bad-usage');
    if (read.kind !== 'bad-usage') return;
    expect(read.problem).toContain(expected);
    expect(read.problem).not.toContain('\n');
  });

  it('says how it is used, and exits 1 on a mistake', async () => {
    const help = await runProgram(['agent', '--help']);
    expect([help.exit, help.stderr]).toEqual([0, '']);
    expect(help.stdout).toContain('--allow-client URI');
    expect(await runProgram(['agent'])).toEqual({
      ...{ exit: 1, stdout: '' },
      stderr:
        'dimmer agent: --allow-client is required: without it every client of the CA would be admitted; ' +
        "'dimmer agent --help' says more\n",
    });
  });
});
