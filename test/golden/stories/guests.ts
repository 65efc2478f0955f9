/** Guests that refuse, are silent, boot, or use their memory. */
import { type Change, leaves, quarantineEnds, refusesAfterAll, size, type Story } from '../story.ts';

const freesMemory: Change = (observation) => ({
  ...observation,
  guest: { usable: size('900Mi'), total: size('1500Mi'), fresh: true },
});

const silentFor =
  (silentMs: number): Change =>
  (observation) => ({
    ...observation,
    guest: { usable: size('900Mi'), total: size('1500Mi'), fresh: false, silentMs },
  });

const fresh = (usable: string, total = '2Gi') => ({ usable, total, fresh: true });

export const guests: readonly Story[] = [
  {
    name: 'a refusal is planned around',
    tale: 'The guest refuses the first module that it is asked for; two smaller ones make the same.',
    vm: { boot: '1Gi', modules: ['256Mi', '256Mi', '512Mi'], memory: '1536Mi' },
    guest: { 2: ['refuses'] },
  },
  {
    name: 'a refusal half-way',
    tale: 'One of two is gone when the guest refuses the other; another module of the same size takes its place.',
    vm: { boot: '1Gi', modules: ['256Mi', '256Mi', '256Mi'], memory: '1280Mi' },
    guest: { 1: ['refuses'] },
  },
  {
    name: 'a refusal without a way around',
    tale: 'All that is left is to wait until the module may be asked for again. Then the guest gives it.',
    vm: { boot: '1Gi', modules: ['512Mi'], memory: '1Gi' },
    guest: { 0: ['refuses', 'refuses'] },
    then: [
      { told: 'The quarantine ends.', change: quarantineEnds },
      { told: 'The second, longer quarantine ends.', change: quarantineEnds },
    ],
  },
  {
    name: 'a guest that refuses everything',
    tale: 'Every module is refused once; the guest keeps what it has.',
    vm: { boot: '1Gi', modules: ['256Mi', '256Mi', '256Mi'], memory: '1536Mi' },
    guest: { 0: ['refuses'], 1: ['refuses'], 2: ['refuses'] },
  },
  {
    name: 'a refuser is avoided after its quarantine too',
    tale: 'A module that refused before is taken only if nothing else does.',
    vm: { boot: '1Gi', modules: ['256Mi', '128Mi', { size: '384Mi', refusals: 2 }], memory: '1408Mi' },
  },
  {
    name: 'Nearest around a refusal',
    tale: 'Nearest does not wait for a quarantined module: it takes what comes nearest without it.',
    vm: { boot: '1Gi', modules: ['512Mi', '256Mi', '128Mi'], memory: '1280Mi', shrink: 'Nearest' },
    guest: { 0: ['refuses'] },
  },
  {
    name: 'Replace refused half-way',
    tale: 'The guest refuses what Replace wanted out. What was plugged first can go again; the controller rolls back.',
    vm: { boot: '1Gi', modules: ['1Gi'], memory: '1536Mi', shrink: 'Replace' },
    guest: { 0: ['refuses'] },
    then: [{ told: 'The controller wants back what was before the plan.', wanted: '2Gi' }],
  },
  {
    name: 'silence, then it is gone',
    tale: 'Silence is normal: the module counts as leaving until there is word of it.',
    vm: { boot: '1Gi', modules: ['512Mi', '256Mi'], memory: '1Gi' },
    guest: { 1: ['is silent'] },
    then: [{ told: 'The guest lets go of slot 1 after all.', change: leaves(1) }],
  },
  {
    name: 'silence, then a refusal',
    tale: 'The late answer is no; a module of the same size is asked instead.',
    vm: { boot: '1Gi', modules: ['256Mi', '256Mi'], memory: '1280Mi' },
    guest: { 1: ['is silent'] },
    then: [{ told: 'The guest refuses slot 1 after all.', change: refusesAfterAll(1) }],
  },
  {
    name: 'the first request after boot is swallowed',
    tale: 'Guests swallow the first request after boot. The same module is asked for again.',
    vm: { boot: '1Gi', modules: ['512Mi'], memory: '1Gi' },
    guest: { 0: ['is silent', 'gives'] },
  },
  {
    name: 'more is wanted while a module is leaving',
    tale: 'Growing counts a leaving module as present. When it is gone after all, memory is plugged back.',
    vm: { boot: '1Gi', modules: ['512Mi'], memory: '1Gi', grow: 'Whole' },
    guest: { 0: ['is silent'] },
    then: [
      { told: 'The user changes their mind.', wanted: '2Gi' },
      { told: 'Nothing more is to be done while slot 0 is leaving; then it is gone.', change: leaves(0) },
    ],
  },
  {
    name: 'a size between with and without the leaving module',
    tale: 'Asking again could only take too much: the late answer settles it.',
    vm: { boot: '1Gi', modules: [{ size: '512Mi', state: 'Leaving' }], memory: '1280Mi', grow: 'Whole' },
    then: [{ told: 'The module is gone.', change: leaves(0) }],
  },
  {
    name: 'Nearest with nothing left but a leaving module',
    tale: 'Nothing else is small enough, so the answer is awaited.',
    vm: { boot: '1Gi', modules: ['1Gi', { size: '256Mi', state: 'Leaving' }], memory: '1536Mi', shrink: 'Nearest' },
    then: [{ told: 'The module is gone.', change: leaves(1) }],
  },
  {
    name: 'a guest that is booting',
    tale: 'Nothing is changed in the boot window.',
    vm: { boot: '1Gi', memory: '2Gi', grow: 'Whole', booting: true },
    then: [{ told: 'The guest reports.', change: (observation) => ({ ...observation, booting: false }) }],
  },
  {
    name: 'memory in use',
    tale: 'Taking memory that the guest uses would make it kill its own processes.',
    vm: {
      boot: '1Gi',
      modules: ['512Mi', '256Mi'],
      memory: '1Gi',
      guestSafety: 'Required',
      guest: fresh('500Mi'),
    },
    then: [
      { told: 'The user takes the lowest size that is safe.', wanted: '1536Mi' },
      { told: 'All of it is wanted again, and a process ends.', wanted: '1Gi', change: freesMemory },
    ],
  },
  {
    name: 'no statistics, Required',
    tale: 'Without statistics nobody knows what the guest uses.',
    vm: { boot: '1Gi', modules: ['512Mi'], memory: '1Gi', guestSafety: 'Required' },
    then: [
      {
        told: 'The balloon driver is loaded.',
        change: (observation) => ({
          ...observation,
          guest: { usable: size('1200Mi'), total: size('1400Mi'), fresh: true },
        }),
      },
    ],
  },
  ...(['Required', 'BestEffort'] as const).map((guestSafety): Story => ({
    name: `a late guest, ${guestSafety}`,
    tale: 'The guest has reported since it booted and is silent now. It is waited for, and nothing is done unjudged.',
    vm: { boot: '1Gi', modules: ['512Mi'], memory: '1Gi', guestSafety },
    then: [
      { told: 'A minute is over.', change: silentFor(75_000) },
      { told: 'It reports again.', change: freesMemory },
    ],
    begin: silentFor(12_000),
  })),
  {
    name: 'no statistics, BestEffort',
    tale: 'BestEffort goes ahead, and says so.',
    vm: { boot: '1Gi', modules: ['512Mi'], memory: '1Gi', guestSafety: 'BestEffort' },
  },
  {
    name: 'statistics that are too old',
    tale: 'Old statistics are no statistics.',
    vm: {
      boot: '1Gi',
      modules: ['512Mi'],
      memory: '1Gi',
      guestSafety: 'Required',
      guest: { ...fresh('1Gi'), fresh: false },
    },
  },
];
