/** To which Kubernetes namespace a domain belongs, as the host's admin has written it into the domain's metadata. */
import type { XmlResult } from './domain-memory.ts';
import { parseXml, type XmlElement } from './tree.ts';

/** The host admin's alone. */
export const ownerNamespace = 'https://dimmer.dev/xmlns/owner/1';

/** The namespace that an `<owner namespace="..."/>` element names. */
export function readOwnerElement(element: XmlElement): XmlResult<string> {
  const namespace = element.attributes.get('namespace');
  if (element.name !== 'owner') return { ok: false, error: { path: element.name, problem: `is not 'owner'` } };
  // RFC 1123 label, as Kubernetes has it for namespaces.
  if (namespace === undefined || !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) {
    return { ok: false, error: { path: 'owner/@namespace', problem: 'is not the name of a namespace' } };
  }
  return { ok: true, value: namespace };
}

/** The namespace of what `getMetadata` gave for {@link ownerNamespace}; null: the admin said nothing. */
export function readOwner(xml: string | null): XmlResult<string | null> {
  if (xml === null) return { ok: true, value: null };
  const parsed = parseXml(xml);
  return parsed.ok ? readOwnerElement(parsed.value) : { ok: false, error: { path: 'owner', problem: parsed.error } };
}
