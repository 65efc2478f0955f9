/**
 * The newest leader that has changed a domain, as it is kept with it: what an agent that was started anew goes by. An
 * element of its own beside the operation state: an agent of 0.1.0 passes over it, and finds its own.
 */
import { create } from 'xmlbuilder2';
import { formatLeader, type Leader, parseLeader } from '../../memory/leader.ts';
import type { XmlElement } from './tree.ts';

export const leaderNamespace = 'https://dimmer.dev/xmlns/leader/1';
export const leaderPrefix = 'dimmer-leader';

/** The element for a leader. */
export const writeLeader = (leader: Leader): string =>
  create()
    .ele('leader', { newest: formatLeader(leader) })
    .end({ headless: true });

/** The leader in an element; null: it names none, and whoever finds it does without. */
export const readLeaderElement = (element: XmlElement): Leader | null =>
  element.name === 'leader' ? parseLeader(element.attributes.get('newest') ?? '') : null;
