import type { Connection } from '@opensearch-project/opensearch';
import type { Logger } from '../../core/interfaces.js';

type ConnectionClass = typeof Connection;
type Request = ReturnType<Connection['request']>;

/**
 * The client's connection class with two of its habits mended (3.9.0, lib/Connection.js): an error after the
 * response began goes to our log instead of stdout, which is for results; and an error keeps the system's own
 * one, with its code, as the cause, of which the client keeps the message only.
 */
export function quietConnection(Base: ConnectionClass, log: Logger): ConnectionClass {
  return class extends Base {
    override request(...[params, callback]: Parameters<Connection['request']>): Request {
      let systemError: Error | undefined;
      const request = super.request(params, (error, response) => {
        if (response !== null) {
          request.removeAllListeners('error');
          request.on('error', (late: Error) => {
            log.debug('connection error after the response began', { reason: late.message });
          });
        }
        if (error !== null && systemError !== undefined) error.cause = systemError;
        callback(error, response);
      });
      request.prependListener('error', (error: Error) => {
        systemError ??= error;
      });
      return request;
    }
  };
}
