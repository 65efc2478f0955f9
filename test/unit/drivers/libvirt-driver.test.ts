/** libvirt in the words of the agent's port: events, failures, and what is kept with a domain. */
import { describe, expect, it } from 'vitest';
import type { DriverEvent } from '../../../src/agent/driver.ts';
import { type DriverErrorClass, isAnswered, toHostError } from '../../../src/agent/driver-error.ts';
import { createLibvirtDriver } from '../../../src/drivers/libvirt/driver.ts';
import {
  LibvirtCallError,
  LibvirtDeadlineError,
  LibvirtDisconnectedError,
  LibvirtProtocolError,
} from '../../../src/libvirt/domain/errors.ts';
import type { DomainEvent } from '../../../src/libvirt/domain/events.ts';
import type { Hypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { stateNamespace, writeState } from '../../../src/libvirt/xml/operation-state.ts';
import { ownerNamespace } from '../../../src/libvirt/xml/owner.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { emptyOperationState } from '../../../src/memory/operation-state.ts';
import { claim } from '../../contract/bench.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
const domain = { uuid, name: 'db-1', id: 1 };
const driverOn = (hypervisor: Partial<Hypervisor>) => createLibvirtDriver(hypervisor as Hypervisor);

describe('events', () => {
  it('are told in the words of the port, by the alias that the XML has; metadata of the agent are no news', () => {
    let tell: (event: DomainEvent) => void = () => undefined;
    const heard: DriverEvent[] = [];
    driverOn({
      onEvent(listener) {
        tell = listener;
        return () => undefined;
      },
    }).onEvent((event) => heard.push(event));
    // Booted, migrated, restored, from a snapshot, woken, and what a newer libvirt may know.
    for (const detail of [0, 1, 2, 3, 4, 99]) tell({ domain, kind: 'lifecycle', change: 'started', detail });
    for (const change of ['stopped', 'suspended', 'crashed', 'other'] as const) {
      tell({ domain, kind: 'lifecycle', change, detail: 0 });
    }
    tell({ domain, kind: 'reboot' });
    tell({ domain, kind: 'balloon', actual: gib(1) });
    for (const namespaceUri of [stateNamespace, null, ownerNamespace]) tell({ domain, kind: 'metadata', namespaceUri });
    tell({ domain, kind: 'deviceAdded', alias: 'memua-dimmer-1' });
    tell({ domain, kind: 'deviceRemoved', alias: 'ua-dimmer-1' });
    tell({ domain, kind: 'deviceRemovalFailed', alias: 'ua-dimmer-2' });
    expect(heard).toEqual([
      ...[false, true, true, true, true, true].map((goesOn) => ({ domain, kind: 'started', goesOn })),
      ...['stopped', 'changed', 'changed', 'changed', 'rebooted', 'balloon-changed', 'owner-changed'].map((kind) => ({
        domain,
        kind,
      })),
      { domain, kind: 'module-added', alias: 'ua-dimmer-1' },
      { domain, kind: 'module-removed', alias: 'ua-dimmer-1' },
      { domain, kind: 'module-refused', alias: 'ua-dimmer-2' },
    ]);
  });
});

describe('failures', () => {
  const call = (code: number) => new LibvirtCallError({ code, domain: 10, text: 'no' }, 'detach');
  it.each<[Error, DriverErrorClass, boolean, string]>([
    [call(42), 'DomainNotFound', true, 'not-found'],
    [call(99), 'DeviceNotFound', true, 'rejected'],
    [call(80), 'Rejected', true, 'rejected'],
    [call(55), 'InvalidState', true, 'not-running'],
    [call(68), 'Busy', true, 'busy'],
    [call(88), 'Forbidden', true, 'rejected'],
    [call(8), 'Rejected', true, 'rejected'],
    [call(3), 'Unsupported', true, 'hotplug-unsupported'],
    [call(1), 'Failed', true, 'hypervisor-failed'],
    [new LibvirtDisconnectedError('detach', true, 'lost'), 'OutcomeUnknown', false, 'outcome-unknown'],
    [new LibvirtDisconnectedError('detach', false, 'lost'), 'Unreachable', false, 'hypervisor-unreachable'],
    [new LibvirtDeadlineError('detach', true, 10), 'OutcomeUnknown', false, 'outcome-unknown'],
    [new LibvirtDeadlineError('detach', false, 10), 'Unreachable', false, 'hypervisor-unreachable'],
    [new LibvirtProtocolError('detach', true, 'rubbish'), 'OutcomeUnknown', false, 'outcome-unknown'],
    [new LibvirtProtocolError('detach', false, 'rubbish'), 'NotUnderstood', false, 'internal-error'],
  ])('%s is %s: answered %s, to callers %s', async (error, errorClass, answered, code) => {
    const failed: unknown = await driverOn({ detachDeviceAlias: () => Promise.reject(error) })
      .detach(uuid, 'ua-dimmer-0')
      .catch((cause: unknown) => cause);
    expect(failed).toMatchObject({ name: 'DriverError', class: errorClass, cause: error });
    expect(isAnswered(failed)).toBe(answered);
    expect(toHostError(failed).code).toBe(code);
  });

  it('that are faults of ours stay what they are, and no module is attached', async () => {
    const attached: string[] = [];
    const driver = driverOn({
      attachDevice(_uuid, xml) {
        attached.push(xml);
        return Promise.resolve();
      },
    });
    const failed: unknown = await driver
      .attach(uuid, { slot: 300, alias: 'ua-dimmer-300', size: mib(128), node: 0 })
      .catch((cause: unknown) => cause);
    expect(failed).toBeInstanceOf(RangeError);
    expect([attached, isAnswered(failed), toHostError(failed).code]).toEqual([[], false, 'internal-error']);
  });
});

describe('what is kept with a domain', () => {
  it('goes through the agent with what only a newer Dimmer knows', async () => {
    const kept = (writeState({ ...emptyOperationState, claim }) ?? '')
      .replace('<state', `<state xmlns='${stateNamespace}'`)
      .replace('<claim', '<claim mood="calm"');
    let written = '';
    const driver = driverOn({
      domainXml: () =>
        Promise.resolve(
          `<domain type='kvm' id='1'><name>db-1</name><uuid>${uuid}</uuid><metadata>${kept}</metadata>` +
            `<memory unit='GiB'>1</memory></domain>`,
        ),
      setMetadata(_uuid, _uri, _prefix, xml) {
        written = xml ?? '';
        return Promise.resolve();
      },
    });
    const described = await driver.describe(uuid);
    if (!described.ok || !described.value.state.ok) throw new Error('is not understood');
    const { unread, ...state } = described.value.state.value;
    await driver.writeOperationState(uuid, { ...state, replacement: { slot: 3, generation: 1 } }, unread);
    expect(written).toContain('mood="calm"');
    expect(written).toContain('<replacement slot="3"');
  });
});
