/** What `dimmer plan --help` says. */
import { type Place, programAt } from '../command-line.ts';
import { type HelpItem, layOutHelp } from '../help.ts';

/** Where NAME is looked for. */
const where: Readonly<Record<Place, readonly HelpItem[]>> = {
  standalone: [{ term: '--state-dir DIR', about: "of the 'dimmer standalone' that has NAME" }],
  cluster: [
    { term: '-n, --namespace NAMESPACE', about: "where NAME is (default: the context's)" },
    { term: '--context CONTEXT', about: "of the kubeconfig (default: kubectl's)" },
    { term: '--kubeconfig FILE', about: "default: kubectl's" },
  ],
};

const forms = [
  'NAME [--memory SIZE] [OPTIONS]',
  '--boot SIZE --memory SIZE [OPTIONS]',
  '--domain-xml FILE --memory SIZE [OPTIONS]',
  '--status FILE [--memory SIZE] [OPTIONS]',
  '--batch',
];
const examples = ['db-1 --memory 6Gi', '--boot 1Gi --modules 384Mi,256Mi,256Mi --memory 1408Mi'];

/** What `--help` says. */
export function usageFor(place: Place): string {
  const command = `${programAt(place)} plan`;
  return layOutHelp({
    usage: forms.map((form) => `${command} ${form}`),
    about: [
      'Shows what Dimmer would do to give a virtual machine the wanted memory, and which sizes can be reached. Nothing is changed.',
      'NAME is a VirtualMachineMemory as it was last observed, or is now where modules would leave; --memory, --shrink, --grow and --rounding stand instead of what its spec says.',
    ],
    options: [
      ...where[place],
      { term: '--memory SIZE', about: 'total memory wanted' },
      { term: '--boot SIZE', about: 'memory that the virtual machine was started with' },
      { term: '--modules SIZE,...', about: 'plugged modules, in slots 0, 1, ...' },
      { term: '--slots N', about: 'slots for modules (16, or as many as there are modules)' },
      { term: '--max-memory SIZE', about: 'most that the domain may have (no limit)' },
      {
        term: '--domain-xml FILE',
        about: "read all of these from a domain's XML instead ('virsh dumpxml VM'; - is stdin)",
      },
      {
        term: '--status FILE',
        about: "the same from a file ('kubectl get vmmem NAME -o yaml'; - is stdin)",
      },
      { term: '--granularity SIZE', about: 'memory block of the guest (128Mi; 2Gi from 60Gi of boot memory)' },
      { term: '--shrink POLICY', about: 'Exact (default), Nearest, Replace' },
      { term: '--grow POLICY', about: 'Divisible (default), Whole' },
      {
        term: '--rounding POLICY',
        about: 'Exact (default), Up; with Up a size between the steps stands for the next above',
      },
      { term: '--host-free SIZE', about: 'memory that the host has left to give (not judged)' },
      { term: '-o, --output FORMAT', about: 'text (default), json, yaml' },
      { term: '--batch', about: 'one JSON object a line on stdin, one plan a line on stdout' },
      {
        term: '--log-level LEVEL',
        about: 'debug, info, warn, error; debug says where an error comes from that nobody foresaw',
      },
    ],
    examples: examples.map((example) => `${command} ${example}`),
    end: [
      'SIZE is a Kubernetes quantity that is a whole number of bytes: 1408Mi, 1.5Gi.',
      'Exit code: 0 nothing to do, plug, unplug or replace; 2 blocked; 3 wait; 1 bad usage, or no such resource.',
    ],
  });
}
