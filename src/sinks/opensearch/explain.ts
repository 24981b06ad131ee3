import { EmbatchError } from '../../core/errors.js';
import { isCertificateProblem, ownTypes, type RequestFailure } from './failure.js';

/** What a failed request means to the user, and what to do: the first line that fits. */
export function explainFailure(failure: RequestFailure, uri: string): EmbatchError {
  const tls = uri.startsWith('opensearch://');
  const { what, todo } = failure.status === undefined ? ofConnection(failure, tls) : ofAnswer(failure, tls);
  const said = failure.message === '' ? '' : ` (${failure.message})`;
  return new EmbatchError('SINK', `${uri} ${what}${said}${todo === undefined ? '' : `: ${todo}`}`, {
    retryable: failure.status === undefined || failure.status >= 500 || failure.status === 429,
    details: { status: failure.status, type: failure.type },
  });
}

/** Rows that were acknowledged are gone with the index that took them. */
export function indexLost(uri: string): EmbatchError {
  return new EmbatchError(
    'SINK',
    `${uri} was dropped, or dropped and made anew, while this run wrote to it: run again to fill it anew.`,
  );
}

interface Explanation {
  readonly what: string;
  readonly todo?: string;
}

function ofConnection(failure: RequestFailure, tls: boolean): Explanation {
  const { type, message } = failure;
  if (type === 'ECONNREFUSED') {
    return {
      what: 'cannot be reached: nothing listens there',
      todo: 'check host and port, and that OpenSearch runs',
    };
  }
  if (type === 'ENOTFOUND' || type === 'EAI_AGAIN') {
    return {
      what: 'cannot be reached: the host name is unknown',
      todo: 'check its spelling and the network',
    };
  }
  if (type === ownTypes.timeout || type === 'ETIMEDOUT') {
    return { what: 'does not answer', todo: 'check the network, firewalls and the health of the cluster' };
  }
  if (type === 'EHOSTUNREACH' || type === 'ENETUNREACH') {
    return { what: 'cannot be reached from here', todo: 'check the network' };
  }
  if (type === ownTypes.credentials) {
    return {
      what: 'needs signed requests, and there are no AWS credentials to sign with',
      todo: 'set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role',
    };
  }
  if (type === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      what: 'shows a certificate for another host',
      todo: 'use the host name that the certificate names',
    };
  }
  if (type === 'CERT_HAS_EXPIRED' || type === 'CERT_NOT_YET_VALID') {
    return {
      what: 'shows a certificate that is not valid now',
      todo: 'renew it, or set the clock of this machine',
    };
  }
  if (isCertificateProblem(failure)) {
    return {
      what: 'shows a certificate that this machine does not trust',
      todo: 'give its authority with --opensearch-ca-file FILE.pem, or in NODE_EXTRA_CA_CERTS',
    };
  }
  if (
    tls &&
    (type === 'EPROTO' || type.startsWith('ERR_SSL') || message.includes('before secure TLS connection'))
  ) {
    return {
      what: 'does not speak TLS',
      todo: 'where it is meant to be plain HTTP, write opensearch+http://',
    };
  }
  if (!tls && (type.startsWith('HPE_') || type === 'ECONNRESET')) {
    return {
      what: 'breaks the connection off instead of answering',
      todo: 'if it expects TLS, write opensearch:// instead of opensearch+http://',
    };
  }
  return { what: 'cannot be reached' };
}

function ofAnswer({ status, message }: RequestFailure, tls: boolean): Explanation {
  if (status === 401) {
    return {
      what: 'wants to know who asks (401)',
      todo: 'set OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD, or check them; for signed requests see --opensearch-auth',
    };
  }
  if (status === 403) {
    return {
      what: 'does not permit this (403)',
      todo: 'the user or role needs to create, write, read and refresh the index and its aliases',
    };
  }
  if (!tls && status === 400 && /HTTPS port|TLS|SSL/i.test(message)) {
    return { what: 'expects TLS', todo: 'write opensearch:// instead of opensearch+http://' };
  }
  return { what: `answered ${status}` };
}
