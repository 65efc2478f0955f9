/**
 * The statistics period that stood before a question was put to the guest, as it is kept with the domain until it stands
 * again. It is an element of its own beside the operation state: an agent of 0.1.0 passes over it, and finds its own.
 */
import { create } from 'xmlbuilder2';
import { parseCount } from './scaled-size.ts';
import type { XmlElement } from './tree.ts';

export const periodNamespace = 'https://dimmer.dev/xmlns/statistics/1';
export const periodPrefix = 'dimmer-statistics';

/** libvirt keeps periods as `int`. */
export const maxPeriodSeconds = 0x7fffffff;

/** The element for a period. @param seconds 1 or more */
export const writePeriod = (seconds: number): string =>
  create().ele('statistics', { period: seconds }).end({ headless: true });

/** The period in an element; null: it names none that could stand, and whoever finds it does without. */
export function readPeriodElement(element: XmlElement): number | null {
  const seconds = parseCount(element.attributes.get('period'), maxPeriodSeconds);
  return element.name === 'statistics' && seconds !== 0 ? seconds : null;
}
