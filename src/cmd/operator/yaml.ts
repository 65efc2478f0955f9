/** Resources as YAML; a file of its own, so that the package is loaded only for it (see cmd/plan/plan-yaml.ts). */
import { stringify } from 'yaml';

export const toYaml = (value: object): string => stringify(value, { lineWidth: 0 });
