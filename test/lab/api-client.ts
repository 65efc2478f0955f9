import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

export type ApiAnswer = {
  readonly status: number;
  readonly text: string;
  /** What the API server warns of. */
  readonly warnings: readonly string[];
};

export type ApiRequest = {
  /** `GET` when left out. */
  readonly method?: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  readonly body?: object;
  /** What the body of a PATCH is; a JSON merge patch (RFC 7396) when left out. */
  readonly patch?: keyof typeof patchTypes;
  /** Impersonates this user (`kubectl --as`). */
  readonly as?: string;
};

const patchTypes = {
  merge: 'application/merge-patch+json',
  /** Server-side apply. */
  apply: 'application/apply-patch+yaml',
} as const;

/**
 * Speaks to the API server as the administrator, from this process: a kubectl takes 0.2 s of a processor, and whoever
 * waits for something asks ten times a second.
 */
export type ApiClient = {
  /** The answer, whatever it says. Throws when there is none within 10 s. */
  readonly ask: (path: string, request?: ApiRequest) => Promise<ApiAnswer>;
  /** What lies at a path, as JSON; another answer than 200 is an error. */
  readonly read: (path: string, request?: Pick<ApiRequest, 'as'>) => Promise<unknown>;
  /** Changes what lies at a path (`kubectl patch --type=merge`, `annotate`, `label`); another answer than 200 is an error. */
  readonly merge: (path: string, change: object) => Promise<unknown>;
  /** Asks for the end of what lies at a path (`kubectl delete --wait=false`); another answer than 200 is an error. */
  readonly remove: (path: string) => Promise<unknown>;
  readonly close: () => void;
};

const TIMEOUT_MS = 10_000;
const TRIES = 10;

export function createApiClient(
  url: string,
  tls: { readonly ca: string; readonly cert: Buffer; readonly key: Buffer },
): ApiClient {
  const agent = new Agent({ ...tls, keepAlive: true });
  const send = (path: string, options: ApiRequest): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { method = 'GET', body, as, patch = 'merge' } = options;
      const headers = {
        ...(as !== undefined && { 'Impersonate-User': as }),
        ...(body !== undefined && {
          'Content-Type': method === 'PATCH' ? patchTypes[patch] : 'application/json',
        }),
      };
      const call = request(new URL(path, url), { agent, method, headers, timeout: TIMEOUT_MS }, resolve);
      call.on('timeout', () => call.destroy(new Error(`no answer from ${path} within ${TIMEOUT_MS} ms`)));
      call.on('error', (error) => {
        // A server that was killed meanwhile had this connection; only what can be repeated comes here.
        if (call.reusedSocket) resolve(send(path, options));
        else reject(error);
      });
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const ask: ApiClient['ask'] = async (path, options = {}) => {
    const answer = await send(path, options);
    const { warning } = answer.headersDistinct;
    return { status: answer.statusCode ?? 0, text: await text(answer), warnings: (warning ?? []).map(textOfWarning) };
  };
  const askOk = async (path: string, options?: ApiRequest): Promise<string> => {
    let answer = await ask(path, options);
    // As kubectl does: of a kind that has just been defined the API server says so for a second.
    for (let asked = 1; answer.status === 429 && asked < TRIES; asked += 1) {
      await delay(1_000);
      answer = await ask(path, options);
    }
    if (answer.status !== 200) throw new Error(`${path} answers ${answer.status}: ${answer.text}`);
    return answer.text;
  };
  return {
    ask,
    read: async (path, options) => JSON.parse(await askOk(path, options)) as unknown,
    merge: (path, body) => askOk(path, { method: 'PATCH', body }),
    remove: (path) => askOk(path, { method: 'DELETE' }),
    close: () => agent.destroy(),
  };
}

/** The text of a header `Warning: 299 - "..."` (RFC 9110, 5.6.4). */
const textOfWarning = (header: string): string => header.replace(/^\d+ \S+ "(.*)"$/s, '$1').replaceAll(/\\(.)/gs, '$1');

const ours = {
  vmmem: (namespace?: string) => `namespaces/${namespace ?? 'default'}/virtualmachinememories`,
  hvh: () => 'hypervisorhosts',
} as const;

/** Whether a word for kubectl is one of our kinds. */
export const isOurs = (kind: string): kind is keyof typeof ours => kind in ours;

/** Where an object of ours lies, by the short name of its kind. */
export const pathOf = (kind: keyof typeof ours, name: string, namespace?: string): string =>
  `/apis/dimmer.dev/v1alpha1/${ours[kind](namespace)}/${name}`;

/** Where a namespace lies. */
export const namespacePath = (name: string): string => `/api/v1/namespaces/${name}`;

/** Where the events of a namespace lie. */
export const eventsIn = (namespace: string): string => `${namespacePath(namespace)}/events`;
