/** What a fresh connection must say, in this order, before it is of use. */
import type { Connection } from './connection.ts';
import { LibvirtCallError } from '../domain/errors.ts';
import { eventCodecs } from '../domain/events.ts';
import {
  authList,
  authNone,
  authPolkit,
  authPolkitType,
  connectOpen,
  connectSupportsFeature,
  feature,
  registerCloseCallback,
  registerEvent,
} from '../domain/connect-procedures.ts';

/** The daemon wants a way to authenticate that Dimmer doesn't have, or lacks a feature that it needs. */
class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
}

/** VIR_ERR_NO_SUPPORT: the driver knows no close callback. */
const noSupport = 3;

/**
 * Authenticates, asks for keepalive, opens the URI and registers for every event. Any other call before AUTH_LIST is
 * refused by the daemon; a second CONNECT_OPEN would make the connection useless.
 * @throws HandshakeError or a LibvirtError
 */
export async function shakeHands(connection: Connection, openUri: string, deadlineMs: number): Promise<void> {
  const ways = await connection.call(authList, undefined, deadlineMs);
  if (!ways.includes(authNone)) {
    if (!ways.includes(authPolkitType)) {
      throw new HandshakeError(
        `the daemon asks for authentication of type ${ways.join(', ')}; none and polkit are known`,
      );
    }
    await connection.call(authPolkit, undefined, deadlineMs);
  }

  // The daemon pings only a client that asked for this before it opened (measured; libvirt's own client does so).
  if (await connection.call(connectSupportsFeature, { feature: feature.keepalive }, deadlineMs)) {
    connection.startKeepalive();
  }
  await connection.call(connectOpen, { uri: openUri }, deadlineMs);

  if (!(await connection.call(connectSupportsFeature, { feature: feature.eventCallbacks }, deadlineMs))) {
    throw new HandshakeError('the daemon has no event callbacks (libvirt 1.3 or newer is needed)');
  }
  if (await connection.call(connectSupportsFeature, { feature: feature.closeCallback }, deadlineMs)) {
    try {
      await connection.call(registerCloseCallback, undefined, deadlineMs);
    } catch (error) {
      if (!(error instanceof LibvirtCallError && error.code === noSupport)) throw error;
    }
  }
  for (const codec of eventCodecs) {
    await connection.call(registerEvent, { eventId: codec.id }, deadlineMs);
  }
}
