import { goTools } from './go-tools.ts';

/** helm and operator-verify: what installs the chart, and what OLM's own library says of the bundle. */
export const chartTools = goTools({
  directory: 'charttools',
  programs: { helm: 'helm', operatorVerify: 'operator-verify' },
  about: 'helm and operator-verify',
  minutes: 2,
  versionOf: 'helm.sh/helm/v4',
  // Without it, it calls itself by its branch.
  stamp: (version) => ({ 'helm.sh/helm/v4/internal/version.version': version }),
});
