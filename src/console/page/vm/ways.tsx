/** By which shrink policy the sizes are offered: the resource's own, or another, which is then set with the size. */
import type { JSX } from 'preact';
import { shrinkPolicies, type ShrinkPolicy } from '../../../memory/policies.ts';
import { policyText } from '../model/words.ts';

type WaysProps = {
  /** What the spec says. */
  readonly own: ShrinkPolicy;
  /** What is looked at instead; null: the spec's. */
  readonly way: ShrinkPolicy | null;
  readonly disabled: boolean;
  readonly onWay: (way: ShrinkPolicy | null) => void;
};

export function Ways({ own, way, disabled, onWay }: WaysProps): JSX.Element {
  const chosen = way ?? own;
  return (
    <div class="ways" role="radiogroup" aria-labelledby="way-title">
      <span id="way-title" class="way-text">
        Shrink policy
      </span>
      {shrinkPolicies.map((policy) => (
        <label key={policy} class={`way-choice${policy === chosen ? ' is-chosen' : ''}`}>
          <input
            type="radio"
            name="way"
            value={policy}
            checked={policy === chosen}
            disabled={disabled}
            aria-describedby="way-text"
            onChange={() => onWay(policy === own ? null : policy)}
          />
          {policy}
        </label>
      ))}
      <span id="way-text" class="way-text">
        {policyText[chosen]}
        {way === null ? '' : `; its shrinkPolicy, which is ${own}, is set with the size and stays`}
      </span>
    </div>
  );
}
