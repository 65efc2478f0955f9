/** The command line of `dimmer controller`. */
import { accessSync, constants } from 'node:fs';
import { logLevels, type LogLevel } from '../../runtime/logger.ts';
import { type HostPort, parseHostPort, readArguments } from '../arguments.ts';

export const controllerUsage = `Usage: dimmer controller [OPTIONS]

Reconciles VirtualMachineMemory resources: compares the memory that each says with what the VM has, and drives the
agent on the VM's host until the two agree.

Options:
  --kubeconfig FILE                  how to reach the API server (default: as a pod of the cluster)
  --agent-client-cert-file FILE      certificate that the controller shows to agents (required)
  --agent-client-key-file FILE       its key (required)
  --agent-ca-file FILE               CA of the agents' certificates (required)
  --max-concurrent-reconciles N      resources reconciled at once, 1 to 256 (default 16)
  --metrics-bind-address HOST:PORT   serve /metrics there (default: not served)
  --health-probe-bind-address HOST:PORT   serve /healthz and /readyz there (default: not served)
  --observe-only                     observe and plan, change nothing on any VM
  --log-level LEVEL                  debug, info, warn or error (default info)
  --help
`;

export type ControllerArguments = {
  readonly kubeconfig: string | null;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly caFile: string;
  readonly concurrency: number;
  readonly metricsAddress: HostPort | null;
  readonly healthAddress: HostPort | null;
  readonly observeOnly: boolean;
  readonly logLevel: LogLevel;
};

export type ReadControllerArguments =
  | { readonly kind: 'run'; readonly options: ControllerArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad-usage'; readonly problem: string };

class Mistake extends Error {}

/** Reads the command line; the problem is one line that names the argument. */
export function readControllerArguments(argv: readonly string[]): ReadControllerArguments {
  const text = { type: 'string' } as const;
  const read = readArguments(argv, {
    kubeconfig: text,
    'agent-client-cert-file': text,
    'agent-client-key-file': text,
    'agent-ca-file': text,
    'max-concurrent-reconciles': text,
    'metrics-bind-address': text,
    'health-probe-bind-address': text,
    'observe-only': { type: 'boolean' },
    'log-level': text,
    help: { type: 'boolean' },
  });
  if (!read.ok) return { kind: 'bad-usage', problem: read.problem };
  const { values } = read;
  if (values['help'] === true) return { kind: 'help' };

  const optional = (name: string): string | null => (typeof values[name] === 'string' ? values[name] : null);
  try {
    return {
      kind: 'run',
      options: {
        kubeconfig: optional('kubeconfig') === null ? null : readable('kubeconfig', optional('kubeconfig')),
        clientCertFile: readable('agent-client-cert-file', optional('agent-client-cert-file')),
        clientKeyFile: readable('agent-client-key-file', optional('agent-client-key-file')),
        caFile: readable('agent-ca-file', optional('agent-ca-file')),
        concurrency: readConcurrency(optional('max-concurrent-reconciles')),
        metricsAddress: readAddress('metrics-bind-address', optional('metrics-bind-address')),
        healthAddress: readAddress('health-probe-bind-address', optional('health-probe-bind-address')),
        observeOnly: values['observe-only'] === true,
        logLevel: readLogLevel(optional('log-level')),
      },
    };
  } catch (error) {
    if (error instanceof Mistake) return { kind: 'bad-usage', problem: error.message };
    throw error;
  }
}

function readable(name: string, value: string | null): string {
  if (value === null) throw new Mistake(`--${name} is required`);
  try {
    accessSync(value, constants.R_OK);
  } catch {
    throw new Mistake(`--${name}: file ${value} can't be read`);
  }
  return value;
}

function readConcurrency(value: string | null): number {
  if (value === null) return 16;
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1 && count <= 256) return count;
  throw new Mistake(`--max-concurrent-reconciles: '${value}' is not a whole number from 1 to 256`);
}

function readAddress(name: string, value: string | null): HostPort | null {
  if (value === null) return null;
  const address = parseHostPort(value);
  if (address === null) throw new Mistake(`--${name}: '${value}' is not HOST:PORT`);
  return address;
}

function readLogLevel(value: string | null): LogLevel {
  if (value === null) return 'info';
  const level = logLevels.find((known) => known === value);
  if (level === undefined) throw new Mistake(`--log-level: '${value}' is not one of ${logLevels.join(', ')}`);
  return level;
}
