import { describeError } from '../../core/errors.js';
import { RequestFailure, ownTypes } from './failure.js';

/** What the client's signer wants to see; `needsRefresh` is its hook for credentials that know their age. */
export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
  needsRefresh(): boolean;
}

export interface CredentialCache {
  /** Concurrent callers share one look-up. */
  get(): Promise<SigningCredentials>;
  /** Counts renewals. */
  readonly generation: number;
  /**
   * The next `get` asks the provider anew, because the server refused credentials of this generation. Does
   * nothing where they were renewed since: many requests are refused at once, one renewal is enough.
   */
  forget(generation: number): void;
}

type Provided = Omit<SigningCredentials, 'needsRefresh'>;
export type CredentialProvider = (options?: { forceRefresh?: boolean }) => Promise<Provided>;

/** Credentials are renewed this long before they expire: a request may wait that long for its answer. */
const RENEW_BEFORE_EXPIRY_MS = 120_000;

/**
 * The client's signer asks the provider once per request that finds its credentials expired, a hundred times for
 * a hundred concurrent requests; metadata services throttle that.
 */
export function createCredentialCache(provider: CredentialProvider): CredentialCache {
  let current: SigningCredentials | undefined;
  let pending: Promise<SigningCredentials> | undefined;
  let forced = false;
  let generation = 0;

  async function renew(): Promise<SigningCredentials> {
    const forceRefresh = forced;
    forced = false;
    let provided: Provided;
    try {
      provided = await provider({ forceRefresh });
    } catch (error) {
      throw new RequestFailure(ownTypes.credentials, describeError(error));
    }
    const credentials: SigningCredentials = {
      accessKeyId: provided.accessKeyId,
      secretAccessKey: provided.secretAccessKey,
      ...(provided.sessionToken === undefined ? {} : { sessionToken: provided.sessionToken }),
      ...(provided.expiration === undefined ? {} : { expiration: provided.expiration }),
      needsRefresh: () => credentials !== current || expiresSoon(credentials),
    };
    current = credentials;
    generation++;
    return credentials;
  }

  return {
    async get() {
      if (current !== undefined && !expiresSoon(current)) return current;
      pending ??= renew().finally(() => (pending = undefined));
      return pending;
    },
    get generation() {
      return generation;
    },
    forget(refused) {
      if (refused !== generation) return;
      current = undefined;
      forced = true;
    },
  };
}

function expiresSoon(credentials: SigningCredentials): boolean {
  const { expiration } = credentials;
  return expiration !== undefined && expiration.getTime() - Date.now() < RENEW_BEFORE_EXPIRY_MS;
}
