/**
 * Who we are to the API server and how to reach it, by a configuration that was loaded.
 *
 * client-node 2.0.1 reads the configuration and runs the credential plugins. Its own requests are not used: they make a
 * new undici agent, hence a new TLS connection, for every call (KubeConfig.applySecurityAuthentication), and its Watch
 * swallows what it can't parse and ends a quiet watch after 30 s, before the API server's bookmark comes (watch.js).
 */
import { createHash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent, type buildConnector, type Dispatcher, ProxyAgent } from 'undici';
import type { Clock } from '../runtime/clock.ts';
import { sharedContext } from '../runtime/tls-suites.ts';

/** What a request needs: headers that say who we are, and connections that trust the right server. */
export type Access = {
  /** Without a slash at the end. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
};

export interface AccessProvider {
  /** Credentials in force. @throws Error when they can't be had (an unreadable file, a failing plugin) */
  current(): Promise<Access>;
  /** Reads them afresh for the next request: the server turned them down. */
  invalidate(): void;
  close(): Promise<void>;
}

/** Tokens and certificates are rotated in place; a plugin's token is cached by client-node until it expires. */
const maxAgeMs = 10_000;

/** Credentials of `config`, read again every 10 s, over connections that are kept as long as the TLS material stays. */
export function createAccessProvider(config: KubeConfig, clock: Clock): AccessProvider {
  let dispatcher: { readonly fingerprint: string; readonly agent: Dispatcher } | undefined;
  const retired = new Set<Dispatcher>();
  let cached: { readonly access: Promise<Access>; readonly atMs: number } | undefined;

  const dispatcherFor = (options: RequestOptions): Dispatcher => {
    const fingerprint = fingerprintOf(options);
    if (dispatcher?.fingerprint === fingerprint) return dispatcher.agent;
    if (dispatcher !== undefined) retire(dispatcher.agent);
    dispatcher = { fingerprint, agent: createDispatcher(config, options) };
    return dispatcher.agent;
  };
  /** Running watches end in peace; new requests use the new one. */
  const retire = (old: Dispatcher): void => {
    retired.add(old);
    void old.close().finally(() => retired.delete(old));
  };

  const load = async (): Promise<Access> => {
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig has no current cluster');
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const headers: Record<string, string> = { 'user-agent': 'dimmer' };
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      if (value !== undefined) headers[name.toLowerCase()] = String(value);
    }
    if (typeof options.auth === 'string') {
      headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    }
    return { server: cluster.server.replace(/\/+$/, ''), headers, dispatcher: dispatcherFor(options) };
  };

  return {
    current() {
      if (cached === undefined || clock.now() - cached.atMs > maxAgeMs) {
        const access = load();
        cached = { access, atMs: clock.now() };
        access.catch(() => {
          if (cached?.access === access) cached = undefined;
        });
      }
      return cached.access;
    },
    invalidate() {
      cached = undefined;
    },
    async close() {
      const all = [...retired, ...(dispatcher === undefined ? [] : [dispatcher.agent])];
      dispatcher = undefined;
      cached = undefined;
      await Promise.all(all.map((agent) => agent.destroy()));
    },
  };
}

function fingerprintOf(options: RequestOptions): string {
  const hash = createHash('sha256');
  for (const part of [options.ca, options.cert, options.key, options.servername, options.rejectUnauthorized]) {
    hash.update(Buffer.isBuffer(part) ? part : JSON.stringify(part ?? null)).update('\0');
  }
  return hash.digest('hex');
}

function createDispatcher(config: KubeConfig, tls: RequestOptions): Dispatcher {
  // HTTP/1.1: with HTTP/2 all watches and writes would share one connection, and its death would be everybody's.
  const ours = { allowH2: false, keepAliveTimeout: 60_000 };
  const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized } = tls;
  const made = config.createDispatcherOptions(config.getCurrentCluster(), {
    ca,
    cert,
    key,
    pfx,
    passphrase,
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  });
  switch (made.type) {
    case 'agent':
      return new Agent({
        ...ours,
        connect: { ...sharedContext(made.connect), timeout: 10_000 } as buildConnector.BuildOptions,
      });
    case 'none':
      return new Agent({ ...ours, connect: { timeout: 10_000, keepAliveInitialDelay: 30_000 } });
    case 'proxy':
      return new ProxyAgent({
        ...ours,
        uri: made.uri,
        requestTls: made.requestTls as ProxyAgent.Options['requestTls'],
      } as ProxyAgent.Options);
    case 'socks':
      throw new Error(`proxy-url ${made.uri}: SOCKS proxies are not supported; use an HTTP proxy`);
  }
}
