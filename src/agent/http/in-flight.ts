/**
 * What each client may have in hand at a time. One that runs wild must not starve the others or libvirt; one with much
 * to do may do it as fast as the answers come.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** A controller has at most 8 looks (host-line.ts) and 64 changes (HypervisorHost's schema) in hand. */
export const maxInFlight = 96;

/** Requests in hand by client. Clients are the few that `--allow-client` names. */
export class InFlight {
  readonly #counts = new Map<string, number>();
  readonly #ends = new WeakMap<FastifyRequest, { readonly end: () => void; started: boolean }>();

  /** Has requests end here when they have been answered. Call it before routes are declared. */
  attach(app: FastifyInstance): void {
    app.addHook('preHandler', (request, _reply, done) => {
      const entry = this.#ends.get(request);
      if (entry !== undefined) entry.started = true;
      done();
    });
    // Not when the connection ends: work goes on for a client that has hung up, and must count as long as it does.
    app.addHook('onSend', (request, _reply, _payload, done) => {
      this.#ends.get(request)?.end();
      done();
    });
  }

  /** Whether the client may have this request in hand, too. */
  enter(client: string, request: FastifyRequest, reply: FastifyReply): boolean {
    const count = this.#counts.get(client) ?? 0;
    if (count >= maxInFlight) return false;
    this.#counts.set(client, count + 1);
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      this.#counts.set(client, (this.#counts.get(client) ?? 1) - 1);
    };
    const entry = { end, started: false };
    this.#ends.set(request, entry);
    // One that never came to its handler, and a stream of events, which is answered outside of all hooks.
    reply.raw.once('close', () => {
      if (!entry.started || reply.sent) end();
    });
    return true;
  }
}
