/** All resources, one line each. Pure. */
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { type Look, paintColumn, table, tableWithNames } from './layout.ts';
import { fullName, machineOf, readinessOf, styleOf } from './subject.ts';

/** One line a resource; `wide`: with more columns, however long the lines get. */
export function tableOfResources(resources: readonly VirtualMachineMemory[], look: Look, wide: boolean): string {
  const more = wide ? ['HOST', 'BOOT', 'MAX', 'SLOTS', 'MESSAGE'] : [];
  const rows = [
    ['NAME', 'VM', 'WANTED', 'CURRENT', 'READY', 'REASON', ...more],
    ...resources.map((resource) => cellsOf(resource, wide)),
  ];
  const lines = wide ? table(rows, Infinity) : fitting(rows, look.width);
  const painted = paintColumn(look, lines, 'READY', (index) => {
    const resource = resources[index];
    return resource === undefined ? null : styleOf(readinessOf(resource));
  });
  return `${painted.join('\n')}\n`;
}

function cellsOf(resource: VirtualMachineMemory, wide: boolean): readonly string[] {
  const { spec, status } = resource;
  const { ready, reason, message } = readinessOf(resource);
  const { memory, slots } = status ?? {};
  const sizes = [String(spec.memory ?? '-'), memory?.current ?? '-'];
  const row = [fullName(resource), machineOf(resource), ...sizes, ready, reason];
  if (!wide) return row;
  const used = slots === undefined ? '-' : `${slots.used}/${slots.total}`;
  return [...row, status?.hostName ?? '-', memory?.boot ?? '-', memory?.max ?? '-', used, message];
}

/** The rows in lines that fit: without the column of VMs where that takes too much, then with names cut short. */
function fitting(rows: readonly (readonly string[])[], width: number): readonly string[] {
  const widthOf = (lines: readonly string[]): number => Math.max(...lines.map((line) => line.length));
  const whole = table(rows, Infinity);
  if (widthOf(whole) <= width) return whole;
  return tableWithNames(
    rows.map(([name = '', , ...others]) => [name, ...others]),
    width,
  );
}
