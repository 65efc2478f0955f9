/** The rows of the list, of which only those are drawn that are seen. */
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { age } from '../../../view/layout.ts';
import { sizeIn } from '../model/board.ts';
import type { Row } from '../model/list.ts';
import { formatRoute } from '../model/route.ts';
import { inGib, isUnwieldy } from '../model/shelf.ts';
import { Label } from '../parts/label.tsx';
import { now } from '../store.ts';
import { windowOf } from './window.ts';

/** As the stylesheet has it: wide, and narrow. */
const heights: Readonly<Record<'wide' | 'narrow', number>> = { wide: 40, narrow: 64 };

type RowsProps = { readonly rows: readonly Row[]; readonly all: number };

export function Rows({ rows, all }: RowsProps): JSX.Element {
  const body = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ top: 0, height: 800, rowHeight: heights.wide });
  useLayoutEffect(() => {
    const narrow = matchMedia('(max-width: 760px)');
    const look = (): void => {
      const box = body.current?.getBoundingClientRect();
      if (box === undefined) return;
      const rowHeight = narrow.matches ? heights.narrow : heights.wide;
      const top = Math.max(0, -box.top);
      // By whole rows: a scroll within one draws nothing.
      const next = { top: Math.floor(top / rowHeight) * rowHeight, height: innerHeight, rowHeight };
      setSeen((known) =>
        known.top === next.top && known.height === next.height && known.rowHeight === next.rowHeight ? known : next,
      );
    };
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    return () => {
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
    };
  }, []);
  const { first, last, before, after } = windowOf(rows.length, seen.rowHeight, seen.top, seen.height);
  return (
    <div class="table">
      <div role="table" aria-label="VMs" aria-rowcount={rows.length + 1}>
        <div class="table-head" role="row" aria-rowindex={1}>
          {['Name', 'State', 'Memory', 'Wanted', 'Host', 'Since'].map((title) => (
            <span key={title} role="columnheader">
              {title}
            </span>
          ))}
        </div>
        <div ref={body} role="rowgroup" onKeyDown={moveByKey}>
          <div role="presentation" style={{ height: `${before}px` }} />
          {rows.slice(first, last).map((row, index) => (
            <RowView key={row.key} row={row} index={first + index} />
          ))}
          <div role="presentation" style={{ height: `${after}px` }} />
        </div>
      </div>
      <p class="table-foot" role="status">
        {rows.length === all ? `${all} VMs` : `${rows.length} of ${all} VMs`}
      </p>
    </div>
  );
}

/** Arrow keys go from row to row. */
function moveByKey(event: KeyboardEvent): void {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
  const row = event.target instanceof HTMLElement ? event.target.closest('.row') : null;
  const other = event.key === 'ArrowDown' ? row?.nextElementSibling : row?.previousElementSibling;
  const next = other?.querySelector('a');
  if (next === null || next === undefined) return;
  event.preventDefault();
  next.focus();
}

type RowProps = { readonly row: Row; readonly index: number };

/** A row that stays is the same element: a scroll draws those that come, and a second those whose age is another. */
function RowView({ row, index }: RowProps): JSX.Element {
  const { since } = row.readiness;
  const sinceText = since === null ? '' : age(Math.max(0, now.value - Date.parse(since)));
  return useMemo(() => drawRow(row, index, sinceText), [row, index, sinceText]);
}

/** As it is, but for what nobody reads at a glance; its tip is exact. */
const sizeToRead = (size: string): JSX.Element | string =>
  isUnwieldy(size) ? <span title={size}>≈{inGib(sizeIn(size))}</span> : size;

function drawRow(row: Row, index: number, since: string): JSX.Element {
  const { namespace, name, readiness, tone } = row;
  const most = sizeIn(row.resource.status?.memory?.max);
  const share = most === 0 ? 0 : Math.min(1, sizeIn(row.current) / most);
  const differs = row.wanted !== '' && row.wanted !== row.current;
  return (
    <div class={`row tone-row-${tone}`} role="row" aria-rowindex={index + 2}>
      <span role="cell" class="cell-name">
        <a href={formatRoute({ page: 'vm', namespace, name, tab: 'memory' })}>{name}</a>
        <span class="muted">
          {namespace}
          {row.machine === name ? '' : ` · ${row.machine}`}
        </span>
      </span>
      <span role="cell" class="cell-state" title={readiness.message}>
        <Label tone={tone}>{readiness.reason}</Label>
        {row.isPaused && tone !== 'paused' ? <Label tone="paused">paused</Label> : null}
      </span>
      <span role="cell" class="cell-memory">
        <span
          class="meter"
          aria-hidden="true"
          title={most === 0 ? '' : `of at most ${row.resource.status?.memory?.max ?? ''}`}
        >
          <i style={{ width: `${Math.max(2, share * 100).toFixed(1)}%` }} />
        </span>
        {row.current === '' ? '–' : sizeToRead(row.current)}
      </span>
      <span role="cell" class={differs ? 'cell-wanted is-different' : 'cell-wanted'}>
        {row.wanted === '' ? <span class="muted">observed</span> : sizeToRead(row.wanted)}
      </span>
      <span role="cell" class="cell-host">
        {row.host === '' ? '–' : row.host}
      </span>
      <span role="cell" class="cell-since">
        {since}
      </span>
    </div>
  );
}
