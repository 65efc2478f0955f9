/**
 * What runs in a guest, as far as its definition gives it away. A hint, for words only: whoever installs another system
 * seldom changes the definition.
 */
import type { GuestSystem } from '../../memory/guest-facts.ts';
import { childOf, type XmlElement } from './tree.ts';
import { descend } from './reading.ts';

/** Where virt-install, virt-manager, oVirt and Cockpit say what was installed, by an id of libosinfo. */
const osinfoNamespace = 'http://libosinfo.org/xmlns/libvirt/domain/1.0';

/** null: nothing says. */
export function findGuestSystem(domain: XmlElement): GuestSystem | null {
  const osinfo = childOf(domain, 'metadata')?.children.find(({ namespace }) => namespace === osinfoNamespace);
  const id = osinfo?.children.find(({ name }) => name === 'os')?.attributes.get('id') ?? null;
  if (id !== null) return id.includes('microsoft.com/') ? 'Windows' : null;
  // Enlightenments are for Windows; no other guest is given them by a tool.
  return descend(domain, 'features', 'hyperv') === undefined ? null : 'Windows';
}
