/** Of reasons that say that all is well, or that something is under way. */
import type { AnyReason } from '../../api/v1alpha1/reasons.ts';
import type { Runbook } from '../runbook.ts';

export const settledRunbooks = {
  Converged: {
    meaning:
      'the guest has what was asked for; what nobody knows of it (no statistics with `BestEffort`, a kernel that keeps much) the message says',
    todo: null,
  },
  ConvergedNearest: {
    meaning: 'as near as the modules allow, or rounded up (`rounding: Up`); the difference is named',
    todo: null,
  },
  ObserveOnly: { meaning: "`spec.memory` isn't set", todo: null },
  Plugging: { meaning: 'modules are being plugged', todo: null },
  Unplugging: { meaning: 'the guest was asked for a module, and is giving it up', todo: null },
  Replacing: {
    meaning: 'a module was plugged so that a set of others can go (`shrinkPolicy: Replace`)',
    todo: null,
  },
  Releasing: {
    meaning: 'it is being deleted, and what Dimmer plugged is taken out first (`deletionPolicy: Release`)',
    todo: 'wait, or change the policy to `Retain`',
  },
  WaitingForGuest: {
    meaning:
      'the guest may still be booting, is taking memory up, or has not said for a moment what it has (how long is named)',
    todo: 'wait',
  },
  VMMigrating: { meaning: 'the VM is moving to another host, and is left alone until it is there', todo: 'wait' },
  Paused: {
    meaning: 'paused, and something is to be done; the message says what',
    todo: 'resume it: `spec.paused`, the annotation `dimmer.dev/paused`, or `--observe-only`',
  },
  DriftCorrected: {
    meaning: 'somebody else has changed the modules; they are brought back',
    todo: 'find out who',
  },
  Released: { meaning: 'a deletion with Release has ended, and nothing that Dimmer plugged is left', todo: null },
  Cordoned: { meaning: 'no more memory is plugged on the host; unplugging goes on', todo: null },
  Uncordoned: { meaning: 'memory is plugged on the host again', todo: null },
  AgentAnswers: { meaning: "the host's agent answers, and its spec makes sense", todo: null },
} as const satisfies Partial<Record<AnyReason, Runbook>>;
