/** NUMA nodes, huge pages, odd modules, large guests. */
import type { Story } from '../story.ts';

export const shapes: readonly Story[] = [
  {
    name: 'two equal NUMA nodes',
    tale: 'Modules are spread so that both nodes grow alike.',
    vm: { boot: ['1Gi', '1Gi'], memory: '4Gi' },
    then: [{ told: 'Half of it back: from the fuller node first.', wanted: '3Gi' }],
  },
  {
    name: 'two unequal NUMA nodes',
    tale: 'A node with three times the boot memory gets three times the memory.',
    vm: { boot: ['3Gi', '1Gi'], memory: '8Gi' },
  },
  {
    name: 'NUMA: the emptier node grows',
    tale: 'Node 0 has more plugged for its boot memory, so node 1 gets the next module.',
    vm: { boot: ['2Gi', '2Gi'], modules: [{ size: '1Gi', node: 0 }], memory: '6Gi', grow: 'Whole' },
    then: [{ told: 'And back: the highest address of the fuller node goes.', wanted: '5Gi' }],
  },
  {
    name: 'NUMA with a refusal',
    tale: 'The fuller node refuses; the other node gives.',
    vm: {
      boot: ['1Gi', '1Gi'],
      modules: [
        { size: '512Mi', node: 0 },
        { size: '512Mi', node: 1 },
        { size: '256Mi', node: 1 },
      ],
      memory: '2816Mi',
    },
    guest: { 1: ['refuses'] },
  },
  {
    name: 'huge pages',
    tale: 'Touching preallocated memory stops the guest, so it comes in modules of at most 1Gi, one at a time.',
    vm: { boot: '2Gi', memory: '5632Mi', pageSize: '2Mi', hugepagesFree: '4Gi', grow: 'Whole' },
    then: [{ told: 'More is wanted than there are huge pages.', wanted: '7Gi' }],
  },
  {
    name: 'huge pages of 1Gi',
    tale: 'A page of 1Gi is the least module there is.',
    vm: { boot: '4Gi', memory: '6Gi', pageSize: '1Gi' },
    then: [{ told: 'A size without whole pages is wanted.', wanted: '6656Mi' }],
  },
  {
    name: 'huge pages and few slots',
    tale: 'Three modules of at most 1Gi are needed, and only two slots are free.',
    vm: { boot: '2Gi', memory: '5Gi', pageSize: '2Mi', slots: 2 },
    then: [{ told: 'Two modules are enough for this.', wanted: '4Gi' }],
  },
  {
    name: 'a module plugged by hand',
    tale: 'Somebody plugged 100Mi by hand. It can go, whatever the blocks; it does not count for a dense cut.',
    vm: { boot: '1Gi', modules: ['100Mi'], memory: '1024Mi' },
    then: [{ told: 'Now grow as usual.', wanted: '1536Mi' }],
  },
  {
    name: 'around a module plugged by hand',
    tale: 'With 100Mi plugged by hand, growing to a round size is misaligned; the sizes around are told.',
    vm: { boot: '1Gi', modules: ['100Mi', '128Mi'], memory: '1536Mi' },
    then: [{ told: 'The user gives the odd module back first.', wanted: '1152Mi' }],
  },
  {
    name: 'a large guest with large blocks',
    tale: 'From 60Gi of boot memory a block may be 2Gi.',
    vm: { boot: '64Gi', memory: '96Gi', slots: 32 },
    then: [{ told: 'Back to a size in between.', wanted: '74Gi' }],
  },
  {
    name: 'many small changes',
    tale: 'Up and down a few times: growth stays cheap, and most sizes stay reachable.',
    vm: { boot: '2Gi', memory: '3Gi' },
    then: [
      { told: 'Up.', wanted: '6Gi' },
      { told: 'Down.', wanted: '4992Mi' },
      { told: 'Up.', wanted: '8Gi' },
      { told: 'Down.', wanted: '5Gi' },
      { told: 'Down to the floor.', wanted: '2Gi' },
    ],
  },
];
