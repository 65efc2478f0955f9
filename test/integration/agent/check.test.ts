/** `dimmer agent check` on a real libvirt, with VMs that can and can't be served, and with certificates of all kinds. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkCertificates } from '../../../src/agent/check/certificates.ts';
import type { CheckReport } from '../../../src/agent/check/report.ts';
import { GiB, MiB } from '../../../src/memory/bytes.ts';
import { describeLab } from '../../lab/describe.ts';
import { freezeGuestAgent, hangGuestAgent, killGuestAgent, startGuestAgent } from '../../lab/guest-agent.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { setOwner } from '../../lab/owner.ts';
import { createPki, type Pki } from '../../lab/pki.ts';
import { type CommandResult, run } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';
import { builtMain } from '../../support/built-program.ts';

/** The user and group that nobody is. */
const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

describe('dimmer agent check: certificates', () => {
  let directory: string;
  let pki: Pki;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dimmer-check-'));
    pki = await createPki(join(directory, 'pki'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const verdicts = (paths: { certFile: string; keyFile: string; caFile?: string }, nowMs = Date.now()) =>
    checkCertificates({ caFile: pki.caFile, ...paths }, 'dimmer', nowMs).map(
      ({ verdict, subject, message }) => `${verdict} ${subject}: ${message}`,
    );

  test('that are good', async () => {
    const files = await pki.issue({ name: 'good', dns: ['hv.test'] });
    expect(verdicts(files)).toEqual([
      expect.stringMatching(/^ok certificate: .*good\.crt: CN=good, until \d{4}-\d\d-\d\d, for DNS:hv\.test$/),
      `ok private key: ${files.keyFile}: can be read, belongs to the certificate`,
      `ok client CA: ${pki.caFile}: CN=dimmer-lab-ca`,
    ]);
  });

  test('that have expired, will soon, begin later, name nobody or are not for servers', async () => {
    const issue = (name: string, more: object) => pki.issue({ name, dns: ['hv.test'], ...more });
    const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);
    expect(verdicts(await issue('old', { notAfter: inDays(-3) }))[0]).toMatch(/^problem .*expired on/);
    expect(verdicts(await issue('soon', { notAfter: inDays(9) }))[0]).toMatch(/^warning .*expires in 9 days/);
    expect(verdicts(await issue('early', { notBefore: inDays(1) }))[0]).toMatch(/^problem .*not valid before/);
    expect(verdicts(await pki.issue({ name: 'anonymous' }))[0]).toMatch(/^warning .*names no host/);
    const caFiles = { certFile: pki.caFile, keyFile: join(pki.directory, 'ca.key') };
    expect(verdicts({ ...caFiles, caFile: (await issue('leaf', {})).certFile })[2]).toMatch(/no certificate of a CA/);
    const tenYears = Date.now() + 3651 * 86_400_000;
    expect(verdicts(await issue('later', {}), tenYears)[2]).toMatch(/^problem client CA: .*expired on/);
  });

  test('that do not fit together, are missing or are no PEM', async () => {
    const [one, other] = [await pki.issue({ name: 'one', dns: ['a'] }), await pki.issue({ name: 'other', dns: ['a'] })];
    expect(verdicts({ ...one, keyFile: other.keyFile })[1]).toContain('does not belong to');
    const rubbish = join(directory, 'rubbish.pem');
    writeFileSync(rubbish, '-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n');
    for (const message of verdicts({ certFile: rubbish, keyFile: rubbish, caFile: rubbish })) {
      expect(message).toMatch(/^problem .*does not hold what it should/);
    }
    expect(verdicts({ ...one, caFile: '/nowhere/ca.pem' })[2]).toBe(
      'problem client CA: /nowhere/ca.pem does not exist',
    );
  });
});

await describeLab(
  'dimmer agent check, on libvirt',
  () => {
    let lab: Lab;
    let flags: string[];

    beforeAll(async () => {
      lab = await startLab({
        guests: [
          { kind: 'accepting', name: 'good' },
          { kind: 'no-os', name: 'flat', maxMemoryMib: null },
          { kind: 'no-os', name: 'full', slots: 1, balloon: false, nodes: [{ mib: 128, vcpus: 1 }] },
          { kind: 'accepting', name: 'off', leaveOff: true },
          { kind: 'accepting', name: 'spoken', guestAgent: true },
        ],
      });
      const { directory, caFile, issue } = await createPki(join(lab.hypervisor.directory, 'pki'));
      await issue({ name: 'agent', dns: ['localhost'] });
      flags = [
        '--listen=127.0.0.1:0',
        `--tls-cert-file=${join(directory, 'agent.crt')}`,
        `--tls-private-key-file=${join(directory, 'agent.key')}`,
        `--client-ca-file=${caFile}`,
        '--allow-client=urn:dimmer:controller',
      ];
      await lab.guests[2]?.plugDimm(128, 'ua-by-hand');
    });
    afterAll(() => lab.stop());

    const check = (more: readonly string[] = [], prefix: readonly string[] = []): Promise<CommandResult> => {
      const uri = `--libvirt-uri=qemu:///system?socket=${lab.hypervisor.socketPath}`;
      const [command = '', ...args] = [
        ...prefix,
        process.execPath,
        builtMain,
        'agent',
        'check',
        uri,
        ...flags,
        ...more,
      ];
      return run(command, args);
    };
    const reportOf = ({ stdout }: CommandResult): CheckReport => JSON.parse(stdout) as CheckReport;

    test('finds a good VM good, exits with 0, and changes nothing', async () => {
      await waitFor(async () => (await lab.hypervisor.virshOk(['dommemstat', 'good'])).includes('usable'), {
        what: 'libvirt to know statistics of the guest',
        timeoutMs: 20_000,
      });
      await lab.hypervisor.virshOk(['dommemstat', 'good', '--period', '1', '--live']);
      const before = await lab.guests[0]?.dumpXml();
      const result = await waitFor(
        async () => {
          const last = await check(['--allow-domains=good', '-o', 'json']);
          return reportOf(last).domains[0]?.reportsMemory === true && last;
        },
        { what: 'the guest to report', timeoutMs: 20_000 },
      );
      expect(result.stdout).not.toContain('"problem"');
      expect(result.code).toBe(0);
      const report = reportOf(result);
      expect(report).toMatchObject({ problems: 0, domains: [{ name: 'good', state: 'Running', findings: [] }] });
      expect(report.domains[0]).toMatchObject({
        ...{ boot: 512 * MiB, plugged: 0, max: 8 * GiB },
        slots: { total: 16, used: 0 },
        canGrow: true,
      });
      const subjects = ['libvirt', 'clients', 'certificate', 'private key', 'client CA', 'listen', 'memory', 'VMs'];
      expect(report.host.map(({ subject, verdict }) => [subject, verdict])).toEqual([
        ...subjects.map((subject) => [subject, 'ok']),
        ['owners', 'warning'],
      ]);
      expect(await lab.guests[0]?.dumpXml()).toBe(before);
    });

    test('tells what is the matter with the others, and exits with 1', async () => {
      const { stdout, code } = await check();
      expect(code, stdout).toBe(1);
      expect(stdout).toMatch(/ok +libvirt +libvirt \d+\.\d+\.\d+ with hypervisor \d+.* through .*libvirt-sock\n/);
      expect(stdout).toMatch(/ok +VMs +--allow-domains '\*' admits 5 of 5\n/);
      expect(stdout).toMatch(/flat +Running +512Mi +0 +- +- +no/);
      expect(stdout).toMatch(/problem +flat +The domain has no <maxMemory slots="...">/);
      expect(stdout).toMatch(/full +Running +128Mi +128Mi +8Gi +1 of 1 +yes +no/);
      expect(stdout).toMatch(/warning +full +its only slot is in use/);
      expect(stdout).toMatch(/warning +full +it will get at most 2Gi of its maximum of 8Gi/);
      expect(stdout).toMatch(/warning +full +it has no memory balloon/);
      expect(stdout).toMatch(/off +ShutOff +512Mi +0 +8Gi +0 of 16 +to 8Gi by 128Mi +-/);
      expect(stdout).toMatch(/\n1 problem, \d+ warnings\n$/);
    });

    test('counts running VMs without an owner, of those that it serves', async () => {
      const owners = async (...more: string[]) =>
        reportOf(await check([...more, '-o', 'json'])).host.find(({ subject }) => subject === 'owners');
      expect(await owners()).toMatchObject({
        verdict: 'warning',
        message: expect.stringMatching(/^4 of 4 running VMs have no owner/) as string,
      });
      await setOwner(lab.hypervisor, 'good', 'tenants');
      expect((await owners())?.message).toMatch(/^3 of 4 running VMs have no owner: .*spec\.requireOwner/);
      expect(await owners('--allow-domains=good')).toEqual({
        ...{ verdict: 'ok', subject: 'owners', message: 'every running VM is reserved for a namespace' },
      });
      await setOwner(lab.hypervisor, 'good', null);
    });

    test("asks Debian's own agent in a guest, where it may, and tells whatever it says or doesn't", async () => {
      const [, , , , spoken] = lab.guests;
      if (spoken === undefined) throw new Error('no guest with an agent');
      const asked = async (): Promise<string> => {
        const { domains } = reportOf(await check(['--guest-agent', '--allow-domains=spoken', '-o', 'json']));
        return (domains[0]?.findings ?? [])
          .flatMap(({ message }) => (message.includes('guest agent') ? message : []))
          .join();
      };
      const silent = 'its QEMU guest agent does not answer: start qemu-guest-agent in the guest';
      const offline = 'its QEMU guest agent says that 4 blocks of 128Mi are offline';
      expect(await asked()).toBe(silent);
      await startGuestAgent(spoken);
      expect(await asked()).toBe('');
      await spoken.shOk('echo offline >/sys/devices/system/memory/auto_online_blocks');
      await spoken.plugDimm(512, 'ua-offline');
      await waitFor(async () => (await asked()) === offline, {
        ...{ what: 'the agent to tell of the blocks', timeoutMs: 30_000, details: asked },
      });
      // Too slow: it is asked, and has not read what it is to answer when nobody waits any more.
      const slow = await hangGuestAgent(spoken);
      expect(await asked()).toBe(silent);
      await slow.hangs();
      await slow.letGo();
      expect(await asked()).toBe(offline);
      // Not even in step.
      await freezeGuestAgent(spoken, true);
      expect(await asked()).toBe(silent);
      await freezeGuestAgent(spoken, false);
      // It ends in the middle of an answer.
      const { hangs, letGo } = await hangGuestAgent(spoken);
      const answer = asked();
      await hangs();
      await killGuestAgent(spoken);
      expect(await answer).toBe(silent);
      await letGo();
      for (const blocked of ['guest-get-memory-block-info', 'guest-get-memory-blocks']) {
        await startGuestAgent(spoken, [blocked]);
        expect(await asked()).toMatch(/^its QEMU guest agent does not tell its memory blocks: allow /);
        await killGuestAgent(spoken);
      }
      await startGuestAgent(spoken);
      expect(await asked()).toBe(offline);
      await spoken.shOk(
        'for block in /sys/devices/system/memory/memory*; do echo online_movable >$block/state; done; true',
      );
      expect(await asked()).toBe('');
    });

    test('says that it could serve nobody, and listen nowhere', async () => {
      expect((await check(['--allow-domains=nobody-*'])).stdout).toMatch(/warning +VMs .*would serve none/);
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      expect((await check([`--listen=127.0.0.1:${port}`])).stdout).toMatch(/warning +listen +127.*in use already/);
      server.close();
      expect((await check(['--listen=192.0.2.1:9443'])).stdout).toMatch(/problem +listen +the agent cannot listen/);
    });

    test('tells a user without rights which group it must be in, and which files it may not read', async () => {
      const { stdout, code } = await check([], nobody);
      expect(code).toBe(1);
      expect(stdout).toMatch(/problem +libvirt +user nobody may not use .*libvirt-sock \(group root, mode 0700\)/);
      expect(stdout).toMatch(/problem +private key +.*agent\.key may not be read by user nobody/);
    });

    test('tells that nobody listens, and that there is no libvirt', async () => {
      await lab.hypervisor.killDaemon();
      expect((await check()).stdout).toMatch(/problem +libvirt +nobody listens on .*libvirt-sock; start libvirt/);
      await lab.hypervisor.startDaemon();
      const { stdout } = await check(['--libvirt-uri=qemu:///system?socket=/nowhere/sock']);
      expect(stdout).toMatch(/problem +libvirt +there is no \/nowhere\/sock; install and start libvirt/);
    });
  },
  ['hypervisor', 'guest-agent'],
);
