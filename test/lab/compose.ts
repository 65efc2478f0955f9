import { join } from 'node:path';
import type { ControlPlane } from './control-plane.ts';
import type { Lab } from './lab.ts';
import type { Report } from './progress.ts';

const REPOSITORY = join(import.meta.dirname, '../..');

/** Dimmer at work in a lab: what else was started, how to reach it, and how to end it. */
export type Composition = {
  /** Lines for a person who wants to play with it. */
  readonly help: readonly string[];
  readonly stop: () => Promise<void>;
};

/** Applies the CustomResourceDefinitions and deploy/, and waits until the API server serves the resources. */
export async function applyManifests(controlPlane: ControlPlane): Promise<void> {
  await controlPlane.kubectlOk(['apply', '--server-side', '--kustomize', join(REPOSITORY, 'deploy')]);
  await controlPlane.kubectlOk(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
}

/** Installs Dimmer in a lab as an administrator would. The agent and the controller join here. */
export async function composeDimmer(lab: Lab, report: Report): Promise<Composition> {
  report('applying crds/ and deploy/');
  await applyManifests(lab.controlPlane);
  return { help: [], stop: () => Promise.resolve() };
}
