/** The mainboard: what `model/board.ts` says, drawn. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { type Board, type Frame, freeText, type Slot, type SlotState, stateWords } from '../model/board.ts';
import { Icon, type IconName } from './icon.tsx';

const signOf: Readonly<Partial<Record<SlotState, IconName>>> = {
  leaving: 'up',
  refused: 'ban',
  'asked-again': 'warning',
  resting: 'clock',
  other: 'diamond',
};

/** More than this many sockets are drawn small. */
const roomy = 32;

export function BoardView({ board }: { readonly board: Board }): JSX.Element {
  const { frames, empty, free, used, total } = board;
  const drawn = frames.reduce((sum, { slots }) => sum + slots.length, empty.length) + Math.min(free.length, roomy);
  const size = drawn > roomy ? 'board-dense' : 'board-roomy';
  const states = new Set([...frames.flatMap(({ slots }) => slots), ...empty].map(({ state }) => state));
  return (
    <div class={`board ${size}`}>
      <div class="board-frames">
        {frames.map((frame) => (
          <FrameView key={frame.node} frame={frame} several={frames.length > 1} />
        ))}
        {empty.length + free.length === 0 ? null : <EmptySlots empty={empty} free={free} />}
      </div>
      <p class="board-foot">
        <span>{total === 0 ? 'This VM has no slots for modules' : `${used} of ${total} slots hold a module`}</span>
        <Legend states={states} />
      </p>
    </div>
  );
}

function FrameView({ frame, several }: { readonly frame: Frame; readonly several: boolean }): JSX.Element {
  const { node, boot, slots } = frame;
  return (
    <section class="frame" aria-label={several ? `NUMA node ${node}` : 'Memory of the VM'}>
      {several ? <h3 class="frame-title">NUMA node {node}</h3> : null}
      <div class="frame-body">
        <div class="bank" title={`${boot} of boot memory: soldered, it stays`}>
          <div class="bank-chips" aria-hidden="true">
            <i />
            <i />
            <i />
            <i />
          </div>
          <div class="bank-text">
            <strong>{boot}</strong>
            <span>boot</span>
          </div>
        </div>
        <ul class="slots" aria-label="Modules">
          {slots.length === 0 ? <li class="slots-none">no module</li> : null}
          {slots.map((slot) => (
            <SlotView key={`${slot.slot}-${slot.state === 'comes' ? 'comes' : ''}`} slot={slot} />
          ))}
        </ul>
      </div>
    </section>
  );
}

/** What a screen reader says of a slot. */
function sayingOf({ slot, size, state, note, step }: Slot): string {
  const what = size === '' ? stateWords[state] : `${size}, ${note === '' ? stateWords[state] : note}`;
  return `Slot ${slot}: ${what}${step === null ? '' : `, step ${step}`}`;
}

/** Heights are a scale of their own: what a strict CSP lets a page set is a property, not an attribute. */
const heightOf = (share: number): number => Math.max(8, Math.round(share * 100));

/** Of 256 slots a move of the thumb changes a few: the others are the same elements, and aren't compared. */
function SlotView({ slot: given }: { readonly slot: Slot }): JSX.Element {
  const { slot, size, share, state, note, step } = given;
  return useMemo(() => drawSlot(given), [slot, size, share, state, note, step]);
}

function drawSlot(given: Slot): JSX.Element {
  const { slot, size, share, state, step } = given;
  const sign = signOf[state];
  const saying = sayingOf(given);
  return (
    <li class={`slot slot-${state}`} title={saying}>
      <span class="sr-only">{saying}</span>
      <span class="socket" aria-hidden="true">
        {size === '' ? null : <span class="bar" style={{ height: `${heightOf(share)}%` }} />}
        {sign === undefined ? null : (
          <span class="sign">
            <Icon name={sign} size={14} />
          </span>
        )}
        {step === null ? null : (
          <span class="step">
            <span class="step-sign">{state === 'goes' ? '−' : '+'}</span>
            {step}
          </span>
        )}
      </span>
      <span class="slot-size" aria-hidden="true">
        {size === '' ? '·' : size}
      </span>
      <span class="slot-number" aria-hidden="true">
        {slot}
      </span>
    </li>
  );
}

function EmptySlots({
  empty,
  free,
}: {
  readonly empty: readonly Slot[];
  readonly free: readonly number[];
}): JSX.Element {
  const shown = free.slice(0, 8);
  return (
    <section class="frame frame-empty" aria-label="Slots without a module">
      <ul class="slots" aria-label="Slots without a module">
        {empty.map((slot) => (
          <SlotView key={slot.slot} slot={slot} />
        ))}
        {free.length === 0 ? null : (
          <li class="free" title={`free: ${freeText(free)}`}>
            <span class="free-sockets" aria-hidden="true">
              {shown.map((slot) => (
                <i key={slot} class="socket" />
              ))}
            </span>
            <span class="free-text">
              {free.length} free <span class="muted">({freeText(free)})</span>
            </span>
          </li>
        )}
      </ul>
    </section>
  );
}

const legendOrder: readonly SlotState[] = ['leaving', 'refused', 'asked-again', 'resting', 'other', 'goes', 'comes'];

function Legend({ states }: { readonly states: ReadonlySet<SlotState> }): JSX.Element {
  return (
    <span class="legend">
      {legendOrder
        .filter((state) => states.has(state))
        .map((state) => {
          const sign = signOf[state];
          return (
            <span key={state} class={`legend-entry slot-${state}`}>
              <span class="legend-mark" aria-hidden="true">
                {sign === undefined ? null : <Icon name={sign} size={11} />}
              </span>
              {stateWords[state]}
            </span>
          );
        })}
    </span>
  );
}
