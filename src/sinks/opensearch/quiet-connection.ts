import type { Socket } from 'node:net';
import type { Connection } from '@opensearch-project/opensearch';
import type { Logger } from '../../core/interfaces.js';

type ConnectionClass = typeof Connection;
type Request = ReturnType<Connection['request']>;

/**
 * The client's connection class with three things mended (3.9.0, lib/Connection.js):
 * - an error after the response began goes to our log instead of stdout, which is for results;
 * - an error keeps the system's own one, with its code, as the cause; the client keeps the message only;
 * - a socket always has a listener for errors. Node takes its own away when a response has ended, before the
 *   agent adds another: a server that answers early and resets would end the process in between.
 */
export function quietConnection(Base: ConnectionClass, log: Logger): ConnectionClass {
  const guarded = new WeakSet<Socket>();
  const onLateError = (error: Error): void => {
    log.debug('connection error after the response began', { reason: error.message });
  };

  return class extends Base {
    override request(...[params, callback]: Parameters<Connection['request']>): Request {
      let systemError: Error | undefined;
      const request = super.request(params, (error, response) => {
        if (response !== null) {
          request.removeAllListeners('error');
          request.on('error', onLateError);
        }
        if (error !== null && systemError !== undefined) error.cause = systemError;
        callback(error, response);
      });
      request.prependListener('error', (error: Error) => {
        systemError ??= error;
      });
      request.once('socket', (socket) => {
        if (guarded.has(socket)) return;
        guarded.add(socket);
        socket.on('error', ignore);
      });
      return request;
    }
  };
}

/** Whoever asked learns of it by the request. */
function ignore(): void {
  return undefined;
}
