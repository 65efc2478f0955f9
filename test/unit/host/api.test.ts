import { describe, expect, it } from 'vitest';
import { guestStatistics } from '../../../src/host/http/api/domain.ts';
import { hostFacts } from '../../../src/host/http/api/host.ts';
import { problem } from '../../../src/host/http/api/problem.ts';
import { Mismatch, type Shape } from '../../../src/memory/shape.ts';

const facts = {
  agentVersion: '1',
  libvirtVersion: '9.0.0',
  hypervisorVersion: '7.2.0',
  memory: { total: 4, available: 2, committed: 1 },
  nodes: [{ id: 0, total: 4, available: 2, hugepages: [{ pageSize: 2, total: 1, free: 1 }] }],
  virtualMachines: 3,
};
const read = <T>(shape: Shape<T>, value: unknown): T | string => {
  const result = shape.read(value);
  return result instanceof Mismatch ? result.explain('the answer') : result;
};

describe('what the client makes of an answer', () => {
  it('is whole without what an older agent does not say yet', () => {
    expect(read(hostFacts, facts)).toEqual({
      ...facts,
      hugepagePools: [],
      virtualMachinesWithoutOwner: null,
      namespaces: null,
    });
    expect(read(hostFacts, { ...facts, virtualMachinesWithoutOwner: 2 })).toHaveProperty(
      'virtualMachinesWithoutOwner',
      2,
    );
    const guest = { total: 3, usable: 2, free: 1, reportedAtMs: 5, fresh: true };
    expect(read(guestStatistics, guest)).toEqual({
      ...guest,
      ofThisBoot: true,
      takenOfModules: null,
      totalWithoutModules: null,
    });
    expect(read(problem, { code: 'busy', detail: 'now' })).toMatchObject({ type: '', code: 'busy', detail: 'now' });
  });

  it('is without what a newer agent says', () => {
    const newer = { ...facts, virtualMachinesWithoutOwner: 0, nodes: [{ ...facts.nodes[0], colour: 'red' }], more: {} };
    expect(read(hostFacts, newer)).toEqual({
      ...facts,
      hugepagePools: [],
      virtualMachinesWithoutOwner: 0,
      namespaces: null,
    });
    const problemOfTomorrow = { type: 'https://dimmer.dev/problems/tomorrow', code: 'tomorrow', detail: '' };
    expect(read(problem, problemOfTomorrow)).toMatchObject(problemOfTomorrow);
  });

  it.each([
    [{ ...facts, virtualMachinesWithoutOwner: 'many' }, 'virtualMachinesWithoutOwner is not a whole number'],
    [{ ...facts, memory: { ...facts.memory, committed: 1.5 } }, 'memory.committed is not a whole number'],
    [{ ...facts, memory: { ...facts.memory, total: 2 ** 53 } }, 'memory.total is not a whole number'],
    [{ ...facts, memory: { total: 1, available: 1 } }, 'memory.committed is missing'],
    [{ ...facts, nodes: { 0: facts.nodes[0] } }, 'nodes is not a list'],
    [
      { ...facts, nodes: [...facts.nodes, { ...facts.nodes[0], hugepages: [null] }] },
      'nodes[1].hugepages[0] is not an object',
    ],
    [[facts], 'the answer is not an object'],
    [null, 'the answer is not an object'],
  ])('is a problem that names the place: %#', (answer, told) => {
    expect(read(hostFacts, answer)).toBe(told);
  });
});
