/** Which configuration counts: the option's, that of KUBECONFIG by kubectl's rules, or the pod's. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadKubeConfig } from '../../../src/kubernetes/kubeconfig.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dimmer-kubeconfig-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

type Parts = {
  readonly current?: string;
  readonly contexts?: string[];
  readonly clusters?: string[];
  readonly users?: string[];
};
/** A file with these; what each says has the file's own name in it. */
function write(file: string, { current, contexts = [], clusters = [], users = [] }: Parts): string {
  const path = join(directory, file);
  const text = JSON.stringify({
    ...(current === undefined ? {} : { 'current-context': current }),
    contexts: contexts.map((name) => ({ name, context: { cluster: name, user: name } })),
    clusters: clusters.map((name) => ({ name, cluster: { server: `https://${file}.example.net` } })),
    users: users.map((name) => ({ name, user: { token: file, 'client-certificate': 'client.crt' } })),
  });
  writeFileSync(path, text);
  return path;
}
const whole = (name: string): Parts => ({ current: name, contexts: [name], clusters: [name], users: [name] });
const by = (...files: readonly string[]) => ({ KUBECONFIG: files.join(delimiter) });

describe('the option', () => {
  it('names a file that it cannot read', () => {
    expect(() => loadKubeConfig(join(directory, 'missing'))).toThrow(/^can't read the kubeconfig .*missing: ENOENT/);
  });

  it('names a file that is no kubeconfig', () => {
    writeFileSync(join(directory, 'bad'), '{');
    expect(() => loadKubeConfig(join(directory, 'bad'))).toThrow(/kubeconfig .*bad/);
    writeFileSync(join(directory, 'empty'), '{}');
    expect(() => loadKubeConfig(join(directory, 'empty'))).toThrow(/kubeconfig .*empty/);
  });

  it('names a context that leads nowhere', () => {
    expect(() => loadKubeConfig(write('one', { current: 'other' }))).toThrow(/has no current context/);
  });

  it('counts before KUBECONFIG', () => {
    const config = loadKubeConfig(write('one', whole('a')), by(write('other', whole('b'))));
    expect(config.getCurrentContext()).toBe('a');
  });
});

describe('KUBECONFIG', () => {
  it('with one file is that file, also in a pod', () => {
    const pod = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
    const config = loadKubeConfig(null, { ...pod, ...by(write('one', whole('a'))) });
    expect(config.getCurrentCluster()?.server).toBe('https://one.example.net');
  });

  it('with several takes of each name, and of the current context, the first that says it', () => {
    const first = write('first', { contexts: ['a'], users: ['shared'] });
    const second = write('second', { current: 'a', clusters: ['a'], users: ['a', 'shared'] });
    const third = write('third', whole('a'));
    const config = loadKubeConfig(null, by(first, second, third));
    expect(config.getCurrentContext()).toBe('a');
    expect(config.getCurrentCluster()?.server).toBe('https://second.example.net');
    expect(config.getCurrentUser()?.token).toBe('second');
    expect(config.getUser('shared')?.token).toBe('first');
    expect(config.getClusters().length + config.getContexts().length).toBe(2);
  });

  it('finds what a file names beside that file', () => {
    mkdirSync(join(directory, 'there'));
    const config = loadKubeConfig(null, by(write('one', {}), write('there/two', whole('a'))));
    expect(config.getCurrentUser()?.certFile).toBe(join(directory, 'there/client.crt'));
  });

  it('passes over a file that is not there, as long as another is, and over empty entries', () => {
    const path = write('one', whole('a'));
    const missing = join(directory, 'missing');
    expect(loadKubeConfig(null, by('', missing, path, '')).getCurrentContext()).toBe('a');
    expect(() => loadKubeConfig(null, by(missing))).toThrow(`KUBECONFIG=${missing} names no file that is there`);
  });

  it('that leads nowhere, or to a file that is no kubeconfig, is named', () => {
    const path = write('one', { current: 'a' });
    expect(() => loadKubeConfig(null, by(path))).toThrow(`KUBECONFIG=${path} has no current context`);
    writeFileSync(path, '{');
    expect(() => loadKubeConfig(null, by(path))).toThrow(`can't read the kubeconfig ${path}`);
  });
});

describe('without either', () => {
  it('says how to go on outside of a cluster', () => {
    for (const environment of [{}, { KUBECONFIG: '' }]) {
      expect(() => loadKubeConfig(null, environment)).toThrow(/not running in a cluster .*--kubeconfig or KUBECONFIG/);
    }
  });
});
