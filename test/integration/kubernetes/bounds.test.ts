/** Whatever a host says, its status can be written: on a real API server, which judges by the schema. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Condition } from '../../../src/api/v1alpha1/meta.ts';
import { boundHostStatus, boundMemoryStatus } from '../../../src/api/v1alpha1/bounds.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { hostCrd, memoryCrd, samplesBeyond, statusSchemaOf } from '../../support/crd-schema.ts';
import { pathOf } from '../../lab/api-client.ts';
import { type DimmerCluster, eventually, memory, startClusterWithOne, uuid } from './support/dimmer-cluster.ts';
import { startLiveController } from './support/live-controller.ts';

let plane: DimmerCluster;
beforeAll(async () => {
  plane = await startClusterWithOne();
});
afterAll(() => plane.stop());

/** What the API server says of a status: empty when it takes it. */
async function judge(path: string, status: object): Promise<string> {
  const body = { ...((await plane.api.read(path)) as object), status };
  const answer = await plane.api.ask(`${path}/status?dryRun=All`, { method: 'PUT', body });
  return answer.status === 200 ? '' : answer.text;
}

describe.each([
  { kind: 'vmmem', object: pathOf('vmmem', 'db', 't'), file: memoryCrd, bound: boundMemoryStatus },
  { kind: 'hvh', object: pathOf('hvh', 'hv'), file: hostCrd, bound: boundHostStatus },
])('a status of $kind', ({ object, file, bound }) => {
  it.each([...samplesBeyond(statusSchemaOf(file))])(
    'with too much at $path is refused, and taken once it is bounded',
    async ({ value, path }) => {
      expect(await judge(object, value as object)).toContain('is invalid');
      expect([path, await judge(object, bound(value as object))]).toEqual([path, '']);
    },
  );
});

describe('with a controller', () => {
  type Seen = {
    readonly observedGeneration: number;
    readonly conditions?: readonly Condition[];
    readonly virtualMachine?: { readonly name: string };
  };
  const said = async (reason: string): Promise<Seen> =>
    eventually(`it to say ${reason}`, async () => {
      const object = await plane.get('vmmem', 'db', '-n', 't');
      const status = object['status'] as Seen;
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      return ready?.reason === reason && status.observedGeneration === object.metadata['generation'] && status;
    });

  it('names and aliases of any length are told, and a schema that refuses what is told gets a short status', async () => {
    const long = '💾'.repeat(1_000);
    const domain = { uuid, name: long, boot: gib(1), modules: [{ size: gib(1), alias: `ua-${long}` }] };
    const controller = await startLiveController(plane, { domains: { hv: [domain] } });
    try {
      const status = await said('Converged');
      expect(Array.from(status.virtualMachine?.name ?? '')).toHaveLength(255);

      // As a schema that isn't the controller's. (What has not changed the API server doesn't judge.)
      const path =
        '/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/plan/properties/message/maxLength';
      const patch = (value: number) =>
        plane.kubectlOk([
          'patch',
          'crd',
          'virtualmachinememories.dimmer.dev',
          '--type=json',
          '-p',
          JSON.stringify([{ op: 'replace', path, value }]),
        ]);
      await patch(5);
      await plane.apply(memory('db', 't', { memory: '3Gi' }));
      const short = await said('StatusRefused');
      const ready = short.conditions?.find(({ type }) => type === 'Ready');
      expect(ready?.message).toContain('status.plan.message');
      expect(short.conditions?.find(({ type }) => type === 'Stalled')?.status).toBe('True');
      expect(controller.host('hv').script.total(uuid)).toBe(gib(3));
      const events = await plane.kubectlOk(['events', '-n', 't', '--for', 'vmmem/db']);
      expect(events).toMatch(/Warning +StatusRefused/);
      await patch(32_768);
      await said('Converged');
    } finally {
      await controller.close();
    }
  });
});
