/** When the certificate ends that the controller shows to the agents: without it every host is out of reach. */
import { Gauge, type Registry } from 'prom-client';
import type { TlsFiles } from '../../runtime/tls-files.ts';

/** Declares the metric in `registry`; rotated files count as soon as they are taken up. */
export function declareCertificateExpiry(tls: TlsFiles, registry: Registry): void {
  new Gauge({
    name: 'dimmer_agent_client_certificate_expiry_timestamp_seconds',
    help: "When the controller's certificate for the agents ends.",
    registers: [registry],
    collect() {
      this.set(tls.current().expiresAtMs / 1000);
    },
  });
}
