/** Looks that are asked for at once, over HTTPS: they travel together, and each has an answer of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RunnableService } from '../../../src/agent/service.ts';
import { createSimulatedService } from '../../../src/drivers/simulated/service.ts';
import { maxNamedDomains } from '../../../src/host/http/api/requests.ts';
import type { DomainObservation } from '../../../src/host/port.ts';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { codeOf, valueOf } from '../../contract/bench.ts';
import { type AgentFixture, type AgentPki, createAgentPki, createServiceParts, serveFixture } from './agent-fixture.ts';

const nobody = uuidOfNumber(999);

describe('looks that are asked for at once', () => {
  let directory: string;
  let pki: AgentPki;
  let agent: AgentFixture;
  /** How many domains each question for several named. */
  let together: number[];
  let singles: string[];
  /** What answers to questions for several wait for. */
  let held: Promise<unknown>;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dimmer-looks-'));
    pki = await createAgentPki(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true }));
  afterEach(() => agent.stop());

  /** An agent with 40 domains; `tell` says what it answers to a question for several. */
  async function serve(
    tell: (observed: readonly DomainObservation[]) => readonly DomainObservation[] = (observed) => observed,
  ): Promise<void> {
    [together, singles, held] = [[], [], Promise.resolve()];
    const domains = Array.from({ length: 40 }, (_, index) => ({
      ...{ uuid: uuidOfNumber(index + 1), name: `vm-${index + 1}`, boot: mib(1024) },
    }));
    const parts = createServiceParts();
    const service = createSimulatedService(createSimulatedHost({ clock: systemClock, domains }), parts);
    const counted: RunnableService = Object.defineProperties(
      {
        ...service,
        observe(uuid, signal) {
          singles.push(uuid);
          return service.observe(uuid, signal);
        },
        async observeSome(uuids) {
          together.push(uuids.length);
          await held;
          return tell(await service.observeSome(uuids));
        },
      } satisfies RunnableService,
      { pendingOperations: { get: () => service.pendingOperations } },
    );
    agent = await serveFixture(counted, parts, pki);
  }
  const look = (...numbers: readonly number[]) =>
    Promise.all(numbers.map((number) => agent.client.observe(uuidOfNumber(number))));
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

  it('go in one request, and each is told of its own domain', async () => {
    await serve();
    const answers = await look(...upTo(7));
    expect(answers.map((answer) => valueOf(answer).name)).toEqual(upTo(7).map((number) => `vm-${number}`));
    expect([together, singles]).toEqual([[7], []]);
  });

  it('are as many requests as it takes when they are more than one may name', async () => {
    await serve();
    const answers = await look(...upTo(40));
    expect(new Set(answers.map((answer) => valueOf(answer).uuid)).size).toBe(40);
    expect([together, singles]).toEqual([[maxNamedDomains, 40 - maxNamedDomains], []]);
  });

  it('name a domain once that two ask for', async () => {
    await serve();
    const answers = await look(3, 3, 4);
    expect(answers.map((answer) => valueOf(answer).name)).toEqual(['vm-3', 'vm-3', 'vm-4']);
    expect(together).toEqual([2]);
  });

  it('are by itself what one alone is', async () => {
    await serve();
    expect((await look(5)).map((answer) => valueOf(answer).name)).toEqual(['vm-5']);
    expect([together, singles]).toEqual([[], [uuidOfNumber(5)]]);
  });

  it('say of one that can not be observed why, and of the others what they are', async () => {
    await serve();
    const [one, none] = await Promise.all([agent.client.observe(uuidOfNumber(1)), agent.client.observe(nobody)]);
    expect([valueOf(one).name, codeOf(none)]).toEqual(['vm-1', 'not-found']);
    expect([together, singles]).toEqual([[2], [nobody]]);
  });

  it('do not spoil each other: one that makes no sense is asked for by itself', async () => {
    const spoil = (each: DomainObservation) => ({ ...each, revision: 7 as unknown as string });
    await serve((observed) => observed.map((each) => (each.name === 'vm-1' ? spoil(each) : each)));
    const answers = await look(1, 2, 3);
    expect(answers.map((answer) => valueOf(answer).name)).toEqual(['vm-1', 'vm-2', 'vm-3']);
    expect([together, singles]).toEqual([[3], [uuidOfNumber(1)]]);
  });

  it('end for whoever gives up, and for nobody else', async () => {
    await serve();
    const answering = Promise.withResolvers<undefined>();
    held = answering.promise;
    const ending = new AbortController();
    const given = agent.client.observe(uuidOfNumber(1), ending.signal);
    const other = agent.client.observe(uuidOfNumber(2));
    ending.abort();
    expect(codeOf(await given)).toBe('timeout');
    answering.resolve(undefined);
    expect(valueOf(await other).name).toBe('vm-2');
  });
});
