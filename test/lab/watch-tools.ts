import { goTools } from './go-tools.ts';

/**
 * Programs of others that read what we ship for watching and for GitOps: promtool and kube-state-metrics as people run them,
 * and the interpreter of Lua that Argo CD has in it.
 */
export const watchTools = goTools({
  directory: 'watchtools',
  programs: { promtool: 'promtool', kubeStateMetrics: 'kube-state-metrics', lua: 'glua' },
  about: 'promtool, kube-state-metrics and glua',
  minutes: 3,
  // promtool without what finds targets in all clouds there are; Kubernetes is what our example of a configuration uses.
  tags: ['remove_all_sd', 'enable_kubernetes_sd'],
  // The last element of its module's path is the major version.
  renamed: { v2: 'kube-state-metrics' },
});
