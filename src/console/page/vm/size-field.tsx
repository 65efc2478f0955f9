/** The number field: takes any quantity, settles on the nearest size that is offered, and names the policies that come nearer. */
import type { JSX } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';
import type { Bytes } from '../../../memory/bytes.ts';
import type { ShrinkPolicy } from '../../../memory/policies.ts';
import { formatQuantity } from '../../../memory/quantity.ts';
import { type Offer, offersFor, type OtherWay } from '../model/offers.ts';
import type { Sizes } from '../model/sizes.ts';
import { readSize } from '../model/typed.ts';
import { sentence } from '../model/words.ts';
import { Icon } from '../parts/icon.tsx';

type FieldProps = {
  readonly sizes: Sizes;
  readonly place: Bytes;
  readonly others: readonly OtherWay[];
  readonly disabled: boolean;
  /** `way`: by this policy; absent: by the one that is looked at. */
  readonly onChoose: (size: Bytes, way?: ShrinkPolicy) => void;
};

export function SizeField({ sizes, place, others, disabled, onChoose }: FieldProps): JSX.Element {
  const [typed, setTyped] = useState<string | null>(null);
  /** What was typed last, for as long as the thumb stands where that has taken it: what comes nearer is offered on. */
  const [settled, setSettled] = useState<{ readonly wish: number; readonly at: Bytes } | null>(null);
  // Whoever moves the thumb has not typed. At once: what is typed next must not be lost.
  useLayoutEffect(() => setTyped(null), [place]);
  const text = typed ?? formatQuantity(place);
  const read = readSize(text);
  const nearest = read.ok ? sizes.snap(read.value) : null;
  const wish = typed !== null ? (read.ok ? read.value : null) : settled?.at === place ? settled.wish : null;
  const settle = (): void => {
    if (typed !== null && nearest !== null && read.ok) {
      setSettled({ wish: read.value, at: nearest });
      onChoose(nearest);
    }
    setTyped(null);
  };
  const step = (direction: 'up' | 'down'): void => {
    const next = sizes.next(place, direction);
    if (next !== null) onChoose(next);
  };
  const stepButton = (direction: 'up' | 'down'): JSX.Element => (
    <button
      type="button"
      class="button button-icon"
      aria-label={direction === 'up' ? 'Next larger size' : 'Next smaller size'}
      disabled={disabled || sizes.next(place, direction) === null}
      onClick={() => step(direction)}
    >
      <Icon name={direction === 'up' ? 'plus' : 'minus'} />
    </button>
  );
  const hint = !read.ok
    ? sentence(read.error)
    : wish !== null && sizes.snap(wish) !== wish
      ? `${formatQuantity(sizes.snap(wish))} is the nearest size that can be had.`
      : '';
  return (
    <div class="size-field">
      <label for="size">Memory</label>
      <div class="size-row">
        {stepButton('down')}
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
        {stepButton('up')}
      </div>
      <p id="size-hint" class="size-hint" role="status">
        {hint}
      </p>
      {wish === null || disabled ? null : (
        <Offers
          offers={offersFor(wish, sizes, others)}
          onTake={({ shrink, size }) => {
            setTyped(null);
            setSettled(null);
            onChoose(size, shrink);
          }}
        />
      )}
    </div>
  );
}

type OffersProps = { readonly offers: readonly Offer[]; readonly onTake: (offer: Offer) => void };

/** Each by its word: nobody takes another policy by mistake. */
function Offers({ offers, onTake }: OffersProps): JSX.Element | null {
  if (offers.length === 0) return null;
  return (
    <ul class="offers" aria-label="Sizes that take another shrinkPolicy">
      {offers.map((offer) => (
        <li key={offer.shrink}>
          <button type="button" class="button button-small" onClick={() => onTake(offer)}>
            {formatQuantity(offer.size)} with {offer.shrink}
            {offer.result === offer.size ? '' : `: the guest keeps ${formatQuantity(offer.result)}`}
          </button>
        </li>
      ))}
    </ul>
  );
}
