/** What `dimmer agent check` found out, for people and for programs. */
import type { DomainState } from '../../host/port.ts';
import type { Growth, Shrinking } from '../../host/rules/readiness.ts';
import type { Bytes } from '../../memory/bytes.ts';
import { formatMeasured, formatQuantity } from '../../memory/quantity.ts';
import { columns, counted } from '../../memory/lines.ts';

/** `warning`: it works, with a limit that an admin should know. `problem`: something doesn't. */
export type Severity = 'ok' | 'warning' | 'problem';

export type Finding = {
  readonly verdict: Severity;
  /** What was looked at: `libvirt`, `certificate`, ... */
  readonly subject: string;
  /** For people; of a problem also the way out. */
  readonly message: string;
};

/** One VM that the agent would serve. Sizes in bytes. */
export type DomainReport = {
  readonly uuid: string;
  readonly name: string;
  readonly state: DomainState;
  /** null, as all sizes: the VM's XML couldn't be read. */
  readonly boot: Bytes | null;
  readonly plugged: Bytes | null;
  /** null: the VM has no maximum, so that nothing can be plugged. */
  readonly max: Bytes | null;
  readonly slots: { readonly total: number; readonly used: number } | null;
  /** How far its size can be changed, by the VM alone; null: not at all. */
  readonly reach: (Growth & { readonly shrinks: Shrinking }) | null;
  /** Whether memory can be plugged: now, or when it runs. */
  readonly canGrow: boolean;
  /** Whether the guest reports the memory that it can spare; null: can't be told of a VM that doesn't run. */
  readonly reportsMemory: boolean | null;
  readonly findings: readonly Finding[];
};

export type CheckReport = {
  readonly agentVersion: string;
  readonly problems: number;
  readonly warnings: number;
  readonly host: readonly Finding[];
  readonly domains: readonly DomainReport[];
};

/** The findings with the number of problems and warnings among them. */
export function toReport(
  agentVersion: string,
  host: readonly Finding[],
  domains: readonly DomainReport[],
): CheckReport {
  const all = [...host, ...domains.flatMap(({ findings }) => findings)];
  const count = (verdict: Severity): number => all.filter((finding) => finding.verdict === verdict).length;
  return { agentVersion, problems: count('problem'), warnings: count('warning'), host, domains };
}

const size = (value: Bytes | null): string => (value === null ? '-' : formatMeasured(value));
const yesNo = (value: boolean | null): string => (value === null ? '-' : value ? 'yes' : 'no');

const canGrow = ({ canGrow: can, reach, boot, plugged }: DomainReport): string => {
  const isMore = can && reach !== null && reach.largest > (boot ?? 0) + (plugged ?? 0);
  return isMore ? `to ${formatQuantity(reach.largest)} by ${formatQuantity(reach.step)}` : yesNo(can);
};

const domainRow = (domain: DomainReport): string[] => [
  domain.name,
  domain.state,
  size(domain.boot),
  size(domain.plugged),
  domain.max === null ? '-' : formatQuantity(domain.max),
  domain.slots === null ? '-' : `${domain.slots.used} of ${domain.slots.total}`,
  canGrow(domain),
  yesNo(domain.reportsMemory),
];

const table = (rows: readonly (readonly string[])[]): readonly string[] => columns(rows).map((line) => `  ${line}`);

/** The report as a person reads it. */
export function formatReport(report: CheckReport): string {
  const lines = ['Host', ...table(report.host.map(({ verdict, subject, message }) => [verdict, subject, message]))];
  if (report.domains.length > 0) {
    const head = ['NAME', 'STATE', 'BOOT', 'PLUGGED', 'MAX', 'SLOTS', 'CAN GROW', 'REPORTS MEMORY'];
    lines.push('', 'VMs', ...table([head, ...report.domains.map(domainRow)]));
    const told = report.domains.flatMap(({ name, findings }) =>
      findings.map(({ verdict, message }) => [verdict, name, message]),
    );
    if (told.length > 0) lines.push('', ...table(told));
  }
  lines.push('', `${counted(report.problems, 'problem')}, ${counted(report.warnings, 'warning')}`);
  return `${lines.join('\n')}\n`;
}
