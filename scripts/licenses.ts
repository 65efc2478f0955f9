/** The licences of the packages that a bundle contains: whoever passes it on passes them on, too. */
import type { BundledPackage } from './bundled.ts';

/** One text with name, version, licence and the licence's words of each package. Pure. */
export function writeLicenses(packages: readonly BundledPackage[]): string {
  const sections = packages.map(({ name, version, license, licenceTexts }) =>
    [`${name} ${version} (${license})`, ...licenceTexts].join('\n\n'),
  );
  return `${sections.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
