import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readControllerArguments } from '../../../../src/cmd/controller/options.ts';

const file = fileURLToPath(import.meta.url);
const tls = [`--agent-client-cert-file=${file}`, `--agent-client-key-file=${file}`, '--agent-ca-file', file];

describe('the command line of the controller', () => {
  it('has sane defaults', () => {
    expect(readControllerArguments(tls)).toEqual({
      kind: 'run',
      options: {
        kubeconfig: null,
        clientCertFile: file,
        clientKeyFile: file,
        caFile: file,
        concurrency: 16,
        metricsAddress: null,
        healthAddress: null,
        observeOnly: false,
        election: null,
        logLevel: 'info',
      },
    });
  });

  it('takes addresses of every kind', () => {
    const read = readControllerArguments([
      ...tls,
      '--metrics-bind-address=:8080',
      '--health-probe-bind-address=[::1]:0',
    ]);
    expect(read).toMatchObject({
      options: { metricsAddress: { host: '::', port: 8080 }, healthAddress: { host: '::1', port: 0 } },
    });
  });

  it('takes part in an election when it is told to, with times as those that it is named after have them', () => {
    expect(readControllerArguments([...tls, '--leader-elect'])).toMatchObject({
      options: {
        election: {
          namespace: null,
          name: 'dimmer-controller',
          times: { leaseMs: 12_000, deadlineMs: 8_000, retryMs: 2_000 },
        },
      },
    });
    const own = [
      ...[
        '--leader-elect-resource-namespace=ns',
        '--leader-elect-resource-name=a.b',
        '--leader-elect-lease-duration=1m',
      ],
      ...['--leader-elect-renew-deadline=40s', '--leader-elect-retry-period=5s'],
    ];
    expect(readControllerArguments([...tls, '--leader-elect', ...own])).toMatchObject({
      options: {
        election: { namespace: 'ns', name: 'a.b', times: { leaseMs: 60_000, deadlineMs: 40_000, retryMs: 5_000 } },
      },
    });
  });

  it('is a shard when it is told its hosts, with a Lease that only the same selector has', () => {
    const electionOf = (...argv: string[]) => {
      const read = readControllerArguments([...tls, '--leader-elect', ...argv]);
      return read.kind === 'run' ? read.options.election : read;
    };
    expect(electionOf('--shard-selector=zone in (b, a), !gpu')).toMatchObject({
      shard: '!gpu,zone in (a,b)',
      name: expect.stringMatching(/^dimmer-controller-gpu-zone-in-a-b-[0-9a-f]{10}$/) as string,
    });
    expect(electionOf('--shard-selector', '!gpu,zone in (a,b)')).toEqual(
      electionOf('--shard-selector=zone in (b, a), !gpu'),
    );
    expect(electionOf('--shard-selector=!gpu,zone in (a,c)')).not.toEqual(
      electionOf('--shard-selector=!gpu,zone in (a,b)'),
    );
    expect(electionOf('--shard-selector=zone=a', '--leader-elect-resource-name=mine')).toMatchObject({
      ...{ shard: 'zone=a', name: 'mine' },
    });
    const long = Array.from({ length: 200 }, (_, nth) => `k-${nth}`).join(',');
    const election = electionOf(`--shard-selector=${long}`);
    expect(election).toMatchObject({ name: expect.stringMatching(/^[a-z0-9-]{20,63}$/) as string });
  });

  it.each([
    [[], '--agent-client-cert-file is required'],
    [[...tls, '--shard-selector=zone=a'], '--shard-selector needs --leader-elect'],
    [[...tls, '--leader-elect', '--shard-selector=zone in a'], "--shard-selector: 'zone in a': values stand in"],
    [[...tls, '--leader-elect', '--shard-selector='], '--shard-selector: an empty selector matches every host'],
    [['--agent-client-cert-file=/nowhere'], "--agent-client-cert-file: file /nowhere can't be read"],
    [[...tls, '--kubeconfig=/nowhere'], "--kubeconfig: file /nowhere can't be read"],
    [[...tls, '--max-concurrent-reconciles=0'], "--max-concurrent-reconciles: '0' is not a whole number from 1 to 256"],
    [[...tls, '--metrics-bind-address=8080'], "--metrics-bind-address: '8080' is not HOST:PORT"],
    [[...tls, '--log-level=loud'], "--log-level: 'loud' is not one of debug, info, warn, error"],
    [
      [...tls, '--leader-elect-lease-duration=8s'],
      '--leader-elect-lease-duration must be more than --leader-elect-renew-deadline',
    ],
    [
      [...tls, '--leader-elect-retry-period=7s'],
      '--leader-elect-renew-deadline must be more than 1.2 times --leader-elect-retry-period',
    ],
    [[...tls, '--leader-elect-retry-period=0s'], "--leader-elect-retry-period: '0s' is not a duration (12s, 1m30s)"],
    [[...tls, '--leader-elect-retry-period=2'], "--leader-elect-retry-period: '2' is not a duration (12s, 1m30s)"],
    [[...tls, '--leader-elect-resource-name=A'], "--leader-elect-resource-name: 'A' is not the name of an object"],
    [[...tls, '--leader'], "Unknown option '--leader'"],
    [[...tls, 'stray'], "Unexpected argument 'stray'"],
  ])('%j is bad usage', (argv, problem) => {
    expect(readControllerArguments(argv)).toMatchObject({
      kind: 'bad-usage',
      problem: expect.stringContaining(problem) as string,
    });
  });

  it('gives help whatever else is missing', () => {
    expect(readControllerArguments(['--help'])).toEqual({ kind: 'help' });
  });
});
