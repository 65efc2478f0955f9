/** Hosts that run short, slots that run out, maxima. */
import { size, type Story } from '../story.ts';

export const limits: readonly Story[] = [
  {
    name: 'the host runs short',
    tale: 'Growing is blocked, never cut short.',
    vm: { boot: '1Gi', memory: '3Gi', hostFree: '1Gi', grow: 'Whole' },
    then: [
      {
        told: 'Another guest gives memory back to the host.',
        change: (observation) => ({ ...observation, hostFree: size('4Gi') }),
      },
    ],
  },
  {
    name: 'a cordoned host',
    tale: 'A cordoned host takes no plugs, but memory may leave it.',
    vm: { boot: '1Gi', modules: ['256Mi', '256Mi'], memory: '2Gi', cordoned: true },
    then: [{ told: 'Less is wanted.', wanted: '1280Mi' }],
  },
  {
    name: 'few slots make coarse steps',
    tale: 'Four slots, of which one stays in reserve: three modules reach sizes 256Mi apart.',
    vm: { boot: '1Gi', memory: '2Gi', slots: 4 },
    then: [{ told: 'A size in between is wanted.', wanted: '1408Mi' }],
  },
  {
    name: 'the last slot',
    tale: 'With one slot left everything goes into one module.',
    vm: { boot: '1Gi', modules: ['128Mi', '128Mi'], memory: '4Gi', slots: 3 },
    then: [{ told: 'More is wanted, and no slot is left.', wanted: '5Gi' }],
  },
  {
    name: 'all slots in use',
    tale: 'Two of the slots are held by NVDIMMs.',
    vm: {
      boot: '1Gi',
      modules: [
        { size: '512Mi', slot: 0 },
        { size: '512Mi', slot: 3 },
      ],
      slots: 4,
      slotsUsed: [1, 2],
      memory: '4Gi',
    },
    then: [{ told: 'The user first gives a module back.', wanted: '1536Mi' }],
  },
  {
    name: 'slots that are resting',
    tale: 'A slot is not used again right after an unplug: a queued detach could still hit the newcomer.',
    vm: { boot: '1Gi', slots: 1, slotsResting: [0], memory: '2Gi' },
    then: [
      {
        told: 'A minute passes.',
        change: (observation) => ({ ...observation, slots: { ...observation.slots, resting: [] } }),
      },
    ],
  },
  {
    name: 'Replace without a free slot',
    tale: 'Replace has to plug before it unplugs, which takes a slot.',
    vm: { boot: '1Gi', modules: ['1Gi'], slots: 1, memory: '1536Mi', shrink: 'Replace' },
  },
  {
    name: 'Replace with little room on the host',
    tale: 'One module of 1Gi would do after a plug of 640Mi, but the host has less; two modules need only 128Mi.',
    vm: { boot: '1Gi', modules: ['256Mi', '256Mi', '1Gi'], memory: '2176Mi', shrink: 'Replace', hostFree: '512Mi' },
  },
  {
    name: 'above the maximum',
    tale: 'NVDIMMs count against the maximum, not in the total.',
    vm: { boot: '1Gi', memory: '4Gi', maxMemory: '4Gi', otherBytes: '512Mi', slotsUsed: [0], grow: 'Whole' },
    then: [{ told: 'The user takes what is left.', wanted: '3584Mi' }],
  },
  {
    name: 'no hotplug',
    tale: 'A domain without <maxMemory> can not grow while it runs.',
    vm: { boot: '1Gi', memory: '2Gi', maxMemory: 'unsupported', slots: 0 },
  },
  {
    name: 'boot memory too small',
    tale: "The kernel's memory map comes out of boot memory: beyond 16 times as much a guest could reboot.",
    vm: { boot: '256Mi', memory: '8Gi', grow: 'Whole' },
    then: [{ told: 'Exactly 16 times is allowed.', wanted: '4Gi' }],
  },
  {
    name: 'little free memory for the memory map',
    tale: 'The guest has 100Mi free. 12Gi need 192Mi of memory map, so they come in turns.',
    vm: { boot: '1Gi', memory: '13Gi', guest: { usable: '100Mi', total: '960Mi', fresh: true } },
  },
];
