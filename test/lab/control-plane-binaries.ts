import { delimiter } from 'node:path';
import { findPrograms, goTools } from './go-tools.ts';
import type { Report } from './progress.ts';
import { run } from './run.ts';

/** Paths of the programs of a Kubernetes control plane. */
export type ControlPlaneBinaries = {
  readonly apiServer: string;
  readonly etcd: string;
  readonly kubectl: string;
  /** Where they come from, for people. */
  readonly origin: string;
};

const PROGRAMS = { apiServer: 'kube-apiserver', etcd: 'etcd', kubectl: 'kubectl' } as const;
/** The admission policies of deploy/ need a stable ValidatingAdmissionPolicy (Kubernetes 1.30). */
const MINIMUM_MINOR = 30;

const built = goTools({
  directory: 'controlplane',
  programs: PROGRAMS,
  about: 'a control plane (etcd, kube-apiserver and kubectl)',
  minutes: 4,
  needs: 'about 700 MB for Go modules and 2.2 GB for the build cache',
  versionOf: 'k8s.io/kubernetes',
  // Without the stamp `kubectl version` fails on the server's version string.
  stamp: (version) => ({
    'k8s.io/component-base/version.gitVersion': version,
    'k8s.io/component-base/version.gitMajor': '1',
    'k8s.io/component-base/version.gitMinor': version.split('.')[1] ?? '',
    'k8s.io/component-base/version.gitTreeState': 'clean',
  }),
  // etcd's, by the last element of its import path.
  renamed: { server: 'etcd' },
});

/** The control plane that is there, without building anything; null when none is. */
export const findControlPlane = async (): Promise<ControlPlaneBinaries | null> =>
  (await findInstalled()) ?? fromBuilt(built.find());

/** Gives the programs, building them first if need be. */
export const ensureControlPlane = async (report: Report): Promise<ControlPlaneBinaries> =>
  (await findInstalled()) ?? fromBuilt(await built.ensure(report));

/** Said where the programs are missing and may not be built. */
export const CONTROL_PLANE_MISSING = built.missing;

function fromBuilt(programs: Omit<ControlPlaneBinaries, 'origin'>): ControlPlaneBinaries;
function fromBuilt(programs: Omit<ControlPlaneBinaries, 'origin'> | null): ControlPlaneBinaries | null;
function fromBuilt(programs: Omit<ControlPlaneBinaries, 'origin'> | null): ControlPlaneBinaries | null {
  return programs === null ? null : { ...programs, origin: built.target };
}

/** One directory with all three programs, so that client and server fit each other. */
async function findInstalled(): Promise<ControlPlaneBinaries | null> {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && assets !== '') {
    const complete = findPrograms(assets, PROGRAMS);
    if (complete === null) {
      throw new Error(
        `KUBEBUILDER_ASSETS=${assets} does not hold kube-apiserver, etcd and kubectl; unset or correct it`,
      );
    }
    return { ...complete, origin: 'KUBEBUILDER_ASSETS' };
  }
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const complete = directory === '' ? null : findPrograms(directory, PROGRAMS);
    if (complete === null) continue;
    const version = (await run(complete.apiServer, ['--version'])).stdout;
    const minor = Number(/v1\.(\d+)/.exec(version)?.[1] ?? 0);
    if (minor >= MINIMUM_MINOR) return { ...complete, origin: directory };
  }
  return null;
}
