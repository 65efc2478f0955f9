import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files of test/integration and test/e2e that run for 20 s or more on a busy machine, as a whole run ranks them, and those
 * of test/unit that run for ten seconds: one that begins last keeps a whole run waiting. (vitest knows how long files took,
 * but not in a clean checkout.)
 */
export const longest: readonly string[] = [
  'test/e2e/unjudged.test.ts',
  'test/integration/agent/fresh-reports.test.ts',
  'test/integration/package/host-packages.test.ts',
  'test/integration/standalone/libvirt.test.ts',
  'test/e2e/crashes.test.ts',
  'test/integration/kubernetes/console-page.test.ts',
  'test/integration/package/package.test.ts',
  'test/e2e/refusal.test.ts',
  'test/integration/kubernetes/leader-election.test.ts',
  'test/integration/agent/orphans.test.ts',
  'test/e2e/tenants.test.ts',
  'test/e2e/compatibility.test.ts',
  'test/integration/agent/faults.test.ts',
  'test/integration/line/defaults.test.ts',
  'test/e2e/backing.test.ts',
  'test/integration/console/page.test.ts',
  'test/integration/agent/hypervisor-errors.test.ts',
  'test/integration/watch/flux.test.ts',
  'test/integration/kubernetes/host-changes.test.ts',
  'test/e2e/policies.test.ts',
  'test/integration/agent/question-crashes.test.ts',
  'test/integration/kubernetes/manifests.test.ts',
  'test/integration/agent/broken-libvirt.test.ts',
  'test/integration/agent/contract.test.ts',
  'test/integration/agent/way-back.test.ts',
  'test/e2e/persistence.test.ts',
  'test/integration/agent/memory-in-use.test.ts',
  'test/integration/kubernetes/outage.test.ts',
  'test/integration/console/goldens.test.ts',
  'test/e2e/console-page.test.ts',
  'test/integration/kubernetes/kubectl-plugin.test.ts',
  'test/integration/lab/lab.test.ts',
  'test/integration/package/operations.test.ts',
  'test/integration/kubernetes/foreign-conditions.test.ts',
  'test/e2e/drift-and-release.test.ts',
  'test/integration/agent/check.test.ts',
  'test/e2e/bad-input.test.ts',
  'test/e2e/documents.test.ts',
  'test/integration/kubernetes/console.test.ts',
  'test/integration/kubernetes/every-reason.test.ts',
  'test/integration/agent/systemd.test.ts',
  'test/integration/agent/guests.test.ts',
  'test/integration/standalone/console-page.test.ts',
  'test/integration/kubernetes/planning.test.ts',
  'test/integration/agent/unplug-crashes.test.ts',
  'test/integration/kubernetes/deletion.test.ts',
  'test/unit/standalone/standalone.test.ts',
  'test/unit/cmd/standalone.test.ts',
  'test/unit/cmd/demo.test.ts',
];

/** Longest first, within the groups that run one after the other. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const group = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = longest.indexOf(relative(this.ctx.config.root, moduleId));
      return index === -1 ? longest.length : index;
    };
    const sorted = await super.sort(files);
    return sorted.toSorted((one, other) => group(one) - group(other) || rank(one) - rank(other));
  }
}
