import { describe, expect, it } from 'vitest';
import { decodeHostFacts } from '../../../src/host/http/wire.ts';

const facts = {
  agentVersion: '1',
  libvirtVersion: '9.0.0',
  hypervisorVersion: '7.2.0',
  memory: { total: 4, available: 2, committed: 1 },
  nodes: [],
  virtualMachines: 3,
};

describe('facts of a host, off the wire', () => {
  it('are whole without what an older agent does not say yet', () => {
    expect(decodeHostFacts(facts, '')).toEqual({ ...facts, hugepagePools: [], virtualMachinesWithoutOwner: null });
    expect(decodeHostFacts({ ...facts, virtualMachinesWithoutOwner: 2 }, '').virtualMachinesWithoutOwner).toBe(2);
  });

  it('are refused when it is no number', () => {
    expect(() => decodeHostFacts({ ...facts, virtualMachinesWithoutOwner: 'many' }, '')).toThrow(
      'virtualMachinesWithoutOwner is not a whole number',
    );
  });
});
