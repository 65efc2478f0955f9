/** Requests to an agent as an arbitrary program sends them: nothing is decoded, nothing is hidden. */
import { request, type RequestOptions } from 'node:https';

export type ApiAnswer = {
  readonly status: number;
  readonly type: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly etag: string;
  readonly body: string;
};
export type Credentials = { readonly ca: string; readonly cert?: Buffer | string; readonly key?: Buffer | string };
export type ApiRequest = Pick<RequestOptions, 'method' | 'headers'> & { readonly body?: string };

/** Sends one request over a connection of its own; rejects when there is no answer. */
export function askApi(
  port: number,
  credentials: Credentials,
  path: string,
  options: ApiRequest = {},
): Promise<ApiAnswer> {
  const { body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, agent: false, ...credentials, ...rest }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          headers: response.headers,
          etag: response.headers.etag ?? '',
          body: text,
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
