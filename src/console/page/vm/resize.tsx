/** Choosing a size: slider, number field, the plan in its own words, and a button that says what it does. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Bytes } from '../../../memory/bytes.ts';
import { formatQuantity } from '../../../memory/quantity.ts';
import type { LivePlan } from '../../../preview/live-plan.ts';
import { adviceFor } from '../../../view/subject.ts';
import { reaches, type Sizes } from '../model/sizes.ts';
import { readSize } from '../model/typed.ts';
import {
  actionOf,
  agoText,
  ceilingText,
  floorText,
  freshMs,
  isPaused,
  sentence,
  valueText,
  wayOf,
} from '../model/words.ts';
import { Icon } from '../parts/icon.tsx';
import { Alert } from '../parts/label.tsx';
import { Slider } from '../parts/slider.tsx';
import type { Known } from '../store.ts';
import type { Asker, Asking } from './asking.ts';
import { planAt, restingPlace } from './draft.ts';

type ResizeProps = {
  readonly known: Known;
  readonly sizes: Sizes;
  readonly place: Bytes;
  readonly isChosen: boolean;
  readonly asker: Asker;
  readonly asking: Asking;
  /** Why nothing may be set; null: it may. */
  readonly locked: string | null;
  /** How old what the guest reported is; null: it never reported. */
  readonly reportMs: number | null;
  readonly onChoose: (size: Bytes | null) => void;
};

export function Resize(props: ResizeProps): JSX.Element {
  const { known, sizes, place, isChosen, asker, asking, locked, reportMs, onChoose } = props;
  const { resource } = known;
  const live = planAt(sizes, place);
  const wanted = resource.spec.memory === undefined ? '' : formatQuantity(restingPlace(resource, sizes));
  const size = formatQuantity(place);
  const isOld = reportMs === null || reportMs > freshMs;
  const canGo = live !== null && (place === sizes.current || reaches(live.request, live.plan)) && size !== wanted;
  const isBusy = asking.kind === 'busy';
  const set = (): void =>
    void asker.ask({ memory: size, resourceVersion: resource.metadata.resourceVersion, force: false });
  return (
    <section class="card resize" aria-labelledby="resize-title">
      <div class="card-head">
        <h2 id="resize-title">Size</h2>
        <Bounds sizes={sizes} isOld={isOld} reportMs={reportMs} />
      </div>
      <Slider
        sizes={sizes}
        value={place}
        text={live === null ? size : valueText(live)}
        isOld={isOld}
        disabled={locked !== null}
        labelledBy="resize-title"
        onMove={onChoose}
      />
      <form
        class="resize-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (canGo && locked === null && !isBusy) set();
        }}
      >
        <SizeField sizes={sizes} place={place} disabled={locked !== null} onChoose={onChoose} />
        <PlanWords live={live} isChosen={isChosen} paused={isPaused(resource)} />
        <div class="resize-buttons">
          <button type="submit" class="button button-primary button-go" disabled={!canGo || locked !== null || isBusy}>
            {isBusy ? `${asking.doing}…` : live === null ? 'Nothing to change' : actionOf(live, wanted)}
          </button>
          <button type="button" class="button" disabled={!isChosen} onClick={() => onChoose(null)}>
            Reset
          </button>
        </div>
      </form>
      {locked === null ? null : <Alert tone="info" title={locked} />}
      <Said asking={asking} asker={asker} />
    </section>
  );
}

function Bounds({ sizes, isOld, reportMs }: Pick<ResizeProps, 'sizes' | 'reportMs'> & { isOld: boolean }): JSX.Element {
  const age = reportMs === null ? 'the guest has not reported' : `the guest reported ${agoText(reportMs)}`;
  return (
    <ul class="bounds">
      <li class={sizes.floor.why === 'boot' ? '' : 'bounds-floor'}>
        {sentence(floorText(sizes.floor))} <span class={isOld ? 'is-old' : 'muted'}>({age})</span>
      </li>
      <li>{sentence(ceilingText(sizes.ceiling))}</li>
    </ul>
  );
}

type FieldProps = Pick<ResizeProps, 'sizes' | 'place' | 'onChoose'> & { readonly disabled: boolean };

