import { describe, expect, it } from 'vitest';
import type {
  VirtualMachineMemory,
  VirtualMachineMemoryStatus,
} from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { Unwritten, withUnwritten } from '../../../src/controllers/memory/unwritten.ts';

const resource = (status?: VirtualMachineMemoryStatus, uid = 'u'): VirtualMachineMemory => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'VirtualMachineMemory',
  metadata: {
    name: 'vm',
    namespace: 'tenants',
    uid,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { virtualMachine: { uuid: 'v' } },
  ...(status === undefined ? {} : { status }),
});
const ready = (reason: string) =>
  [{ type: 'Ready', status: 'True', reason, message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }] as const;

const stored: VirtualMachineMemoryStatus = { hostName: 'hv-1', conditions: ready('Converged') };
const known: VirtualMachineMemoryStatus = {
  hostName: 'hv-1',
  lastResize: { from: '1Gi', to: '2Gi', startTime: '2026-01-01T00:00:00Z' },
};

describe('what is not written yet', () => {
  const kept = (): Unwritten => {
    const unwritten = new Unwritten();
    unwritten.keep(resource(stored), known, stored);
    return unwritten;
  };

  it('is known until it is written', () => {
    const unwritten = kept();
    expect(unwritten.find(resource(stored))).toMatchObject({ known, told: stored });
    unwritten.forget('tenants/vm');
    expect(unwritten.find(resource(stored))).toBeNull();
  });

  it('is of one object, not of the next with its name', () => {
    expect(kept().find(resource(stored, 'another'))).toBeNull();
  });

  it('stays when somebody else sets a condition, and when its write had only lost its answer', () => {
    expect(kept().find(resource({ ...stored, conditions: ready('Theirs') }))).not.toBeNull();
    expect(kept().find(resource({ ...known, conditions: ready('Plugging') }))).not.toBeNull();
  });

  it('is void for good once somebody else has written another status', () => {
    const unwritten = kept();
    expect(unwritten.find(resource({ ...stored, hostName: 'hv-2' }))).toBeNull();
    expect(unwritten.find(resource(stored))).toBeNull();
  });

  it('says nothing of conditions, nor of what was handled: those are as they are stored', () => {
    const status = { ...stored, observedGeneration: 4, lastHandledReconcileAt: 'then' };
    const from = { known: { ...known, conditions: ready('Mine'), observedGeneration: 9 }, told: {} };
    expect(withUnwritten(status, from)).toEqual({
      ...known,
      conditions: ready('Converged'),
      observedGeneration: 4,
      lastHandledReconcileAt: 'then',
    });
    expect(withUnwritten(status, null)).toBe(status);
  });
});
