/** The election as a part of the program: nothing works before this process leads, and it ends when it doesn't any more. */
import { Gauge, type Registry } from 'prom-client';
import type { ShardSource } from '../../api/v1alpha1/shards.ts';
import type { Leadership } from '../../host/port.ts';
import type { Cluster } from '../../kubernetes/cluster.ts';
import { podNamespace } from '../../kubernetes/pod.ts';
import type { Lifecycle } from '../../runtime/lifecycle.ts';
import type { ElectionArguments } from './options.ts';

/** Releasing the lease takes 2 s at most. */
const stopMs = 4_000;

export type Elected = {
  /** What the process then knows of its right to act in the cluster with this id. */
  readonly leadershipIn: (clusterId: string) => Leadership;
  /** Those that it shares the hosts with; null: it is there for all. */
  readonly shards: ShardSource | null;
};

/** Adds it. */
export function addElection(
  { namespace: given, name, shard, times }: ElectionArguments,
  parts: { readonly cluster: Cluster; readonly lifecycle: Lifecycle; readonly registry: Registry },
): Elected {
  const { cluster, lifecycle, registry } = parts;
  const namespace = given ?? podNamespace() ?? 'dimmer-system';
  const elector = cluster.elect({
    ...{ namespace, name, times, selector: shard ?? '' },
    onLost: (why) => lifecycle.fail(new Error(`lost the lease ${namespace}/${name}: ${why}`)),
  });
  new Gauge({
    name: 'leader_election_master_status',
    help: 'Whether this process leads (1) or waits (0), by the name of the lease.',
    labelNames: ['name'],
    registers: [registry],
    collect() {
      this.set({ name }, elector.epoch === null ? 0 : 1);
    },
  });
  lifecycle.add({
    name: 'leader election',
    group: 'elected',
    start: (ending) => elector.start(ending),
    stop: () => elector.close(),
    stopMs,
  });
  const shards = shard === null ? null : cluster.shards({ namespace, name });
  if (shards !== null) {
    // After the election: what a shard is there for is said before it is read what the others are.
    lifecycle.add({
      name: 'shards',
      group: 'elected',
      start: (ending) => shards.start(ending),
      stop: () => shards.close(),
    });
  }
  return {
    leadershipIn: (clusterId) => ({
      current() {
        const { epoch } = elector;
        return epoch === null ? null : { election: `${clusterId}/${namespace}/${name}`, epoch };
      },
      refused: (newestEpoch) => elector.refused(newestEpoch),
    }),
    shards,
  };
}
