/** What the agent writes is held to libvirt's own RelaxNG schema, by libxml2. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytes, gib, mib } from '../../../src/memory/bytes.ts';
import { aliasOfSlot } from '../../../src/memory/module.ts';
import { type DimmRequest, writeDimmXml } from '../../../src/libvirt/xml/device.ts';
import { describeLab } from '../../lab/describe.ts';
import { run } from '../../lab/run.ts';

const schema =
  '<grammar xmlns="http://relaxng.org/ns/structure/1.0">' +
  '<include href="/usr/share/libvirt/schemas/domaincommon.rng"/><start><ref name="memorydev"/></start></grammar>';

const request = (wish: Partial<DimmRequest>): DimmRequest => ({
  slot: 0,
  alias: aliasOfSlot(0),
  size: gib(1),
  node: 0,
  ...wish,
});

const requests: [string, DimmRequest][] = [
  ['ordinary memory', request({})],
  ['the last slot', request({ slot: 255, alias: aliasOfSlot(255) })],
  ['huge pages', request({ pageSize: mib(2) })],
  ['huge pages of 1 GiB on some host nodes', request({ pageSize: gib(1), hostNodes: [0, 2, 3] })],
  ['a base', request({ base: bytes(0x100000000) })],
  ['1 KiB', request({ size: bytes(1024) })],
  ['16 TiB', request({ size: gib(16 * 1024) })],
  ['everything', request({ slot: 7, node: 3, pageSize: mib(2), hostNodes: [1], base: bytes(0x7fffffff000) })],
];

await describeLab(
  "libvirt's schema",
  () => {
    let directory: string;
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'dimmer-schema-'));
      await writeFile(join(directory, 'memory.rng'), schema);
    });
    afterAll(() => rm(directory, { recursive: true }));

    const validate = async (xml: string): Promise<{ code: number | null; output: string }> => {
      await writeFile(join(directory, 'device.xml'), xml);
      const args = ['--noout', '--relaxng', join(directory, 'memory.rng'), join(directory, 'device.xml')];
      const { code, stderr } = await run('xmllint', args);
      return { code, output: stderr };
    };

    test.each(requests)('admits %s', async (_name, wish) => {
      expect(await validate(writeDimmXml(wish))).toMatchObject({ code: 0 });
    });

    test('would have said no', async () => {
      const broken = writeDimmXml(request({})).replace('ua-dimmer-0', 'ua-<>').replace('<>', '%');
      expect(await validate(broken)).toMatchObject({ code: 3 });
      expect(await validate(writeDimmXml(request({})).replace('model="dimm"', ''))).toMatchObject({ code: 3 });
    });
  },
  ['hypervisor'],
);
