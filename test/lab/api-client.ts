import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';

export type ApiAnswer = { readonly status: number; readonly text: string };

export type ApiRequest = {
  /** `GET` when left out. */
  readonly method?: 'GET' | 'PUT' | 'POST';
  readonly body?: object;
  /** Impersonates this user (`kubectl --as`). */
  readonly as?: string;
};

/**
 * Speaks to the API server as the administrator, from this process: a kubectl takes 0.2 s of a processor, and whoever
 * waits for something asks ten times a second.
 */
export type ApiClient = {
  /** The answer, whatever it says. Throws when there is none within 10 s. */
  readonly ask: (path: string, request?: ApiRequest) => Promise<ApiAnswer>;
  /** What lies at a path, as JSON; another answer than 200 is an error. */
  readonly read: (path: string, request?: Pick<ApiRequest, 'as'>) => Promise<unknown>;
  readonly close: () => void;
};

const TIMEOUT_MS = 10_000;

export function createApiClient(
  url: string,
  tls: { readonly ca: string; readonly cert: Buffer; readonly key: Buffer },
): ApiClient {
  const agent = new Agent({ ...tls, keepAlive: true });
  const send = (path: string, { method = 'GET', body, as }: ApiRequest): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const headers = {
        ...(as !== undefined && { 'Impersonate-User': as }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      };
      const call = request(new URL(path, url), { agent, method, headers, timeout: TIMEOUT_MS }, resolve);
      call.on('timeout', () => call.destroy(new Error(`no answer from ${path} within ${TIMEOUT_MS} ms`)));
      call.on('error', (error) => {
        // A server that was killed meanwhile had this connection; only what can be repeated comes here.
        if (call.reusedSocket) resolve(send(path, { method, ...(body && { body }), ...(as !== undefined && { as }) }));
        else reject(error);
      });
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const ask: ApiClient['ask'] = async (path, options = {}) => {
    const answer = await send(path, options);
    return { status: answer.statusCode ?? 0, text: await text(answer) };
  };
  return {
    ask,
    read: async (path, options) => {
      const answer = await ask(path, options);
      if (answer.status !== 200) throw new Error(`${path} answers ${answer.status}: ${answer.text}`);
      return JSON.parse(answer.text) as unknown;
    },
    close: () => agent.destroy(),
  };
}

const ours = {
  vmmem: (namespace?: string) => `namespaces/${namespace ?? 'default'}/virtualmachinememories`,
  hvh: () => 'hypervisorhosts',
} as const;

/** Whether a word for kubectl is one of our kinds. */
export const isOurs = (kind: string): kind is keyof typeof ours => kind in ours;

/** Where an object of ours lies, by the short name of its kind. */
export const pathOf = (kind: keyof typeof ours, name: string, namespace?: string): string =>
  `/apis/dimmer.dev/v1alpha1/${ours[kind](namespace)}/${name}`;
