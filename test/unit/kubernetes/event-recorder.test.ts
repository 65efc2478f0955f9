import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HypervisorHost } from '../../../src/api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { createEventRecorder, type KubernetesEventRecorder } from '../../../src/kubernetes/event-recorder.ts';
import { hypervisorHosts, virtualMachineMemories } from '../../../src/kubernetes/resource-kind.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { RecordedEvent } from '../../../src/runtime/resources.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { FakeApiServer } from './support/fake-api-server.ts';
import { rawMemory } from './support/objects.ts';

let server: FakeApiServer;
let clock: ManualClock;
let recorder: KubernetesEventRecorder<VirtualMachineMemory | HypervisorHost>;

beforeEach(async () => {
  server = await FakeApiServer.start();
  clock = new ManualClock();
  recorder = createEventRecorder({
    client: server.client(),
    clock,
    logger: silentLogger,
    random: () => 0.5,
    queueLimit: 5,
  });
});
afterEach(() => server.close());

const memory = virtualMachineMemories.decode(rawMemory('db-1', '10'));
const host = hypervisorHosts.decode({ metadata: { name: 'hv', uid: 'uid-hv', resourceVersion: '7' } });
if (!memory.ok || !host.ok) throw new Error('bad fixture');

const refused: RecordedEvent = { type: 'Warning', reason: 'GuestRefused', action: 'Unplug', message: 'kept slot 3' };
const sent = (count: number): Promise<void> =>
  vi.waitFor(() => expect(server.written).toHaveLength(count), { timeout: 5_000, interval: 2 });
const accept = (): void => void server.writes.push(({ reply }) => reply(201, {}));

