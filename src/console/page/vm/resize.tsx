/** Choosing a size: slider, number field, the plan in its own words, and a button that says what it does. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Bytes } from '../../../memory/bytes.ts';
import type { ShrinkPolicy } from '../../../memory/policies.ts';
import { formatQuantity } from '../../../memory/quantity.ts';
import type { LivePlan } from '../../../preview/live-plan.ts';
import { adviceFor } from '../../../view/subject.ts';
import { reaches, type Sizes } from '../model/sizes.ts';
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
import { Alert } from '../parts/label.tsx';
import { Slider } from '../parts/slider.tsx';
import type { Known } from '../store.ts';
import type { Asker, Asking } from './asking.ts';
import { otherWays, ownPolicy, planAt, restingPlace } from './draft.ts';
import { SizeField } from './size-field.tsx';
import { Ways } from './ways.tsx';

type ResizeProps = {
  readonly known: Known;
  readonly sizes: Sizes;
  readonly place: Bytes;
  readonly isChosen: boolean;
  readonly asker: Asker;
  readonly asking: Asking;
  /** Whether nothing may be set. */
  readonly locked: boolean;
  /** What is to be said of that; null: a notice above all pages says it. */
  readonly lockedNote: string | null;
  /** How old what the guest reported is; null: it never reported. */
  readonly reportMs: number | null;
  /** The policy that is looked at instead of the spec's; null: the spec's. */
  readonly way: ShrinkPolicy | null;
  /** `way`: by this policy; absent: by the one that is looked at. */
  readonly onChoose: (size: Bytes, way?: ShrinkPolicy) => void;
  readonly onWay: (way: ShrinkPolicy | null) => void;
  readonly onReset: () => void;
};

export function Resize(props: ResizeProps): JSX.Element {
  const { known, sizes, place, isChosen, asker, asking, locked, lockedNote, reportMs, way } = props;
  const { onChoose, onWay, onReset } = props;
  const { resource } = known;
  const live = planAt(sizes, place);
  const wanted = resource.spec.memory === undefined ? '' : formatQuantity(restingPlace(resource, sizes));
  const size = formatQuantity(place);
  const isOld = reportMs === null || reportMs > freshMs;
  const isOther = size !== wanted || way !== null;
  const canGo = live !== null && (place === sizes.current || reaches(live.request, live.plan)) && isOther;
  const isBusy = asking.kind === 'busy';
  const set = (): void =>
    void asker.ask({ memory: size, way }, { resourceVersion: resource.metadata.resourceVersion, force: false });
  const others = otherWays(resource, way);
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
        others={others}
        disabled={locked}
        labelledBy="resize-title"
        onMove={onChoose}
      />
      <Ways own={ownPolicy(resource)} way={way} disabled={locked} onWay={onWay} />
      <form
        class="resize-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (canGo && !locked && !isBusy) set();
        }}
      >
        <SizeField sizes={sizes} place={place} others={others} disabled={locked} onChoose={onChoose} />
        <PlanWords live={live} isChosen={isChosen} paused={isPaused(resource)} />
        <div class="resize-buttons">
          <button type="submit" class="button button-primary button-go" disabled={!canGo || locked || isBusy}>
            {isBusy ? `${asking.doing}…` : live === null ? 'Nothing to change' : actionOf(live, wanted, way)}
          </button>
          <button type="button" class="button" disabled={!isChosen} onClick={onReset}>
            Reset
          </button>
        </div>
      </form>
      {lockedNote === null ? null : <Alert tone="info" title={lockedNote} />}
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
