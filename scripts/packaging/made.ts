/** Everything below deploy/ that is made from something else. */
import { computeBundle } from './bundle.ts';
import { computeChart } from './chart.ts';
import { readRoot } from './manifests.ts';

/** The files, by their path from the root of the repository. */
export async function computeDeployFiles(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    // kustomize takes no file of a folder above.
    ['deploy/shards/controller/controller.yaml', readRoot('deploy/40-controller.yaml')],
    ...(await computeChart()),
    ...(await computeBundle()),
  ]);
}
