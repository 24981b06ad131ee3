import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, FaultProxy, SeenRequest } from '../../support/fault-proxy.js';
import type { Random } from './settings.js';

export type When = (request: SeenRequest) => boolean;

export interface Mix {
  readonly name: string;
  /** Adds the faults. */
  readonly play: (proxy: FaultProxy, when: When, random: Random) => void;
}

const LONGEST_DELAY_MS = 120;

/** About one in `n` requests meets a fault, until there were so many; what it is like is drawn for each. */
function oneIn(n: number, times: number, faultOf: (random: Random) => Fault): Mix['play'] {
  return (proxy, when, random) => {
    let last: SeenRequest | undefined;
    let isMet = false;
    const meets = (request: SeenRequest): boolean => {
      // Every rule that is left is asked about a request; it is drawn once.
      if (request !== last) isMet = when(request) && random.oneIn(n);
      last = request;
      return isMet;
    };
    for (let count = 0; count < times; count++) proxy.add({ fault: faultOf(random), when: meets, times: 1 });
  };
}

/** The first requests all meet it. */
const storm =
  (times: number, fault: Fault): Mix['play'] =>
  (proxy, when) => {
    proxy.add({ fault, when, times });
  };

const json = { 'content-type': 'application/json' };

const openSearchRefusal = (status: number, type: string, reason: string): Fault => ({
  kind: 'respond',
  status,
  headers: json,
  body: JSON.stringify({ error: { type, reason }, status }),
});

const slowDown: Fault = {
  kind: 'respond',
  status: 503,
  body: '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
};

/** What happens on a wire, whatever is said over it. */
export const wireFaults: readonly Mix[] = [
  {
    name: 'latency',
    play(proxy, when, random) {
      proxy.add({ when, fault: { kind: 'hold', until: () => pause(random.between(0, LONGEST_DELAY_MS)) } });
    },
  },
  { name: 'connections that are reset', play: oneIn(2, 15, () => ({ kind: 'drop' })) },
  {
    name: 'answers cut off in the middle',
    play: oneIn(2, 15, (random) => ({ kind: 'cut', bytes: random.between(0, 200) })),
  },
  {
    name: 'answers that fall silent in the middle',
    play: oneIn(4, 4, (random) => ({ kind: 'stall', bytes: random.between(0, 200) })),
  },
];

export const openSearchFaults: readonly Mix[] = [
  {
    name: 'a storm of 429 for whole requests',
    play: storm(
      12,
      openSearchRefusal(429, 'rejected_execution_exception', 'rejected execution of coordinating'),
    ),
  },
  {
    name: 'a storm of 429 for single rows',
    play(proxy, when, random) {
      const error = { type: 'rejected_execution_exception', reason: 'rejected execution of primary' };
      const refuses = (): { status: number; error: typeof error } | undefined =>
        random.oneIn(2) ? { status: 429, error } : undefined;
      proxy.add({ when, fault: { kind: 'refuse-rows', refuses }, times: 25 });
    },
  },
  { name: 'a proxy in between that has no server', play: storm(12, { kind: 'respond', status: 502 }) },
];

export const s3Faults: readonly Mix[] = [
  { name: '503 SlowDown', play: oneIn(2, 20, () => slowDown) },
  { name: '500', play: oneIn(3, 15, () => ({ kind: 'respond', status: 500, body: '' })) },
];
