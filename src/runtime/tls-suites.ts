/** What our TLS connections, either end of them, are encrypted with. */
import { createSecureContext, type SecureContextOptions } from 'node:tls';

/**
 * Suites with forward secrecy and authenticated encryption, which are all that TLS 1.3 has; of TLS 1.2's those of
 * RFC 9325, section 4.2, and the ChaCha20 ones of RFC 7905. Node's default for TLS 1.2 has CBC with SHA-1 and ARIA, too.
 */
const suites = [
  ...['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256'],
  ...['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
];

/** Options for node:tls, for servers and clients alike. */
export const modernTls = { minVersion: 'TLSv1.2', ciphers: suites.join(':') } as const;

/**
 * The same for many connections: their certificates and what they trust are read once, and kept once, not for each. What
 * can't be read fails where a connection is made, as it does without this.
 */
export function sharedContext<T extends SecureContextOptions>(options: T): T {
  try {
    return { ...options, secureContext: createSecureContext(options) };
  } catch {
    return options;
  }
}
