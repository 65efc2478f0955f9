/** Which cluster the user's kubectl speaks to, in its own words. */
import type { Kubectl } from '../../operator/kubectl.ts';
import { lenient, list, Mismatch, object, orElse, text } from '../../memory/shape.ts';

export type Context = {
  /** Of the kubeconfig; empty: it has none, as in a pod. */
  readonly name: string;
  /** Where nothing else is said. */
  readonly namespace: string;
};

const view = object({
  contexts: orElse([], list(object({ name: text(), context: object({ namespace: lenient(text()) }) }))),
});

/** Reads it; kubectl leaves all credentials out of what it prints here. In a pod there is none, and kubectl does without. */
export async function readContext(kubectl: Kubectl): Promise<Context> {
  const { code, stdout } = await kubectl.run(['config', 'view', '--minify', '--output=json']);
  const read = code === 0 ? view.read(JSON.parse(stdout)) : new Mismatch('is not there');
  const context = read instanceof Mismatch ? undefined : read.contexts[0];
  return { name: context?.name ?? '', namespace: context?.context.namespace ?? 'default' };
}
