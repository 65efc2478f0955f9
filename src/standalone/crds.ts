/** The schemas that manifests are held to: those of the CRDs that a cluster installs, as they lie beside the program. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { isObject } from '../memory/shape.ts';
import { type Kind, kindFacts } from './kinds.ts';
import type { Schema } from './schema.ts';

/** The schema of each kind's spec. */
export type SpecSchemas = Readonly<Record<Kind, Schema>>;

/** The same from the source and from the bundle: both lie two folders below the package. */
const folder = new URL('../../crds/', import.meta.url);

/** Reads the CRDs. @throws Error where the package isn't whole */
export const loadSpecSchemas = (): SpecSchemas => ({
  VirtualMachineMemory: loadSpecSchema('VirtualMachineMemory'),
  HypervisorHost: loadSpecSchema('HypervisorHost'),
});

function loadSpecSchema(kind: Kind): Schema {
  const file = fileURLToPath(new URL(`dimmer.dev_${kindFacts[kind].plural}.yaml`, folder));
  const crd: unknown = parse(readFileSync(file, 'utf8'));
  const at = ['spec', 'versions', 0, 'schema', 'openAPIV3Schema', 'properties', 'spec'];
  const schema = at.reduce<unknown>((value, step) => {
    if (Array.isArray(value)) return value[Number(step)];
    return isObject(value) ? value[step] : undefined;
  }, crd);
  if (!isObject(schema)) throw new Error(`${file} holds no schema of a spec`);
  return schema;
}
