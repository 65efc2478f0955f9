/** Stories at the console's page with real guests at the other end, and the whole product in between: each by mouse and by keyboard. */
import { delimiter, dirname } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LabBrowser, startBrowser } from '../lab/browser.ts';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { ALL_PARTS } from '../lab/needs.ts';
import { namespace, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';
import { type Hand, handOf, thumbOf, thumbSays, ways } from '../support/console/hand.ts';
import { type RunningConsole, startConsole } from '../support/console/running-console.ts';

/** Whatever a resource wants: the API server's own word, which no page can foresee. */
const quota = (name: string): readonly object[] => [
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      matchConstraints: {
        resourceRules: [
          {
            ...{ apiGroups: ['dimmer.dev'], apiVersions: ['*'], operations: ['UPDATE'] },
            resources: ['virtualmachinememories'],
          },
        ],
      },
      validations: [
        {
          expression: "!quantity(string(object.spec.memory)).isGreaterThan(quantity('2Gi'))",
          message: 'the team has agreed on 2Gi for a VM',
        },
      ],
    },
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] },
  },
];

await describeLab(
  "the console's page, and real guests",
  () => {
    let stack: Stack;
    let lab: LabBrowser;
    let console: RunningConsole;
    let page: Page;

    beforeAll(async () => {
      const started = await startLab({
        controlPlane: 'shared',
        guests: [
          { kind: 'accepting', name: 'willing' },
          { kind: 'refusing', name: 'unwilling' },
        ],
      });
      stack = await startStack(started);
      for (const object of quota('two-gib')) await stack.apply(object);
      // Modules of 512 and of 128 MiB, and one of 512.
      for (const sizes of [['1Gi', '1Gi'], ['1152Mi']]) {
        for (const [index, memory] of sizes.entries()) {
          const { name = '', uuid = '' } = started.guests[index] ?? {};
          await stack.apply(stack.manifest(name, uuid, { memory, growPolicy: 'Whole' }));
        }
        for (const [index] of sizes.entries()) await stack.reaches(started.guests[index]?.name ?? '', 'Converged');
      }
      const { adminKubeconfig, kubectlPath, directory } = started.controlPlane;
      const path = [dirname(kubectlPath), process.env['PATH'] ?? ''].join(delimiter);
      const env = { PATH: path, KUBECONFIG: adminKubeconfig, HOME: directory };
      console = await startConsole({ program: 'kubectl-dimmer', args: ['-n', namespace], env });
      lab = await startBrowser();
      page = await lab.browser.newPage({ viewport: { width: 1280, height: 900 } });
      page.setDefaultTimeout(60_000);
      await page.goto(console.link);
      await page.getByText('2 VMs').waitFor();
    });
    afterAll(async () => {
      await lab.close();
      await console.end();
      await stack.stop();
    });

    const guestOf = (name: string): LabGuest => {
      const guest = stack.lab.guests.find((each) => each.name === name);
      if (guest === undefined) throw new Error(`no guest ${name}`);
      return guest;
    };
    const ready = (size: string): Promise<void> =>
      page.getByText(`The guest has ${size}, as wanted.`).first().waitFor();
    const open = async (hand: Hand, name: string, size: string): Promise<void> => {
      await page.evaluate("location.hash = '#/'");
      await hand.follow(name);
      await ready(size);
    };
    const slotsOf = async (name: string): Promise<readonly number[]> =>
      ((await stack.read(name)).status?.modules ?? []).map(({ slot }) => slot).toSorted((a, b) => a - b);
    const numbersIn = async (places: string): Promise<readonly number[]> =>
      (await page.locator(places).allTextContents()).map((text) => Number(/\d+/.exec(text)?.[0]));

    describe.each(ways)('by %s', (way) => {
      let hand: Hand;
      beforeAll(() => {
        hand = handOf(page, way);
      });

      it('a guest gets what a person chose on the page, and gives the very set back that was shown', async () => {
        const guest = guestOf('willing');
        await open(hand, 'willing', '1152Mi');
        const total = await guest.memTotalKiB();
        const guestHas = (mib: number): Promise<boolean> =>
          waitFor(async () => (await guest.memTotalKiB()) === total + mib * 1024, {
            ...{ what: `the guest to have ${mib} MiB more`, timeoutMs: 30_000 },
            details: async () => `it has ${((await guest.memTotalKiB()) - total) / 1024} MiB more`,
          });
        await hand.choose('1408Mi');
        expect(await page.locator('.slot.slot-comes').count()).toBe(1);
        await hand.press('Plug in 1 module');
        await ready('1408Mi');
        await guestHas(256);
        const before = await slotsOf('willing');
        await hand.choose('1152Mi');
        const shown = await numbersIn('.slot.slot-goes .slot-number');
        await hand.press('Take out 1 module');
        await ready('1152Mi');
        await guestHas(0);
        expect(await slotsOf('willing')).toEqual(before.filter((slot) => !shown.includes(slot)));
      });

      it("a size that can't be had is never stood on, and what the API server refuses is told in its words", async () => {
        await open(hand, 'willing', '1152Mi');
        await hand.takeLowest();
        await thumbSays(page, /^(512|640|1024)Mi: |^1Gi: /);
        await hand.write('Memory', '900Mi');
        await hand.settle();
        await page.getByText('1Gi is the nearest size that can be had.').waitFor();
        expect(await thumbOf(page)).toMatch(/^1Gi: unplug 128Mi /);
        await page.getByRole('button', { name: '896Mi with Replace' }).waitFor();
        await hand.press('Next smaller size');
        await thumbSays(page, /^640Mi: unplug 512Mi /);
        await hand.press('Next larger size');
        await thumbSays(page, /^1Gi: /);
        await hand.choose('2176Mi');
        await hand.press('Plug in 1 module');
        await page.getByText('the team has agreed on 2Gi for a VM').waitFor();
        expect((await stack.read('willing')).spec.memory).toBe('1152Mi');
        await hand.press('Dismiss');
        await hand.press('Reset');
      });

      it('a guest that refuses is told, why, and what to do; it is asked again, and left what it has', async () => {
        // A module that was refused isn't offered for a while: each hand has one of its own.
        const [less, more] = { mouse: ['1Gi', '1280Mi'] as const, keyboard: ['1280Mi', '1536Mi'] as const }[way];
        await open(hand, 'unwilling', less);
        await hand.choose(more);
        await hand.press('Plug in 1 module');
        await ready(more);
        await hand.choose(less);
        await hand.press('Take out 1 module');
        await page.locator('.vm-head').getByText('GuestRefused').waitFor();
        await page.locator('.slot.slot-refused').first().waitFor();
        await page.getByText('What to do:').waitFor();
        const slot = Math.max(...(await slotsOf('unwilling')));
        const refusals = async (): Promise<number> => {
          const { status } = await stack.read('unwilling');
          return status?.modules?.find((module) => module.slot === slot)?.refusals ?? 0;
        };
        const before = await refusals();
        expect([(await stack.read('unwilling')).spec.memory, before > 0]).toEqual([less, true]);
        await hand.press('Try again now');
        await waitFor(async () => (await refusals()) > before, {
          ...{ what: 'another refusal', timeoutMs: 60_000 },
          details: async () => JSON.stringify((await stack.read('unwilling')).status?.modules),
        });
        await hand.press(`Back to ${more}…`);
        await hand.press(`Keep ${more}`);
        await ready(more);
      });

      it('an agent that is gone is named, with what to do; back, the VM is ready by itself', async () => {
        await open(hand, 'willing', '1152Mi');
        await stack.agent.stop('SIGKILL');
        await page.locator('.vm-head').getByText('HostUnreachable').waitFor();
        await page.getByText('What to do:').waitFor();
        await hand.press('Try again now');
        await page.getByText('It is tried again now.').waitFor();
        await stack.agent.start();
        await ready('1152Mi');
      });
    });

    it('a guest reaches by a replacement, which is chosen by its word, what none of its sets makes', async () => {
      const hand = handOf(page, 'mouse');
      await open(hand, 'willing', '1152Mi');
      await hand.pick('Replace');
      await hand.choose('896Mi');
      expect(await thumbOf(page)).toMatch(/^896Mi with Replace: plug \d+Mi, then unplug /);
      await hand.press(/^Plug in 1 module, then take out \d, with Replace$/);
      await ready('896Mi');
      expect((await stack.read('willing')).spec).toMatchObject({ memory: '896Mi', shrinkPolicy: 'Replace' });
    });
  },
  ALL_PARTS.filter((part) => ['control-plane', 'hypervisor', 'browser'].includes(part)),
);
