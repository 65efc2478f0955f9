/** Text that means something to XML, JSON or a shell, in every string: refused, or kept as it was sent. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { stateNamespace } from '../../../src/libvirt/xml/operation-state.ts';
import { ownerNamespace } from '../../../src/libvirt/xml/owner.ts';
import { readState } from '../../../src/libvirt/xml/read-operation-state.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { claim, codeOf, plugRequest, valueOf } from '../../contract/bench.ts';
import { describeAgent } from './agent-bench.ts';
import { type ApiRequest, askApi, type Credentials } from './api-client.ts';

const nasty = [
  ...[
    '<',
    '>',
    '&',
    '"',
    "'",
    '&lt;',
    '&#60;',
    '&#x0;',
    ']]>',
    '<![CDATA[x]]>',
    '<!--',
    '-->',
    '<?xml?>',
    '<!DOCTYPE a>',
  ],
  ...[`x"/><memory model='dimm'/>`, '%3Cx%3E', '$(reboot)', '`x`', '\\', '\n', '\r\n', '\t', ' ', '\u0000', '\u0001'],
  ...['\ufffe', '\u202e', 'é', '\u{1f4a5}', '\ud800', '{"a":1}', "' or 1=1 --"],
];
const strings = ['clusterId', 'objectUid', 'replacesUid', 'namespace'] as const;
const cases = strings.flatMap((field) => nasty.map((text) => ({ field, text: `a${text}b` })));

await describeAgent('text that means something', { uncleared: true }, (bench) => {
  const { observe, until } = bench;
  let credentials: Credentials;
  beforeAll(async () => {
    const { directory, caPem } = bench.pki.pki;
    const [cert, key] = ['crt', 'key'].map((end) => readFileSync(join(directory, `controller.${end}`)));
    credentials = { ca: caPem, ...(cert && { cert }), ...(key && { key }) };
    await until('the guest is up', (o) => !o.booting);
  });

  const modulesPath = () => `/v1/domains/${bench.guest.uuid}/memory/modules`;
  const ask = async (path: string, options: ApiRequest) => {
    const answer = await askApi(bench.agent.port, credentials, path, options);
    return { ...answer, code: answer.status < 300 ? 'ok' : (JSON.parse(answer.body) as { code: string }).code };
  };
  const post = async (more: object) =>
    ask(modulesPath(), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'if-match': `"${(await observe()).revision}"` },
      body: JSON.stringify({ ...plugRequest(0, mib(128)), ...more }),
    });
  const drop = async (more: object, slot = '0') =>
    ask(`${modulesPath()}/${slot}?${new URLSearchParams({ ...claim, ...more, generation: '1' }).toString()}`, {
      method: 'DELETE',
      headers: { 'if-match': `"${(await observe()).revision}"` },
    });
  /** What stands in the domain's metadata, as an admin of the host sees it. */
  const kept = async () => {
    const { code, stdout } = await bench.lab.hypervisor.virsh(['metadata', bench.guest.uuid, stateNamespace]);
    return code === 0 ? readState(stdout.trim()) : null;
  };

  test.each([
    ['plug', post],
    ['unplug', drop],
  ] as const)('in a %s: refused in every field, and nothing is written', async (_operation, send) => {
    const before = await observe();
    for (const { field, text } of cases) {
      const { code, status, type } = await send({ [field]: text });
      expect([code, status, type], `${field} ${JSON.stringify(text)}`).toEqual([
        ...['bad-request', 400],
        'application/problem+json',
      ]);
    }
    expect(await kept()).toBeNull();
    expect(await observe()).toMatchObject({ revision: before.revision, claim: null, layout: { modules: [] } });
  });

  test('in paths: refused; in If-Match: another revision', async () => {
    const query = new URLSearchParams({ ...claim, generation: '1' }).toString();
    const send = (path: string, tag: string) =>
      ask(`${path}?${query}`, { method: 'DELETE', headers: { 'if-match': tag } });
    for (const text of nasty) {
      const escaped = encodeURIComponent(text.toWellFormed());
      for (const path of [
        `/v1/domains/${bench.guest.uuid}${escaped}/memory/modules/0`,
        `${modulesPath()}/0${escaped}`,
      ]) {
        expect(['bad-request', 'no-such-route'], path).toContain((await send(path, '"x"')).code);
      }
    }
    for (const tag of [`"<x>&'"`, '"&quot;"']) {
      expect((await send(`${modulesPath()}/0`, tag)).code).toBe('stale-revision');
    }
  });

  test('what is allowed is kept as it was sent, however long', async () => {
    const long = {
      clusterId: 'AZaz09._:-'.repeat(13).slice(0, 128),
      objectUid: '-_.:'.repeat(32),
      namespace: `a${'-'.repeat(61)}z`,
      generation: Number.MAX_SAFE_INTEGER,
    };
    expect(await post(long)).toMatchObject({ code: 'ok', status: 201 });
    expect((await observe()).claim).toEqual(long);
    expect(await kept()).toMatchObject({ ok: true, value: { claim: long, marks: [] } });
    const { generation: _generation, ...names } = long;
    expect((await drop(names)).code).toBe('old-generation');
    const last = await bench.client.unplug(bench.guest.uuid, (await observe()).revision, { ...long, slot: 0 });
    expect(codeOf(last)).toBe('ok');
    expect(await kept()).toMatchObject({ ok: true, value: { claim: long, marks: [{ slot: 0 }] } });
  });

  describe('that the host gives', () => {
    test("as a VM's name: told as it is", async () => {
      const name = `a<b>&"c'd]]>é\u{1f4a5}`;
      const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
      const file = join(bench.lab.hypervisor.directory, 'named.xml');
      const escaped = name.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
      writeFileSync(
        file,
        `<domain type='qemu'><name>${escaped}</name><uuid>${uuid}</uuid><memory>65536</memory><os><type>hvm</type></os></domain>`,
      );
      await bench.lab.hypervisor.virshOk(['define', file]);
      expect(valueOf(await bench.client.listDomains())).toContainEqual({ uuid, name, state: 'ShutOff' });
      const { revision, ...observed } = valueOf(await bench.client.observe(uuid));
      expect(observed.name).toBe(name);
      const answer = await bench.client.plug(uuid, revision, plugRequest(0, mib(128)));
      expect(answer).toMatchObject({ ok: false, error: { code: 'not-running' } });
      expect(answer.ok ? '' : answer.error.message).toContain(name);
    });

    test('as the owner of a VM: nobody may use it, and its admin is told why', async () => {
      const { virshOk } = bench.lab.hypervisor;
      const owner = `<owner namespace="a&lt;b&amp;&quot;"/>`;
      await virshOk(['metadata', bench.guest.uuid, ownerNamespace, '--key', 'own', '--set', owner, '--live']);
      const answer = await bench.client.observe(bench.guest.uuid);
      expect(answer).toMatchObject({ ok: false, error: { code: 'claimed-by-other' } });
      expect(answer.ok ? '' : answer.error.message).toMatch(
        /owner\/@namespace is not the name of a namespace\); an admin of the host can write the owner element anew/,
      );
      await virshOk(['metadata', bench.guest.uuid, ownerNamespace, '--remove', '--live']);
      expect(codeOf(await bench.client.observe(bench.guest.uuid))).toBe('ok');
    });
  });
});