/** Takes any quantity, and settles on the nearest size that is offered. */
function SizeField({ sizes, place, disabled, onChoose }: FieldProps): JSX.Element {
  const [typed, setTyped] = useState<string | null>(null);
  // Whoever moves the thumb has not typed.
  useEffect(() => setTyped(null), [place]);
  const text = typed ?? formatQuantity(place);
  const read = readSize(text);
  const nearest = read.ok ? sizes.snap(read.value) : null;
  const settle = (): void => {
    if (typed !== null && nearest !== null) onChoose(nearest);
    setTyped(null);
  };
  const step = (direction: 'up' | 'down'): void => {
    const next = sizes.next(place, direction);
    if (next !== null) onChoose(next);
  };
  const hint = !read.ok
    ? sentence(read.error)
    : nearest !== null && nearest !== read.value && typed !== null
      ? `${formatQuantity(nearest)} is the nearest size that can be had.`
      : '';
  return (
    <div class="size-field">
      <label for="size">Memory</label>
      <div class="size-row">
        <button
          type="button"
          class="button button-icon"
          aria-label="Next smaller size"
          disabled={disabled || sizes.next(place, 'down') === null}
          onClick={() => step('down')}
        >
          <Icon name="minus" />
        </button>
        <input
          id="size"
          class="input"
          type="text"
          autocomplete="off"
          spellcheck={false}
          value={text}
          disabled={disabled}
          aria-describedby="size-hint"
          aria-invalid={!read.ok}
          onInput={(event) => setTyped(event.currentTarget.value)}
          onBlur={settle}
          onKeyDown={(event) => {
            if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
              event.preventDefault();
              step(event.key === 'ArrowUp' ? 'up' : 'down');
            } else if (event.key === 'Enter' && typed !== null) {
              // The first Enter settles what was typed; the button says what a second one does.
              event.preventDefault();
              settle();
            }
          }}
        />
        <button
          type="button"
          class="button button-icon"
          aria-label="Next larger size"
          disabled={disabled || sizes.next(place, 'up') === null}
          onClick={() => step('up')}
        >
          <Icon name="plus" />
        </button>
      </div>
      <p id="size-hint" class="size-hint" role="status">
        {hint}
      </p>
    </div>
  );
}

type PlanWordsProps = { readonly live: LivePlan | null; readonly isChosen: boolean; readonly paused: boolean };

function PlanWords({ live, isChosen, paused }: PlanWordsProps): JSX.Element {
  if (live === null) return <p class="plan muted">No plan can be made.</p>;
  const { plan, steps } = live;
  const way = wayOf(live);
  const advice = plan.decision === 'blocked' ? adviceFor(plan.reason) : null;
  return (
    <div class="plan" aria-live="polite">
      <p class={isChosen ? 'plan-sentence' : 'plan-sentence muted'}>
        {way === null ? null : <span class="way">{way}</span>}
        {sentence(plan.message)}
      </p>
      {paused && isChosen ? <p class="plan-more">It is paused: this is done once it is resumed.</p> : null}
      {advice === null || !isChosen ? null : <p class="plan-more">{sentence(advice)}</p>}
      {steps.length < 2 ? null : (
        <ol class="steps">
          {steps.slice(0, 6).map((step, index) => (
            <li key={index} class={step.operation === 'plug' ? 'step-plug' : 'step-unplug'}>
              {step.operation === 'plug' ? 'in' : 'out'} {formatQuantity(step.size)}, slot {step.slot}
            </li>
          ))}
          {steps.length > 6 ? <li class="steps-more">and {steps.length - 6} more</li> : null}
        </ol>
      )}
    </div>
  );
}

/** What became of it, below the button that asked for it: in sight, wherever the window ends. */
function Said({ asking, asker }: { readonly asking: Asking; readonly asker: Asker }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (asking.kind === 'refused') place.current?.scrollIntoView({ block: 'nearest' });
  }, [asking]);
  return (
    <div ref={place} class="said">
      {wordsOf(asking, asker)}
    </div>
  );
}

function wordsOf(asking: Asking, asker: Asker): JSX.Element | null {
  const close = (
    <button type="button" class="button button-small" onClick={() => asker.dismiss()}>
      Dismiss
    </button>
  );
  if (asking.kind === 'refused') {
    return (
      <Alert tone="danger" title="It was refused" live actions={close}>
        <p class="own-words">{asking.message}</p>
      </Alert>
    );
  }
  return asking.kind === 'done' && asking.said !== '' ? (
    <Alert tone="good" title={asking.said} live actions={close} />
  ) : null;
}
