/** What is said of the versions that are met, and that README's table says the same. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Component, judgeVersion, knownVersions, tellVersions } from '../../../src/runtime/versions.ts';

test.each([
  ['Kubernetes', 'v1.36.3', 'tested'],
  ['Kubernetes', 'v1.36.0-rc.1', 'tested'],
  ['Kubernetes', 'v1.30.1-gke.100', 'expected'],
  ['Kubernetes', 'v1.3', 'too-old'],
  ['Kubernetes', 'v1.29.14', 'too-old'],
  ['Kubernetes', 'v2.0.0', 'expected'],
  ['Kubernetes', 'unknown', 'unreadable'],
  ['libvirt', '9.0.0', 'tested'],
  ['libvirt', '4.5.0', 'expected'],
  ['libvirt', '4.4.9', 'too-old'],
  ['libvirt', '12.1.0', 'expected'],
  ['QEMU', '7.2.22', 'tested'],
  ['QEMU', '7.20.0', 'expected'],
  ['QEMU', '2.3.1', 'too-old'],
  ['QEMU', '', 'unreadable'],
] as const)('%s %s is %s', (component, version, standing) => {
  expect(judgeVersion(component, version).standing).toBe(standing);
});

describe('at the start', () => {
  const told = (met: Parameters<typeof tellVersions>[1]) => {
    const lines: [string, object, string][] = [];
    tellVersions(
      {
        info: (fields, message) => lines.push(['info', fields, message]),
        warn: (fields, message) => lines.push(['warn', fields, message]),
      },
      met,
      { kernel: '6.1.0' },
    );
    return lines;
  };

  test('one line tells all', () => {
    expect(told({ libvirt: '9.0.0', QEMU: '8.2.0' })).toEqual([
      [
        'info',
        { versions: { libvirt: '9.0.0 (tested)', QEMU: '8.2.0 (expected)', kernel: '6.1.0' } },
        'versions met here',
      ],
    ]);
  });

  test('what is known not to work is warned of, with the reason', () => {
    expect(told({ Kubernetes: 'v1.28.2' }).at(-1)).toEqual([
      'warn',
      {
        problem: expect.stringMatching(
          /^Kubernetes v1\.28\.2 is older than 1\.30: it has no ValidatingAdmissionPolicy/,
        ) as string,
      },
      'a version is known not to work',
    ]);
  });
});

test.each(Object.keys(knownVersions) as Component[])(
  'the table in README.md says of %s what the program does',
  (component) => {
    const readme = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8');
    const cells = readme
      .split('\n')
      .find((line) => line.startsWith(`| ${component} `))
      ?.split('|')
      .map((cell) => cell.trim());
    const { tested, oldest } = knownVersions[component];
    expect(cells?.slice(2, 4)).toEqual([tested.join(', '), `${oldest.join('.')} and newer`]);
    expect(cells?.[4]).toContain(`before ${oldest.join('.')}: `);
  },
);

test('what the lab has is what is said to be tested', () => {
  const modules = readFileSync(join(import.meta.dirname, '../../lab/controlplane/go.mod'), 'utf8');
  const [, version = ''] = /k8s\.io\/kubernetes v(\d+\.\d+)/.exec(modules) ?? [];
  expect(knownVersions.Kubernetes.tested).toEqual([version]);
});
