/** What `dimmer controller --help` says. */
import { layOutHelp } from '../help.ts';
import { reconcilerItems } from '../option-values.ts';

export const controllerUsage = layOutHelp({
  usage: ['dimmer controller [OPTIONS]'],
  about: [
    "Reconciles VirtualMachineMemory resources: compares the memory that each says with what the VM has, and drives the agent on the VM's host until the two agree.",
  ],
  options: [
    {
      term: '--kubeconfig FILE',
      about:
        'how to reach the API server (default: what the variable KUBECONFIG names, one file or several as for kubectl; else as a pod of the cluster)',
    },
    {
      term: '--agent-client-cert-file FILE',
      about: 'certificate that the controller shows to agents (required)',
    },
    { term: '--agent-client-key-file FILE', about: 'its key (required)' },
    { term: '--agent-ca-file FILE', about: "CA of the agents' certificates (required)" },
    {
      term: '--leader-elect',
      about: 'several controllers may run: one leads, the others wait (default: not)',
    },
    {
      term: '--leader-elect-resource-namespace NAMESPACE',
      about: "where the Lease is (default: the pod's own, else dimmer-system)",
    },
    {
      term: '--leader-elect-resource-name NAME',
      about: "its name (default dimmer-controller; a shard's own has its selector in it, and is in the log)",
    },
    {
      term: '--leader-elect-lease-duration DURATION',
      about: "how long the others wait for a leader that doesn't renew (default 12s)",
    },
    {
      term: '--leader-elect-renew-deadline DURATION',
      about: 'after so long without renewal a leader ends (default 8s)',
    },
    {
      term: '--leader-elect-retry-period DURATION',
      about: 'between two renewals, and two tries (default 2s)',
    },
    {
      term: '--shard-selector SELECTOR',
      about:
        "be there for the hosts only whose labels match, beside other controllers that are there for the others (with --leader-elect): zone=a, 'zone in (a,b),!gpu'",
    },
    ...reconcilerItems,
  ],
  examples: [
    'dimmer controller --kubeconfig ~/.kube/config --observe-only \\\n  --agent-client-cert-file tls.crt --agent-client-key-file tls.key \\\n  --agent-ca-file ca.crt',
  ],
});
