/**
 * Domain XML that was understood before needn't be understood again. Between two looks at a domain nearly always nothing
 * has changed, and reading XML is most of what a look costs the agent (the libvirt calls are the daemon's work).
 */
import { hash } from 'node:crypto';
import type { DomainMemoryXml, XmlResult } from '../../libvirt/xml/domain-memory.ts';
import { readDomainMemory } from '../../libvirt/xml/domain.ts';
import { XmlElements } from '../../libvirt/xml/tree.ts';

type Remembered = {
  readonly digest: string;
  readonly result: XmlResult<DomainMemoryXml>;
  readonly elements: XmlElements;
};

/** More domains than any host has; the one that was added first is forgotten first. */
const maxDomains = 1_000;

export class XmlMemo {
  readonly #remembered = new Map<string, Remembered>();

  /** {@link readDomainMemory} of `xml`, which is that of the domain `uuid`. The text itself isn't kept. */
  read(uuid: string, xml: string): XmlResult<DomainMemoryXml> {
    const digest = hash('sha256', xml, 'base64');
    const known = this.#remembered.get(uuid);
    if (known?.digest === digest) return known.result;
    const elements = known?.elements ?? new XmlElements();
    const result = readDomainMemory(xml, elements);
    const [first] = this.#remembered.keys();
    if (known === undefined && first !== undefined && this.#remembered.size >= maxDomains) {
      this.#remembered.delete(first);
    }
    this.#remembered.set(uuid, { digest, result, elements });
    return result;
  }
}
