/** Label selectors, as metav1.LabelSelector defines them. */
import type { AllowedNamespaces, LabelSelector } from './hypervisor-host.ts';

type Labels = Readonly<Record<string, string>>;

/** Whether `labels` fulfil every requirement of `selector`; an empty selector fits everything. */
export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (labels[key] !== value) return false;
  }
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key];
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
    }
  });
}

/** Whether a namespace with these labels may use a host. */
export function isNamespaceAllowed(allowed: AllowedNamespaces, labels: Labels): boolean {
  switch (allowed.from) {
    case 'All':
      return true;
    case 'None':
      return false;
    case 'Selector':
      return matchesSelector(allowed.selector, labels);
  }
}
