/** The command lines of what an operator has in hand, the same for standalone and for a cluster. */
import { growPolicies, roundings, shrinkPolicies } from '../../memory/policies.ts';
import type { ArgumentLine, CommandLine, OptionLine } from '../command-line.ts';

const resource: ArgumentLine = { name: 'NAME', required: true, completes: 'resource' };

/** Where the resources are. */
const whereabouts: readonly OptionLine[] = [
  {
    name: 'state-dir',
    value: 'DIR',
    about: "the state directory of 'dimmer standalone' (default: as there)",
    only: 'standalone',
  },
  { name: 'namespace', short: 'n', value: 'NAMESPACE', about: "default: the context's", only: 'cluster' },
  { name: 'context', value: 'CONTEXT', about: "of the kubeconfig; default: kubectl's", only: 'cluster' },
  { name: 'kubeconfig', value: 'FILE', about: "default: kubectl's", only: 'cluster' },
];
const output = (...values: readonly string[]): OptionLine => ({
  name: 'output',
  short: 'o',
  value: 'FORMAT',
  values,
  about: `${values.join(', ')} (default: text that fits the terminal)`,
});
const mayFail =
  'It exits with 0, and with 1 on bad usage, where there is no such resource, or when nothing can be read.';

const status: CommandLine = {
  name: 'status',
  summary: 'VMs, their memory, what is under way and why, what to do about it',
  about:
    'All resources, or all about one of them: sizes, a picture of the slots, what is under way and why, which sizes can be reached, and the last events. Only looks.',
  arguments: [{ ...resource, required: false }],
  options: [
    ...whereabouts,
    { name: 'all-namespaces', short: 'A', about: 'those of all namespaces', only: 'cluster' },
    output('json', 'yaml', 'wide'),
    { name: 'watch', short: 'w', about: 'show it anew whenever it has changed, until Ctrl-C' },
  ],
  examples: ['status', 'status db-1', 'status db-1 -o json | jq .status.reachable'],
  exits: mayFail,
};

const plan: CommandLine = {
  name: 'plan',
  summary: 'preview: what would be done, and which sizes can be reached',
  about:
    'What would be done to give a VM another size: which modules would leave or come, in which order, and whether the guest can spare them. Made of what was last observed; where that is too old for what would leave, it is observed anew first. Nothing is changed.',
  arguments: [resource],
  options: [
    ...whereabouts,
    { name: 'memory', value: 'SIZE', about: 'total memory wanted (default: what the resource says)' },
    { name: 'shrink', value: 'POLICY', values: shrinkPolicies, about: 'instead of spec.shrinkPolicy' },
    { name: 'grow', value: 'POLICY', values: growPolicies, about: 'instead of spec.growPolicy' },
    { name: 'rounding', value: 'POLICY', values: roundings, about: 'instead of spec.rounding' },
    output('text', 'json', 'yaml'),
  ],
  examples: ['plan db-1 --memory 6Gi', 'plan db-1 --memory 6Gi -o json | jq .steps'],
  exits: 'Exit code: 0 nothing to do, plug, unplug or replace; 2 blocked; 3 wait; 1 bad usage, or no such resource.',
};

const resize: CommandLine = {
  name: 'resize',
  summary: 'another size: shows the plan, asks, and changes the resource',
  about:
    'Shows what would be done, asks, and writes the size into the resource (standalone: into its manifest). Never takes another size than the one that is said: where it can not be had, nothing is changed, and the nearest ones are told.',
  arguments: [resource, { name: 'SIZE', required: true, completes: 'nothing' }],
  options: [
    ...whereabouts,
    {
      name: 'manifests',
      value: 'DIR',
      about: "the directory of manifests (default: that of the 'dimmer standalone' that uses the state directory)",
      only: 'standalone',
    },
    { name: 'yes', short: 'y', about: "don't ask" },
    {
      name: 'force-conflicts',
      about: 'also where a GitOps tool, or another program, writes the size and will write it again',
    },
    { name: 'wait', short: 'w', about: 'show how it goes on until the guest has the size, or can not have it' },
    { name: 'timeout', value: 'DURATION', about: 'how long --wait waits: 90s, 10m (default), 1h' },
  ],
  examples: ['resize db-1 6Gi', 'resize db-1 6Gi --yes --wait --timeout 5m'],
  exits:
    'Exit code: 0 asked for, and with --wait the guest has it; 2 the size can not be had, or the guest refused; 3 asked for, but something must happen first; 4 the time is over, and it goes on; 1 bad usage, no such resource, or somebody else changed it.',
};

const why: CommandLine = {
  name: 'why',
  summary: 'what stands between the wanted size and the one that is there',
  about:
    'One paragraph: what stands between the size that is wanted and the one that is there, since when, what was tried, and what would help.',
  arguments: [resource],
  options: whereabouts,
  examples: ['why db-1'],
  exits: mayFail,
};

const events: CommandLine = {
  name: 'events',
  summary: 'what has happened to a VM',
  about: 'The events of a resource that are still kept, the newest last.',
  arguments: [resource],
  options: [...whereabouts, output('json', 'yaml', 'wide')],
  examples: ['events db-1'],
  exits: mayFail,
};

const hosts: CommandLine = {
  name: 'hosts',
  summary: 'hosts, their memory, and what waits for room on them',
  about:
    'The hosts with their memory, what VMs have of it and what is kept free, how many VMs they run, and which resources wait for room there.',
  arguments: [],
  options: [...whereabouts, output('json', 'yaml', 'wide')],
  examples: ['hosts', 'hosts -o wide'],
  exits: mayFail.replace(', where there is no such resource', ''),
};

const console: CommandLine = {
  name: 'console',
  summary: 'a page for the browser, with a slider of sizes that can be had',
  about:
    'Serves a page on this machine alone, for the one who opens its link: the VMs, their modules, and a dialog for their sizes that says before what will happen and after it what did. The link works once, within a minute; Enter prints another, Ctrl-C ends it all.',
  arguments: [],
  options: [
    ...whereabouts,
    {
      name: 'manifests',
      value: 'DIR',
      about: "the directory of manifests (default: that of the 'dimmer standalone' that uses the state directory)",
      only: 'standalone',
    },
    { name: 'port', value: 'PORT', about: 'of 127.0.0.1 and ::1 (default: a free one)' },
    {
      name: 'listen',
      value: 'ADDRESS',
      about: 'an address of this machine that others reach, too; needs --let-others-in and a certificate',
    },
    { name: 'let-others-in', about: 'other machines may ask for the page: what keeps them out is the link alone' },
    { name: 'tls-cert-file', value: 'FILE', about: 'certificate for --listen; its names are those of the link' },
    { name: 'tls-private-key-file', value: 'FILE', about: 'its key' },
  ],
  examples: ['console', 'console --port 8080'],
  exits: 'It exits with 0 when it is told to end, and with 1 on bad usage or when it can not begin.',
};

export const lines = { status, plan, resize, why, events, hosts, console } as const;
