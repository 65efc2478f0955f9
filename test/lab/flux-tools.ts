import { goTools } from './go-tools.ts';

/** Flux' own kustomize-controller: what applies deploy/gitops/flux, waits for our objects and says of them that they are ready. */
export const fluxTools = goTools({
  directory: 'fluxtools',
  programs: { kustomizeController: 'kustomize-controller' },
  about: "Flux' kustomize-controller",
  minutes: 3,
  versionOf: 'github.com/fluxcd/kustomize-controller',
});
