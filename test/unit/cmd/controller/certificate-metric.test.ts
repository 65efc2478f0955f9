import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { declareCertificateExpiry } from '../../../../src/cmd/controller/certificate-metric.ts';
import type { TlsFiles } from '../../../../src/runtime/tls-files.ts';

it('shows when the certificate ends, a rotated one too', async () => {
  let expiresAtMs = 1_800_000_000_000;
  const tls: TlsFiles = {
    current: () => ({ cert: '', key: '', ca: '', expiresAtMs }),
    refresh: () => false,
    subscribe: () => () => undefined,
    close: () => undefined,
  };
  const registry = new Registry();
  declareCertificateExpiry(tls, registry);
  const line = async () => (await registry.metrics()).split('\n').find((text) => text.startsWith('dimmer_'));
  expect(await line()).toBe('dimmer_agent_client_certificate_expiry_timestamp_seconds 1800000000');
  expiresAtMs += 5_000;
  expect(await line()).toBe('dimmer_agent_client_certificate_expiry_timestamp_seconds 1800000005');
});
