/**
 * A plan as YAML. A file of its own, so that the package is loaded only for it; the package itself is imported by name: of
 * one that is CommonJS the bundle's `import()` gives no names (.dependency-cruiser.cjs forbids it).
 */
import { stringify } from 'yaml';
import type { Plan } from '../../planner/types.ts';
import { planToJson } from '../../preview/json.ts';

/** What `dimmer plan -o yaml` prints: the keys and values of the JSON. */
export function planToYaml(plan: Plan): string {
  return stringify(planToJson(plan), { lineWidth: 0 });
}
