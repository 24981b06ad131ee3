import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { StateStore } from '#embatch/core/interfaces.js';
import { acquireLease, otherWriters, type Lease, type LeaseRequest } from '#embatch/ledger/lease.js';
import { recordingLog } from './sink-rows.js';
import type { StateConformance } from './state-conformance.js';

const HOLDER = new URL('./lease-holder.js', import.meta.url);
/** Longer than any test: such a lease is never renewed while one runs, and never expires. */
const LONG_MS = 600_000;
/** Short enough to be waited for, long enough to be renewed in time on a machine that is busy. */
const SHORT_MS = 3000;
/** Most of the time of these cases is waiting for a lease to expire. */
const AT_ONCE = 6;

interface Holder {
  readonly process: ChildProcess;
  /** Resolves with the next word that the child says. */
  next(): Promise<{ word: string; message: string }>;
  /** Words so far. */
  said(): number;
}

/**
 * Registers what leases promise on a store. What a holder does when it was stopped for a while is the same on all
 * stores, and slow to show: `timed: false` leaves that out.
 */
export function describeLeases(suite: StateConformance & { readonly timed?: boolean }): void {
  describe(
    `leases: ${suite.name}`,
    { skip: suite.skip ?? false, concurrency: suite.timed === false ? 1 : AT_ONCE },
    () => {
      const check = (name: string, body: (place: LeasePlace) => Promise<void>): void => {
        it(name, async () => {
          const place = await suite.createPlace();
          const held = new LeasePlace(await place.open());
          // A lease alone does not keep a process alive.
          const alive = setInterval(() => undefined, LONG_MS);
          try {
            await body(held);
          } finally {
            await held.end();
            await place.remove();
            clearInterval(alive);
          }
        });
      };

      check(
        'a shard has one holder; who comes second is told who, where, since when and until when',
        async (place) => {
          await place.acquire({ run: 'first-run' });
          await assert.rejects(place.acquire({ run: 'second-run' }), (error) => {
            assert.ok(isEmbatchError(error, 'LEASE'));
            const needed = [
              'shard 0 of 1',
              'first-run',
              String(process.pid),
              hostname(),
              'since 20',
              'at 20',
              'Wait for it',
            ];
            for (const part of needed)
              assert.ok(error.message.includes(part), `'${part}' in: ${error.message}`);
            return true;
          });
        },
      );

      check('it is free again after release, which may be repeated', async (place) => {
        const lease = await place.acquire();
        await lease.release();
        await lease.release();
        assert.deepEqual(await place.store.list('leases/'), []);
        await place.acquire();
        assert.equal(lease.lost.aborted, false);
      });

      check('shards of one count work side by side, and see each other', async (place) => {
        const first = await place.acquire({ shard: 0, shards: 2 });
        assert.equal(await otherWriters(first), false);
        const second = await place.acquire({ shard: 1, shards: 2 });
        assert.equal(await otherWriters(first), true);
        assert.equal(await otherWriters(second), true);
        await first.release();
        assert.equal(await otherWriters(second), false);
      });

      check('another count of shards is refused while one lives', async (place) => {
        const lease = await place.acquire({ shard: 2, shards: 3 });
        await assert.rejects(
          place.acquire({ shard: 0, shards: 4 }),
          (error) =>
            isEmbatchError(error, 'LEASE') &&
            /shard 0 of 4 cannot start while shard 2 of 3.*--shards 3/.test(error.message),
        );
        assert.deepEqual((await place.store.list('leases/')).length, 1);
        await lease.release();
        await place.acquire({ shard: 0, shards: 4 });
      });

      check('of twenty that ask at once exactly one gets it', async (place) => {
        const results = await Promise.allSettled(
          Array.from({ length: 20 }, (_, n) => place.acquire({ run: `run-${n}` })),
        );
        assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
        for (const result of results) {
          if (result.status === 'rejected')
            assert.ok(isEmbatchError(result.reason, 'LEASE'), String(result.reason));
        }
        assert.equal((await place.store.list('leases/')).length, 1);
      });

      check('of two counts that ask at once never both win', async (place) => {
        for (let round = 0; round < 5; round++) {
          const asked = [2, 3, 2, 3].map((shards, n) => place.acquire({ shard: n >> 1, shards }));
          const results = await Promise.allSettled(asked);
          const counts = new Set(
            results.flatMap((result, n) => (result.status === 'fulfilled' ? [n % 2] : [])),
          );
          assert.ok(counts.size <= 1, 'two counts at once');
          for (const result of results) if (result.status === 'fulfilled') await result.value.release();
          assert.deepEqual(await place.store.list('leases/'), []);
        }
      });

      check(
        'an expired lease of another machine is taken over, with a warning; a living one is not',
        async (place) => {
          const name = 'leases/0-of-1/0000000007.json';
          await place.store.put(name, foreign(-500));
          // Their clock may be behind ours.
          await assert.rejects(place.acquire({ clockSkewMs: 60_000 }), (error) =>
            isEmbatchError(error, 'LEASE'),
          );
          await place.store.put(name, foreign(60_000));
          await assert.rejects(place.acquire(), (error) => isEmbatchError(error, 'LEASE'));
          await place.store.put(name, foreign(-500));
          await place.acquire();
          assert.deepEqual(await place.store.list('leases/'), ['leases/0-of-1/0000000008.json']);
          assert.match(place.log.lines.join('\n'), /warn: Took over shard 0 of 1 from run their-run/);
        },
      );

      check("a torn lease stands in nobody's way", async (place) => {
        await place.store.put('leases/0-of-1/0000000001.json', '{"token":"t","exp');
        await place.acquire();
        assert.deepEqual(await place.store.list('leases/'), ['leases/0-of-1/0000000002.json']);
      });

      check('a holder that was killed with SIGKILL is followed at once', async (place) => {
        const child = place.spawn(0, 1, LONG_MS);
        assert.equal((await child.next()).word, 'held');
        await assert.rejects(place.acquire(), (error) => {
          return isEmbatchError(error, 'LEASE') && error.message.includes(String(child.process.pid));
        });
        child.process.kill('SIGKILL');
        await once(child.process, 'exit');
        await place.acquire();
      });

      check('of several processes that ask at once exactly one gets it', async (place) => {
        const children = Array.from({ length: 4 }, () => place.spawn(0, 1, LONG_MS));
        const words = await Promise.all(children.map((child) => child.next()));
        assert.deepEqual(words.map(({ word }) => word).sort(), ['held', ...Array<string>(3).fill('refused')]);
      });

      if (suite.timed === false) return;

      check('a living holder renews, and its lease does not expire', async (place) => {
        const lease = await place.acquire({ ttlMs: SHORT_MS });
        const first = await place.expiry();
        while ((await place.expiry()) < first + SHORT_MS) await pause(50);
        await assert.rejects(place.acquire(), (error) => isEmbatchError(error, 'LEASE'));
        assert.equal(lease.lost.aborted, false);
        assert.deepEqual(await place.store.list('leases/'), ['leases/0-of-1/0000000001.json']);
      });

      check('a holder gives way to whoever took over early, by a clock that is ahead', async (place) => {
        const lease = await place.acquire({ ttlMs: SHORT_MS });
        await place.store.put('leases/0-of-1/0000000002.json', foreign(LONG_MS));
        await once(lease.lost, 'abort');
        assert.match(String(lease.lost.reason), /taken over by run their-run \(process 1 on elsewhere/);
        await lease.release();
        assert.deepEqual(await place.store.list('leases/'), ['leases/0-of-1/0000000002.json']);
      });

      check('a holder that slept too long finds out that another took over', async (place) => {
        const child = place.spawn(0, 1, SHORT_MS);
        assert.equal((await child.next()).word, 'held');
        child.process.kill('SIGSTOP');
        const mine = await place.acquireOnceFree();
        child.process.kill('SIGCONT');
        const said = await child.next();
        assert.equal(said.word, 'lost');
        assert.match(said.message, /shard 0 of 1 was taken over by run test-run/);
        child.process.send('release');
        await once(child.process, 'exit');
        assert.equal(
          (await place.store.list('leases/')).length,
          1,
          'the loser took nothing of the winner away',
        );
        await mine.release();
      });

      check('so it does when the other has ended by then', async (place) => {
        const child = place.spawn(0, 1, SHORT_MS);
        assert.equal((await child.next()).word, 'held');
        child.process.kill('SIGSTOP');
        await (await place.acquireOnceFree()).release();
        child.process.kill('SIGCONT');
        assert.equal((await child.next()).word, 'lost');
      });

      check('a holder that slept while nobody came goes on', async (place) => {
        const child = place.spawn(0, 1, SHORT_MS);
        assert.equal((await child.next()).word, 'held');
        child.process.kill('SIGSTOP');
        while ((await place.expiry()) > Date.now()) await pause(50);
        child.process.kill('SIGCONT');
        while ((await place.expiry()) < Date.now()) await pause(50);
        assert.deepEqual(await place.store.list('leases/'), ['leases/0-of-1/0000000002.json']);
        child.process.send('release');
        await once(child.process, 'exit');
        assert.equal(child.said(), 1, 'it said more than `held`');
        assert.deepEqual(await place.store.list('leases/'), []);
      });

      check('a holder whose store fails is told in time, with the reason', async (place) => {
        const lease = await place.acquire({ ttlMs: SHORT_MS });
        place.fail(new Error('the wire was cut'));
        await once(lease.lost, 'abort');
        assert.ok(isEmbatchError(lease.lost.reason, 'LEASE'));
        assert.match(String((lease.lost.reason as Error).cause), /the wire was cut/);
        assert.match(
          place.log.lines.join('\n'),
          /warn: The lease was not renewed, trying again: the wire was cut/,
        );
        await lease.release();
      });

      check('a holder whose store hangs is told in time, and release does not wait for it', async (place) => {
        const lease = await place.acquire({ ttlMs: SHORT_MS });
        place.fail('hang');
        await once(lease.lost, 'abort');
        await lease.release();
      });
    },
  );
}

/** The lease of a run on another machine. */
function foreign(expiresInMs: number): string {
  return JSON.stringify({
    token: 't',
    owner: 'o',
    run: 'their-run',
    host: 'elsewhere',
    space: '',
    pid: 1,
    since: '2026-11-21T10:00:00.000Z',
    expires: new Date(Date.now() + expiresInMs).toISOString(),
  });
}

const methods = ['get', 'put', 'putIfAbsent', 'delete', 'list'] as const;

class LeasePlace {
  readonly log = recordingLog();
  /** The real store; what leases use can be made to fail. */
  readonly store: StateStore;
  readonly #leases: Lease[] = [];
  readonly #children: ChildProcess[] = [];
  #failure: Error | 'hang' | undefined;

  constructor(store: StateStore) {
    this.store = store;
  }

  async acquire(request: Partial<LeaseRequest> = {}): Promise<Lease> {
    const lease = await acquireLease(
      this.#faulty(),
      { shard: 0, shards: 1, owner: 'test', run: 'test-run', ttlMs: LONG_MS, clockSkewMs: 0, ...request },
      { log: this.log },
    );
    this.#leases.push(lease);
    return lease;
  }

  /** Asks until the former holder's time is over. */
  async acquireOnceFree(): Promise<Lease> {
    for (;;) {
      try {
        return await this.acquire();
      } catch (error) {
        if (!isEmbatchError(error, 'LEASE')) throw error;
        await pause(10);
      }
    }
  }

  /** When the newest lease expires, in ms since 1970; 0 where none can be read just now. */
  async expiry(): Promise<number> {
    const name = (await this.store.list('leases/')).at(-1);
    const bytes = name === undefined ? undefined : await this.store.get(name);
    return bytes === undefined
      ? 0
      : Date.parse((JSON.parse(Buffer.from(bytes).toString()) as { expires: string }).expires);
  }

  fail(failure: Error | 'hang'): void {
    this.#failure = failure;
  }

  spawn(shard: number, shards: number, ttlMs: number): Holder {
    const child = fork(HOLDER, [this.store.uri, String(shard), String(shards), String(ttlMs)]);
    this.#children.push(child);
    const words: { word: string; message: string }[] = [];
    let said = 0;
    child.on('message', (word) => {
      words.push(word as { word: string; message: string });
      said += 1;
    });
    return {
      process: child,
      said: () => said,
      next: async () => {
        while (words.length === 0) {
          assert.equal(child.exitCode ?? child.signalCode, null, 'the holder ended without a word');
          await pause(5);
        }
        return words.shift() as { word: string; message: string };
      },
    };
  }

  async end(): Promise<void> {
    this.#failure = undefined;
    for (const child of this.#children) child.kill('SIGKILL');
    for (const lease of this.#leases) await lease.release();
    await this.store.close();
  }

  #faulty(): StateStore {
    const { store } = this;
    const faulty = Object.create(store) as Record<string, unknown>;
    for (const method of methods) {
      faulty[method] = (...parameters: unknown[]) => {
        const failure = this.#failure;
        if (failure instanceof Error) return Promise.reject(failure);
        if (failure === 'hang') return new Promise((_, reject) => rejectOnAbort(parameters.at(-1), reject));
        return (store[method] as (...all: unknown[]) => Promise<unknown>)(...parameters);
      };
    }
    // Its methods were set above, one by one, from those of a store.
    return faulty as unknown as StateStore;
  }
}

/** As a call over the network does: it hangs until it is cancelled. */
function rejectOnAbort(options: unknown, reject: (reason: unknown) => void): void {
  const { signal } = (options ?? {}) as { signal?: AbortSignal };
  if (signal?.aborted === true) reject(signal.reason);
  signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
}
