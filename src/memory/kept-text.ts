/** Texts as they are kept where not every text has room. */

/** 32 bits of a text (FNV-1a), hexadecimal. */
export function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/**
 * Texts that survive a domain's metadata unchanged: no white space, which XML normalises in attributes, and no `&`, since
 * xmlbuilder2 takes what looks like an entity for one.
 */
export const keptText = /^[\x21-\x25\x27-\x7e]{1,253}$/;

/**
 * An alias as a mark keeps it: itself, or, since a module that was plugged by hand may have one of any length, its beginning
 * and a digest of the whole, so that two still differ. Whoever looks one up by it does the same. Detaching takes the
 * alias that libvirt shows.
 */
export const keptAlias = (alias: string): string =>
  keptText.test(alias) ? alias : `${alias.replace(/[^\x21-\x25\x27-\x7e]/g, '_').slice(0, 244)}~${digest(alias)}`;
