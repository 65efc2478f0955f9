/** The slider: one thumb that stands on offered sizes only, between a floor and a ceiling. */
import { useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import type { Bytes } from '../../../memory/bytes.ts';
import { formatQuantity } from '../../../memory/quantity.ts';
import { type OtherWay, sizesBeyond } from '../model/offers.ts';
import { shareOf, type Sizes } from '../model/sizes.ts';

type SliderProps = {
  readonly sizes: Sizes;
  readonly value: Bytes;
  /** What a screen reader says of where it stands: the size and the plan. */
  readonly text: string;
  /** Whether what the guest uses is too old a figure to go by. */
  readonly isOld: boolean;
  /** What other shrink policies reach: drawn hollow, and not stood on. */
  readonly others: readonly OtherWay[];
  readonly disabled: boolean;
  readonly labelledBy: string;
  readonly onMove: (size: Bytes) => void;
};

/** So many offered sizes at once with Page Up and Page Down. */
const pageSteps = 8;
/** More ticks than this would be a grey bar. */
const mostTicks = 97;

export function Slider(props: SliderProps): JSX.Element {
  const { sizes, value, text, isOld, others, disabled, labelledBy, onMove } = props;
  const track = useRef<HTMLDivElement>(null);
  const percent = (size: number): string => `${(shareOf(sizes, size) * 100).toFixed(3)}%`;
  const moveTo = (x: number): void => {
    const box = track.current?.getBoundingClientRect();
    if (box === undefined || box.width === 0) return;
    const share = Math.min(1, Math.max(0, (x - box.left) / box.width));
    onMove(sizes.snap(sizes.least + share * (sizes.most - sizes.least)));
  };
  /** Where the pointer is that the thumb hasn't followed yet: it does once a frame, however often a mouse tells. */
  const pointed = useRef<number | null>(null);
  const follow = (): void => {
    const at = pointed.current;
    pointed.current = null;
    if (at !== null) moveTo(at);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const to = disabled ? null : target(event.key, sizes, value);
    if (to === null) return;
    event.preventDefault();
    onMove(to);
  };
  const floorIsShown = sizes.floor.size > sizes.least;
  return (
    <div class={`slider${disabled ? ' is-disabled' : ''}`}>
      <div
        class="slider-hit"
        onPointerDown={(event) => {
          if (disabled || event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          event.currentTarget.querySelector<HTMLElement>('[role=slider]')?.focus();
          moveTo(event.clientX);
        }}
        onPointerMove={(event) => {
          if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
          if (pointed.current === null) requestAnimationFrame(follow);
          pointed.current = event.clientX;
        }}
        onPointerUp={(event) => {
          // Where it is let go it stays, whatever was told of the way there.
          if (event.currentTarget.hasPointerCapture(event.pointerId)) pointed.current = event.clientX;
          follow();
        }}
        onLostPointerCapture={follow}
      >
        <div class="slider-track" ref={track}>
          <Ticks sizes={sizes} />
          <Beyond sizes={sizes} others={others} />
          <div class="slider-have" style={{ width: percent(sizes.current) }} />
          <Change sizes={sizes} value={value} />
          {floorIsShown ? (
            <div class={`slider-floor${isOld ? ' is-old' : ''}`} style={{ width: percent(sizes.floor.size) }} />
          ) : null}
          {sizes.ceiling.size < sizes.most ? (
            <div class="slider-ceiling" style={{ left: percent(Math.max(sizes.current, sizes.ceiling.size)) }} />
          ) : null}
          <div class="slider-current" style={{ left: percent(sizes.current) }} />
          <div
            class="slider-thumb"
            role="slider"
            tabIndex={disabled ? -1 : 0}
            aria-labelledby={labelledBy}
            aria-valuemin={Math.min(value, sizes.least)}
            aria-valuemax={Math.max(value, sizes.most)}
            aria-valuenow={value}
            aria-valuetext={text}
            aria-disabled={disabled}
            style={{ left: percent(value) }}
            onKeyDown={onKeyDown}
          />
        </div>
      </div>
      <div class="slider-ends" aria-hidden="true">
        <span>{formatQuantity(sizes.least)}</span>
        <span>{formatQuantity(sizes.most)}</span>
      </div>
    </div>
  );
}

/** From what is there to what would be. */
function Change({ sizes, value }: Pick<SliderProps, 'sizes' | 'value'>): JSX.Element | null {
  const [from, to] = [Math.min(sizes.current, value), Math.max(sizes.current, value)];
  if (from === to) return null;
  const [left, right] = [shareOf(sizes, from), shareOf(sizes, to)];
  return (
    <div
      class={`slider-change ${value > sizes.current ? 'is-more' : 'is-less'}`}
      style={{ left: `${(left * 100).toFixed(3)}%`, width: `${((right - left) * 100).toFixed(3)}%` }}
    />
  );
}

/** Where the offered sizes are, where they can be told apart. */
function Ticks({ sizes }: Pick<SliderProps, 'sizes'>): JSX.Element | null {
  const found: Bytes[] = [];
  const known = ticksOf.get(sizes);
  if (known === undefined) {
    for (let at = sizes.next(sizes.least - 1, 'up'); at !== null && found.length <= mostTicks;) {
      found.push(at);
      at = sizes.next(at, 'up');
    }
    ticksOf.set(sizes, found);
  }
  const shown = known ?? found;
  if (shown.length > mostTicks) return null;
  return (
    <>
      {shown.map((size) => (
        <i key={size} class="slider-tick" style={{ left: `${(shareOf(sizes, size) * 100).toFixed(3)}%` }} />
      ))}
    </>
  );
}
const ticksOf = new WeakMap<Sizes, readonly Bytes[]>();

/** Where only a replacement gets, where that can be told apart: it is taken by its word. */
function Beyond({ sizes, others }: Pick<SliderProps, 'sizes' | 'others'>): JSX.Element {
  const replacing = others.find(({ shrink }) => shrink === 'Replace');
  const shown = beyondOf.get(sizes) ?? (replacing === undefined ? [] : sizesBeyond(sizes, replacing.sizes, mostTicks));
  beyondOf.set(sizes, shown);
  return (
    <>
      {shown.map((size) => (
        <i
          key={size}
          class="slider-tick is-beyond"
          title={`${formatQuantity(size)} with Replace`}
          style={{ left: `${(shareOf(sizes, size) * 100).toFixed(3)}%` }}
        />
      ))}
    </>
  );
}
const beyondOf = new WeakMap<Sizes, readonly Bytes[]>();

/** Where a key takes the thumb; null: nowhere. */
function target(key: string, sizes: Sizes, value: Bytes): Bytes | null {
  switch (key) {
    case 'ArrowRight':
    case 'ArrowUp':
      return sizes.next(value, 'up');
    case 'ArrowLeft':
    case 'ArrowDown':
      return sizes.next(value, 'down');
    case 'PageUp':
      return far(sizes, value, 'up');
    case 'PageDown':
      return far(sizes, value, 'down');
    case 'Home':
      return sizes.snap(sizes.least);
    case 'End':
      return sizes.snap(sizes.most);
    default:
      return null;
  }
}

function far(sizes: Sizes, from: Bytes, direction: 'up' | 'down'): Bytes {
  let at = from;
  for (let step = 0; step < pageSteps; step += 1) at = sizes.next(at, direction) ?? at;
  return at;
}
