/** The worked cases of docs/planner.md. */
import type { Story } from '../story.ts';

const vm = { boot: '1Gi' };

export const workedCases: readonly Story[] = [
  {
    name: 'largest first would be stuck',
    tale: 'Taking the largest module first, 384Mi, would leave 128Mi that nothing makes. Two equal ones do.',
    vm: { ...vm, modules: ['384Mi', '256Mi', '256Mi'], memory: '1408Mi' },
  },
  {
    name: 'two halves instead of the large one',
    tale: 'The same with larger modules.',
    vm: { ...vm, modules: ['768Mi', '512Mi', '512Mi'], memory: '1792Mi' },
  },
  {
    name: 'the two smaller ones add up',
    tale: 'Of three modules only the last two make 896Mi.',
    vm: { ...vm, modules: ['768Mi', '512Mi', '384Mi'], memory: '1792Mi' },
  },
  {
    name: 'middle and small',
    tale: '640Mi less is 384Mi and 256Mi.',
    vm: { ...vm, modules: ['512Mi', '384Mi', '256Mi'], memory: '1536Mi' },
  },
  {
    name: 'two modules rather than three',
    tale: '2Gi less can be had with two modules or with three; two are asked.',
    vm: { ...vm, modules: ['1536Mi', '1Gi', '512Mi', '512Mi'], memory: '2560Mi' },
  },
  {
    name: 'a size between the blocks',
    tale: '1400Mi is no number of blocks away; the sizes around it are.',
    vm: { ...vm, modules: ['256Mi', '256Mi', '128Mi', '128Mi'], memory: '1400Mi' },
    then: [{ told: 'The user takes the size above.', wanted: '1408Mi' }],
  },
  {
    name: 'one large module, Exact',
    tale: 'A module of 1Gi goes whole or not at all.',
    vm: { ...vm, modules: ['1Gi'], memory: '1536Mi' },
  },
  {
    name: 'one large module, Nearest',
    tale: 'Nearest keeps a little more than asked, here all of it.',
    vm: { ...vm, modules: ['1Gi'], memory: '1536Mi', shrink: 'Nearest' },
  },
  {
    name: 'one large module, Replace',
    tale: 'Replace plugs the rest first, so that the guest never has less than wanted.',
    vm: { ...vm, modules: ['1Gi'], memory: '1536Mi', shrink: 'Replace' },
  },
  {
    name: 'around a module that refused',
    tale: 'The module of 512Mi would do, but the guest refused it a while ago. Two others do as well.',
    vm: {
      ...vm,
      modules: [{ size: '512Mi', refusals: 1, quarantined: true }, '256Mi', '256Mi'],
      memory: '1536Mi',
    },
  },
  {
    name: 'only the module that refused',
    tale: 'There is no way around the module that the guest refused: wait until it may be asked again.',
    vm: {
      ...vm,
      modules: [{ size: '512Mi', refusals: 1, quarantined: true, retryAfter: '2026-01-01T00:05:00Z' }],
      memory: '1Gi',
    },
  },
  {
    name: 'first growth, Divisible',
    tale: 'The first growth is cut so that every block size can be had back.',
    vm: { ...vm, memory: '2Gi' },
    then: [{ told: 'A little less is wanted, and there is a module for it.', wanted: '1920Mi' }],
  },
  {
    name: 'second growth, Divisible',
    tale: 'What is there reaches every size already, so that one module is enough.',
    vm: { ...vm, modules: ['128Mi', '256Mi', '512Mi', '128Mi'], memory: '3Gi' },
    then: [{ told: 'Half-way back.', wanted: '2432Mi' }],
  },
  {
    name: 'below boot memory',
    tale: 'Boot memory is no module and can not be unplugged.',
    vm: { ...vm, modules: ['512Mi', '512Mi'], memory: '512Mi' },
    then: [{ told: 'The user takes the floor.', wanted: '1Gi' }],
  },
];
