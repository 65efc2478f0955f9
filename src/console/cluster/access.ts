/** What the user may do, asked of the API server itself. */
import type { ApiClient } from '../../kubernetes/api-client.ts';
import { boolean, Mismatch, object } from '../../memory/shape.ts';

export type Question = {
  readonly verb: 'list' | 'watch' | 'patch';
  readonly resource: 'virtualmachinememories' | 'hypervisorhosts';
  /** null: in all. */
  readonly namespace: string | null;
};

const review = object({ status: object({ allowed: boolean }) });

/** Whether the user may; the text: why nobody said so now. Who may not even ask is taken for one who may: the deed will tell. */
export async function mayUser(
  client: ApiClient,
  { verb, resource, namespace }: Question,
  signal: AbortSignal,
): Promise<boolean | string> {
  const answer = await client.send({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: { group: 'dimmer.dev', verb, resource, ...(namespace === null ? {} : { namespace }) },
      },
    },
    signal,
  });
  if (!answer.ok) return answer.error.retryable && answer.error.status !== 403 ? answer.error.message : true;
  const read = review.read(answer.value);
  return read instanceof Mismatch ? read.explain('the answer') : read.status.allowed;
}
