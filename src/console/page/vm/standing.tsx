/** How it is with the VM now, in the sentences of its conditions, and what can be done about it beside another size. */
import type { JSX } from 'preact';
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { adviceFor, goesOn, obstaclesOf } from '../../../view/subject.ts';
import { age } from '../../../view/layout.ts';
import { nearestSizes } from '../../../view/reachable.ts';
import { sizeIn } from '../model/board.ts';
import type { Row } from '../model/list.ts';
import { sentence } from '../model/words.ts';
import { Alert } from '../parts/label.tsx';
import { now } from '../store.ts';
import type { Asker } from './asking.ts';

type StandingProps = {
  readonly resource: VirtualMachineMemory;
  readonly row: Row;
  readonly asker: Asker;
  readonly isPaused: boolean;
  readonly canEdit: boolean;
  /** The size before the last resize; null: there is none to go back to. */
  readonly back: string | null;
  readonly onBack: () => void;
};

export function Standing(props: StandingProps): JSX.Element {
  const { resource, row, asker, isPaused, canEdit, back, onBack } = props;
  const { readiness, tone } = row;
  const { reason, message, since, ready } = readiness;
  const forHowLong = since === null ? '' : ` for ${age(Math.max(0, now.value - Date.parse(since)))}`;
  const advice = ready === 'True' ? null : adviceFor(reason);
  const near = resource.status?.reachable === undefined ? null : nearestSizes(resource.status.reachable);
  const isBusy = asker.state.value.kind === 'busy';
  const button = (label: string, act: () => void): JSX.Element => (
    <button type="button" class="button button-small" disabled={!canEdit || isBusy} onClick={act}>
      {label}
    </button>
  );
  const actions = (
    <>
      {ready === 'True' || isPaused ? null : button('Try again now', () => void asker.annotate('retry'))}
      {isPaused
        ? button('Resume', () => void asker.annotate('resume'))
        : button('Pause', () => void asker.annotate('pause'))}
      {back === null ? null : button(`Back to ${back}…`, onBack)}
    </>
  );
  return (
    <Alert tone={tone} title={sentence(message)} live actions={actions}>
      <p class="standing-more">
        {reason}
        {forHowLong}.{goesOn(reason) && ready !== 'True' && advice === null ? ' It goes on by itself.' : ''}
      </p>
      <Progress resource={resource} />
      {advice === null ? null : (
        <p>
          <strong>What to do:</strong> {sentence(advice)}
        </p>
      )}
      {tone === 'danger' && near !== null ? <p>Sizes next to it that can be had: {near}.</p> : null}
      {obstaclesOf(resource).map(({ label, message: told }) => (
        <p key={label}>{sentence(label === 'restart' ? `a restart is ${told}` : `not ready for hotplug: ${told}`)}</p>
      ))}
    </Alert>
  );
}

/** How far a resize under way is; nothing where none is. */
function Progress({ resource }: Pick<StandingProps, 'resource'>): JSX.Element | null {
  const { lastResize, memory } = resource.status ?? {};
  if (lastResize === undefined || lastResize.completionTime !== undefined || memory === undefined) return null;
  const [from, to, at] = [lastResize.from, lastResize.to, memory.current].map(sizeIn);
  if (from === undefined || to === undefined || at === undefined || from === to) return null;
  const done = Math.round(Math.min(1, Math.max(0, (at - from) / (to - from))) * 100);
  return (
    <div class="progress">
      <span class="progress-text">
        {lastResize.from} → {lastResize.to}: {memory.current} now
      </span>
      <progress max={100} value={done} aria-label={`From ${lastResize.from} to ${lastResize.to}`} />
    </div>
  );
}
