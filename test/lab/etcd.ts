import { type ApiClient, createApiClient } from './api-client.ts';

/** What lies in an etcd at one moment; {@link restoreContents} brings it back. */
export type EtcdContents = ReadonlyMap<string, StoredValue>;
type StoredValue = { readonly value: string; revision: string };
type Pair = { readonly key: string; readonly value?: string; readonly mod_revision: string };
type Header = { readonly header: { readonly revision: string } };

/** Speaks to an etcd by its JSON gateway (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/). */
export type EtcdClient = {
  readonly post: <T>(path: string, body: object) => Promise<T>;
  readonly close: () => void;
};

export function createEtcdClient(port: number, tls: Parameters<typeof createApiClient>[1]): EtcdClient {
  const client: ApiClient = createApiClient(`https://127.0.0.1:${port}`, tls);
  return {
    async post<T>(path: string, body: object): Promise<T> {
      const { status, text } = await client.ask(`/v3/kv/${path}`, { method: 'POST', body });
      if (status !== 200) throw new Error(`etcd answers ${status} to ${path}: ${text}`);
      return JSON.parse(text) as T;
    },
    close: client.close,
  };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** Has history go on, and forgets all of it until now. */
export async function compact(etcd: EtcdClient): Promise<void> {
  const { header } = await etcd.post<Header>('put', { key: base64('lab'), value: base64(new Date().toISOString()) });
  await etcd.post('compaction', { revision: header.revision, physical: true });
}

/** All that Kubernetes keeps: from the prefix to what would come after it. */
const everything = { key: base64('/registry/'), range_end: base64('/registry0') };
/** What the API server writes for itself, as long as it runs. */
const itsOwn = /^\/registry\/(leases\/kube-system\/apiserver-|masterleases\/|peerserverleases\/)/;
const isPassing = (key: string): boolean => key.startsWith('/registry/events/');

async function list(etcd: EtcdClient, options: object): Promise<readonly Pair[]> {
  const { kvs = [] } = await etcd.post<{ readonly kvs?: readonly Pair[] }>('range', { ...everything, ...options });
  return kvs.filter(({ key }) => !itsOwn.test(Buffer.from(key, 'base64').toString()));
}

/** All that Kubernetes keeps there now, but for events. */
export async function readContents(etcd: EtcdClient): Promise<EtcdContents> {
  const pairs = await list(etcd, {});
  return new Map(
    pairs
      .filter(({ key }) => !isPassing(Buffer.from(key, 'base64').toString()))
      .map(({ key, value = '', mod_revision: revision }) => [key, { value, revision }]),
  );
}

/**
 * Puts back what was there. History goes on: an API server that watches learns of each object as if somebody had written
 * or deleted it. Gives the number of keys that had changed.
 */
export async function restoreContents(etcd: EtcdClient, contents: EtcdContents): Promise<number> {
  const now = new Map((await list(etcd, { keys_only: true })).map((pair) => [pair.key, pair.mod_revision]));
  const added = [...now.keys()].filter((key) => !contents.has(key));
  for (const key of added) await etcd.post('deleterange', { key });
  const changed = [...contents].filter(([key, { revision }]) => now.get(key) !== revision);
  for (const [key, stored] of changed) {
    const { header } = await etcd.post<Header>('put', { key, value: stored.value });
    stored.revision = header.revision;
  }
  return added.length + changed.length;
}
