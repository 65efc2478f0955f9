/** Simulated VMs in a file: a process that is killed takes nothing of them with it, as with real ones. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Host, HostEvent } from '../../host/port.ts';
import type { SimulatedDomain } from '../../host/simulated/model.ts';
import type { SimulatedHost } from '../../host/simulated/script.ts';
import { isObject } from '../../memory/shape.ts';
import type { Logger } from '../../runtime/logger.ts';

export type KeptDomains = {
  /** What the runs of its VMs are called by. */
  readonly id: string;
  readonly domains: readonly SimulatedDomain[];
};

/** JSON has no such number and no maps. */
const infinity = 'Infinity';

const toJson = (kept: KeptDomains): string =>
  JSON.stringify(kept, (_, value: unknown) =>
    value === Infinity ? infinity : value instanceof Map ? { map: [...(value as Map<unknown, unknown>)] } : value,
  );

const fromJson = (text: string): KeptDomains =>
  JSON.parse(text, (_, value: unknown) => {
    if (value === infinity) return Infinity;
    if (isObject(value) && Array.isArray(value['map'])) return new Map(value['map'] as [unknown, unknown][]);
    return value;
  }) as KeptDomains;

/** What a process before this one left; null: nothing, so the VMs begin anew. @throws the error of a file that can't be read */
export function readKeptDomains(file: string): KeptDomains | null {
  if (!existsSync(file)) return null;
  return fromJson(readFileSync(file, 'utf8'));
}

/** `host`, whose VMs `uuids` are written to `file` as soon as anything has happened to them. */
export function keepDomains(
  host: SimulatedHost,
  id: string,
  uuids: readonly string[],
  file: string,
  logger: Logger,
): Host {
  const keep = (): void => {
    try {
      writeFileSync(`${file}.new`, toJson({ id, domains: uuids.map((uuid) => host.script.domain(uuid)) }));
      renameSync(`${file}.new`, file);
    } catch (error) {
      logger.warn({ err: String(error), file }, 'the simulated VMs could not be kept');
    }
  };
  const kept = async <T>(change: Promise<T>): Promise<T> => {
    const answer = await change;
    keep();
    return answer;
  };
  host.watch(({ kind }: HostEvent) => {
    if (kind !== 'statistics') keep();
  });
  return {
    facts: () => host.facts(),
    listDomains: () => host.listDomains(),
    observe: (uuid) => host.observe(uuid),
    plug: (uuid, revision, request) => kept(host.plug(uuid, revision, request)),
    unplug: (uuid, revision, request) => kept(host.unplug(uuid, revision, request)),
    persist: (uuid, revision, request) => kept(host.persist(uuid, revision, request)),
    releaseClaim: (uuid, revision, request) => kept(host.releaseClaim(uuid, revision, request)),
    watch: (listener) => host.watch(listener),
    close: () => host.close(),
  };
}
