// Made from scripts/packaging/leader.ts by scripts/deploy.ts.
import { readFileSync } from 'node:fs';
const token = '/var/run/secrets/kubernetes.io/serviceaccount/token';
const { KUBERNETES_SERVICE_HOST = '', KUBERNETES_SERVICE_PORT = '', LEASE = '', NAMESPACE = '' } = process.env;
const host = KUBERNETES_SERVICE_HOST.includes(':') ? `[${KUBERNETES_SERVICE_HOST}]` : KUBERNETES_SERVICE_HOST;
const path = `apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases?fieldSelector=metadata.name%3D${LEASE}`;
const url = `https://${host}:${KUBERNETES_SERVICE_PORT}/${path}`;
const patienceMs = 6e4;
async function findProblem() {
  const headers = { authorization: `Bearer ${readFileSync(token, 'utf8').trim()}` };
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(1e4) });
  if (!answer.ok) return `the API server answers ${answer.status}: ${await answer.text()}`;
  const [lease] = (await answer.json()).items;
  const { holderIdentity = '', renewTime = '', leaseDurationSeconds = 0 } = lease?.spec ?? {};
  if (holderIdentity === '') return `nobody holds the Lease ${NAMESPACE}/${LEASE}`;
  const endsMs = Date.parse(renewTime) + leaseDurationSeconds * 1e3;
  if (!(endsMs > Date.now())) return `${holderIdentity} led last at ${renewTime}`;
  process.stdout.write(`${holderIdentity} leads, by the Lease ${NAMESPACE}/${LEASE}
`);
  return void 0;
}
const describe = (error) =>
  error instanceof Error ? [error.message, ...(error.cause === void 0 ? [] : [describe(error.cause)])].join(': ') : '';
const begunMs = Date.now();
let problem = await findProblem().catch(describe);
while (problem !== void 0 && Date.now() - begunMs < patienceMs) {
  await new Promise((resolve) => setTimeout(resolve, 1e3));
  problem = await findProblem().catch(describe);
}
if (problem !== void 0) {
  process.stderr.write(`${problem}
`);
  process.exitCode = 1;
}
