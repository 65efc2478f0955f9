/** The agent's API, judged by redocly and spectral as a document, and by schemathesis as it is served. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AgentPki, createAgentPki } from '../integration/agent/agent-fixture.ts';
import { type AgentProcess, startAgentProcess } from '../integration/agent/agent-process.ts';
import { describeLab } from '../lab/describe.ts';
import { type Accepted, check, distinct, installed, STRANGERS } from './checkers.ts';

const committed = join(import.meta.dirname, '../../docs/openapi/agent-v1.json');

const unused =
  'no operation ends in it: it is the answer to a method that a path has not, and info.description names it';
const acceptedByRedocly: Accepted = { 'no-unused-components: /components/responses/MethodNotAllowed': unused };
const acceptedBySpectral: Accepted = {
  'info-contact: /info': 'there is no address: everybody runs agents of their own',
  'oas3-unused-component: /components/responses/MethodNotAllowed': unused,
};

/** Which answers are right beside those that schemathesis thinks of. */
const schemathesisSettings = `
[checks]
# RFC 6585, section 3: a change without the revision that it goes by.
missing_required_header.expected-statuses = [400, 401, 403, 406, 415, 422, 428]
# RFC 9110, section 15.5.13: no request that is made up has the revision of the moment.
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 412, 429, "5xx"]
`;

await describeLab(
  "the agent's API",
  () => {
    let directory: string;
    let pki: AgentPki;
    let agent: AgentProcess;
    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'dimmer-strangers-'));
      pki = await createAgentPki(directory);
      agent = await startAgentProcess(['--driver=simulated', '--simulated-vms=4'], pki);
    });
    afterAll(async () => {
      await agent.end('SIGTERM');
      for (const tls of [pki.agentTls, pki.clientTls]) tls.close();
      rmSync(directory, { recursive: true });
    });

    test('redocly, with its strict rules', async () => {
      const config = join(directory, 'redocly.yaml');
      writeFileSync(config, 'extends: [recommended-strict]\n');
      const { stdout } = await check(installed().redocly, ['lint', `--config=${config}`, '--format=json', committed]);
      const { problems } = JSON.parse(stdout) as { problems: { ruleId: string; location: { pointer: string }[] }[] };
      const found = problems.map(
        ({ ruleId, location }) => `${ruleId}: ${(location[0]?.pointer ?? '').replace('#', '')}`,
      );
      expect(distinct(found)).toEqual(Object.keys(acceptedByRedocly).toSorted());
    });

    test('spectral, with all that it recommends of OpenAPI', async () => {
      const rules = join(directory, 'spectral.yaml');
      writeFileSync(rules, "extends: ['spectral:oas']\n");
      const { stdout } = await check(installed().spectral, [
        'lint',
        '--quiet',
        `--ruleset=${rules}`,
        '--format=json',
        committed,
      ]);
      const problems = JSON.parse(stdout) as { code: string; path: string[] }[];
      const found = problems.map(({ code, path }) => `${code}: /${path.join('/')}`);
      expect(distinct(found)).toEqual(Object.keys(acceptedBySpectral).toSorted());
    });

    test('schemathesis, with a certificate that the agent admits: every answer is as the document says', async () => {
      const { directory: files, caFile } = pki.pki;
      const settings = join(directory, 'schemathesis.toml');
      writeFileSync(settings, schemathesisSettings);
      const { stdout, stderr, code } = await check(
        installed().schemathesis,
        [
          ...[
            `--config-file=${settings}`,
            'run',
            committed,
            `--url=https://127.0.0.1:${agent.port}`,
            `--tls-verify=${caFile}`,
          ],
          ...[`--request-cert=${join(files, 'controller.crt')}`, `--request-cert-key=${join(files, 'controller.key')}`],
          // A stream has no end.
          '--exclude-operation-id=watchEvents',
          ...['--generation-deterministic', '--max-examples=5', '--no-color'],
          ...['--continue-on-failure'],
        ],
        { cwd: directory },
      );
      expect(stderr + (code === 0 ? '' : stdout)).toBe('');
      expect(Number(/([\d,]+) generated/.exec(stdout)?.[1]?.replace(',', ''))).toBeGreaterThan(200);
      // It lives, and has heard of no fault of its own.
      expect(agent.lines.filter(({ level }) => level === 'error')).toEqual([]);
    });
  },
  STRANGERS,
);
