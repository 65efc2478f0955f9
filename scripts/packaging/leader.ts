/**
 * What `helm test` runs in a pod, with the controller's own rights: whether one leads, by the Lease that it renews. Written into
 * the chart as JavaScript: it needs Node, and nothing else.
 */
import { readFileSync } from 'node:fs';

type Leases = {
  readonly items: readonly {
    readonly spec: {
      readonly holderIdentity?: string;
      readonly renewTime?: string;
      readonly leaseDurationSeconds?: number;
    };
  }[];
};

const token = '/var/run/secrets/kubernetes.io/serviceaccount/token';
const { KUBERNETES_SERVICE_HOST = '', KUBERNETES_SERVICE_PORT = '', LEASE = '', NAMESPACE = '' } = process.env;
const host = KUBERNETES_SERVICE_HOST.includes(':') ? `[${KUBERNETES_SERVICE_HOST}]` : KUBERNETES_SERVICE_HOST;
// The controller may list the one Lease that it has, by its name.
const path = `apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases?fieldSelector=metadata.name%3D${LEASE}`;
const url = `https://${host}:${KUBERNETES_SERVICE_PORT}/${path}`;
const patienceMs = 60_000;

/** Undefined where one leads, else why not. */
async function findProblem(): Promise<string | undefined> {
  const headers = { authorization: `Bearer ${readFileSync(token, 'utf8').trim()}` };
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) return `the API server answers ${answer.status}: ${await answer.text()}`;
  const [lease] = ((await answer.json()) as Leases).items;
  const { holderIdentity = '', renewTime = '', leaseDurationSeconds = 0 } = lease?.spec ?? {};
  if (holderIdentity === '') return `nobody holds the Lease ${NAMESPACE}/${LEASE}`;
  const endsMs = Date.parse(renewTime) + leaseDurationSeconds * 1000;
  if (!(endsMs > Date.now())) return `${holderIdentity} led last at ${renewTime}`;
  process.stdout.write(`${holderIdentity} leads, by the Lease ${NAMESPACE}/${LEASE}\n`);
  return undefined;
}

const describe = (error: unknown): string =>
  error instanceof Error
    ? [error.message, ...(error.cause === undefined ? [] : [describe(error.cause)])].join(': ')
    : '';

const begunMs = Date.now();
let problem = await findProblem().catch(describe);
while (problem !== undefined && Date.now() - begunMs < patienceMs) {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  problem = await findProblem().catch(describe);
}
if (problem !== undefined) {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 1;
}