describe('event recorder', () => {
  it('creates an event in the namespace of its subject', async () => {
    accept();
    recorder.record(memory.value, refused);
    await sent(1);
    const [post] = server.written;
    expect(post?.method).toBe('POST');
    expect(post?.path).toBe('/apis/events.k8s.io/v1/namespaces/t/events');
    expect(post?.body).toMatchObject({
      kind: 'Event',
      metadata: { namespace: 't', name: expect.stringMatching(/^db-1\.[0-9a-f]+$/) as string },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'dimmer.dev/controller',
      type: 'Warning',
      reason: 'GuestRefused',
      action: 'Unplug',
      note: 'kept slot 3',
      regarding: {
        apiVersion: 'dimmer.dev/v1alpha1',
        kind: 'VirtualMachineMemory',
        namespace: 't',
        name: 'db-1',
        uid: 'uid-db-1',
        resourceVersion: '10',
      },
    });
  });

  it('puts events about hosts, which have no namespace, into default', async () => {
    accept();
    recorder.record(host.value, refused);
    await sent(1);
    expect(server.written[0]?.path).toBe('/apis/events.k8s.io/v1/namespaces/default/events');
    expect((server.written[0]?.body as { regarding: object }).regarding).not.toHaveProperty('namespace');
  });

  it('counts what repeats within ten minutes, and begins anew after that', async () => {
    accept();
    recorder.record(memory.value, refused);
    await sent(1);
    await clock.advance(9 * 60_000);
    recorder.record(memory.value, refused);
    await sent(2);
    await clock.advance(9 * 60_000);
    recorder.record(memory.value, refused);
    await sent(3);
    await clock.advance(10 * 60_000);
    recorder.record(memory.value, refused);
    await sent(4);
    const { name } = (server.written[0]?.body as { metadata: { name: string } }).metadata;
    expect(server.written.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'PATCH', 'POST']);
    expect(server.written[2]?.path).toBe(`/apis/events.k8s.io/v1/namespaces/t/events/${name}`);
    expect(server.written[2]?.headers['content-type']).toBe('application/merge-patch+json');
    expect(server.written[2]?.body).toEqual({ series: { count: 3, lastObservedTime: '2026-01-01T00:18:00.000000Z' } });
  });

  it('keeps what differs apart', async () => {
    accept();
    recorder.record(memory.value, refused);
    recorder.record(memory.value, { ...refused, message: 'kept slot 4' });
    recorder.record({ ...memory.value, metadata: { ...memory.value.metadata, uid: 'another' } }, refused);
    await sent(3);
    expect(server.written.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST']);
  });

  it('creates a series anew that somebody deleted', async () => {
    server.writes.push(
      ({ reply }) => reply(201, {}),
      ({ refuse }) => refuse(404, 'NotFound'),
      ({ reply }) => reply(201, {}),
    );
    recorder.record(memory.value, refused);
    recorder.record(memory.value, refused);
    await sent(3);
    expect(server.written.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'POST']);
  });

  it('waits out an outage, and drops what does not fit into its queue meanwhile', async () => {
    server.writes.push(
      ...Array.from(
        { length: 10 },
        () =>
          ({ cut }: { cut: () => void }) =>
            cut(),
      ),
    );
    accept();
    for (let event = 0; event < 20; event += 1) recorder.record(memory.value, { ...refused, message: `kept ${event}` });
    const bodies = (): string[] => server.written.slice(10).map(({ body }) => (body as { note: string }).note);
    await vi.waitFor(
      async () => {
        await clock.advance(5_000);
        // One is on its way, five wait.
        expect(bodies()).toEqual(['kept 0', 'kept 1', 'kept 2', 'kept 3', 'kept 4', 'kept 5']);
      },
      { timeout: 10_000, interval: 2 },
    );
  });

  it('gives up on an event that the server keeps refusing, and goes on with the next', async () => {
    server.writes.push(({ body, refuse, reply }) =>
      (body as { note: string }).note === 'kept slot 3' ? refuse(403, 'Forbidden') : reply(201, {}),
    );
    recorder.record(memory.value, refused);
    recorder.record(memory.value, { ...refused, message: 'last' });
    await vi.waitFor(
      async () => {
        await clock.advance(5_000);
        expect((server.written.at(-1)?.body as { note: string }).note).toBe('last');
      },
      { timeout: 10_000, interval: 2 },
    );
    expect(server.written).toHaveLength(7);
  });

  it('does not ask twice where a namespace is being deleted', async () => {
    server.writes.push(({ body, reply }) =>
      (body as { note: string }).note === 'last'
        ? reply(201, {})
        : reply(403, {
            kind: 'Status',
            reason: 'Forbidden',
            details: { causes: [{ reason: 'NamespaceTerminating' }] },
          }),
    );
    recorder.record(memory.value, refused);
    recorder.record(memory.value, { ...refused, message: 'last' });
    await sent(2);
  });

  it('cuts a long message at the limit of the API server, and no character in half', async () => {
    accept();
    recorder.record(memory.value, { ...refused, message: '😀'.repeat(1000) });
    recorder.record(memory.value, { ...refused, message: 'a'.repeat(1024) });
    await sent(2);
    const [first, second] = server.written.map(({ body }) => (body as { note: string }).note);
    expect(first).toMatch(/^(😀)+…$/u);
    expect(Buffer.byteLength(first ?? '')).toBeGreaterThan(1018);
    expect(Buffer.byteLength(first ?? '')).toBeLessThanOrEqual(1024);
    expect(second).toBe('a'.repeat(1024));
  });

  it('gives an event of a resource with the longest possible name a valid name', async () => {
    accept();
    const name = `${'a'.repeat(200)}-.-${'b'.repeat(50)}`.slice(0, 253);
    recorder.record({ ...memory.value, metadata: { ...memory.value.metadata, name } }, refused);
    await sent(1);
    const { metadata } = server.written[0]?.body as { metadata: { name: string } };
    expect(metadata.name.length).toBeLessThanOrEqual(253);
    expect(metadata.name).toMatch(/^a+(-\.-b*)?[ab]\.[0-9a-f]+$/);
  });

  it('sends what waits before it ends, and takes nothing more', async () => {
    accept();
    for (let event = 0; event < 4; event += 1) recorder.record(memory.value, { ...refused, message: `kept ${event}` });
    await recorder.close(2_000);
    recorder.record(memory.value, refused);
    expect(server.written).toHaveLength(4);
  });

  it('ends in time although the server does not answer', async () => {
    server.writes.push(() => undefined);
    recorder.record(memory.value, refused);
    await sent(1);
    const closed = recorder.close(2_000);
    await clock.advance(2_000);
    await closed;
  });
});
