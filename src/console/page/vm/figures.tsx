/** The figures below the board. */
import type { JSX } from 'preact';
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { formatMeasured } from '../../../memory/quantity.ts';
import { bytes } from '../../../memory/bytes.ts';
import { sizeIn } from '../model/board.ts';
import { inGib, isUnwieldy } from '../model/shelf.ts';
import { agoText, freshMs, reportAge } from '../model/words.ts';

type FiguresProps = { readonly resource: VirtualMachineMemory; readonly nowMs: number };

export function Figures({ resource, nowMs }: FiguresProps): JSX.Element {
  const { spec, status = {} } = resource;
  const { memory, planning } = status;
  const guest = planning?.guest;
  const ageMs = reportAge(resource, nowMs);
  const isOld = ageMs === null || ageMs > freshMs;
  const used = guest === undefined ? null : bytes(Math.max(0, sizeIn(guest.total) - sizeIn(guest.usable)));
  return (
    <dl class="figures">
      <Figure name="Wanted" value={spec.memory === undefined ? 'observed only' : String(spec.memory)} />
      <Figure name="Current" value={memory?.current ?? '–'} strong />
      <Figure name="Guest reports" value={guest === undefined ? '–' : formatMeasured(sizeIn(guest.total))} />
      <Figure
        name="Guest uses"
        value={used === null ? '–' : formatMeasured(used)}
        note={ageMs === null ? 'never reported' : agoText(ageMs)}
        old={isOld}
      />
      <Figure name="Boot" value={memory?.boot ?? '–'} />
      <Figure name="Maximum" value={memory?.max ?? '–'} />
    </dl>
  );
}

type FigureProps = {
  readonly name: string;
  readonly value: string;
  readonly note?: string;
  readonly strong?: boolean;
  readonly old?: boolean;
};

function Figure({ name, value, note, strong = false, old = false }: FigureProps): JSX.Element {
  return (
    <div class={strong ? 'figure figure-strong' : 'figure'}>
      <dt>{name}</dt>
      <dd>
        {value}
        {isUnwieldy(value) ? <span class="figure-note">about {inGib(sizeIn(value))}</span> : null}
        {note === undefined ? null : <span class={old ? 'figure-note is-old' : 'figure-note'}>{note}</span>}
      </dd>
    </div>
  );
}
