import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { StateStore } from '#embatch/core/interfaces.js';

export interface StatePlace {
  /** Another instance on the same place, as another process would open it. */
  open(): StateStore | Promise<StateStore>;
  remove(): Promise<void>;
}

export interface StateConformance {
  readonly name: string;
  /** A visible reason not to run. */
  readonly skip?: string | false | undefined;
  createPlace(): Promise<StatePlace>;
}

/** Registers what every state store promises (core/interfaces.ts) as cases of `node:test`. */
export function describeState(suite: StateConformance): void {
  describe(`state: ${suite.name}`, { skip: suite.skip ?? false }, () => {
    const check = (name: string, body: (open: () => Promise<StateStore>) => Promise<void>): void => {
      it(name, async () => {
        const place = await suite.createPlace();
        const opened: StateStore[] = [];
        try {
          await body(async () => {
            const store = await place.open();
            opened.push(store);
            return store;
          });
        } finally {
          await Promise.all(opened.map((store) => store.close()));
          await place.remove();
        }
      });
    };

    check('what was never put is undefined, and an empty store lists nothing', async (open) => {
      const store = await open();
      assert.equal(await store.get('a/b.json'), undefined);
      assert.deepEqual(await store.list(''), []);
      assert.deepEqual(await store.list('a/'), []);
    });

    check('what was put is read byte for byte, also by another instance', async (open) => {
      const store = await open();
      const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
      await store.put('a/bytes', bytes);
      await store.put('text.json', '{"ä":"🙂"}');
      await store.put('empty', '');
      const other = await open();
      assert.deepEqual(Buffer.from((await other.get('a/bytes')) ?? []), Buffer.from(bytes));
      assert.equal(Buffer.from((await other.get('text.json')) ?? []).toString(), '{"ä":"🙂"}');
      assert.equal((await other.get('empty'))?.byteLength, 0);
    });

    check('put replaces', async (open) => {
      const store = await open();
      await store.put('a', 'a long first version');
      await store.put('a', 'short');
      assert.equal(Buffer.from((await store.get('a')) ?? []).toString(), 'short');
    });

    check('a reader sees the old or the new, never a part', async (open) => {
      const [writer, reader] = [await open(), await open()];
      const versions = ['x'.repeat(300_000), 'y'.repeat(200_000)];
      await writer.put('a', versions[0] ?? '');
      const progress = { writes: 0 };
      const writing = (async () => {
        for (; progress.writes < 20; progress.writes++)
          await writer.put('a', versions[progress.writes % 2] ?? '');
      })();
      let reads = 0;
      while (progress.writes < 20) {
        const text = Buffer.from((await reader.get('a')) ?? []).toString();
        assert.ok(versions.includes(text), `${text.length} bytes that nobody wrote`);
        reads += 1;
      }
      await writing;
      assert.ok(reads > 0);
    });

    check('putIfAbsent creates once, and leaves what is there', async (open) => {
      const store = await open();
      assert.equal(await store.putIfAbsent('a/b', 'first'), true);
      assert.equal(await store.putIfAbsent('a/b', 'second'), false);
      assert.equal(await store.putIfAbsent('a/b', 'first'), false);
      assert.equal(Buffer.from((await store.get('a/b')) ?? []).toString(), 'first');
      await store.delete('a/b');
      assert.equal(await store.putIfAbsent('a/b', 'third'), true);
    });

    check('of twenty that put one name at once, one succeeds and its bytes are there', async (open) => {
      const stores = [await open(), await open(), await open(), await open()] as const;
      for (let round = 0; round < 5; round++) {
        const name = `races/${round}.json`;
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, n) => (stores[n % 4] ?? stores[0]).putIfAbsent(name, `writer ${n}`)),
        );
        const winners = results.flatMap((won, n) => (won ? [n] : []));
        assert.equal(winners.length, 1, `winners: ${winners.join()}`);
        assert.equal(Buffer.from((await stores[0].get(name)) ?? []).toString(), `writer ${winners[0] ?? ''}`);
      }
    });

    check('delete may be repeated', async (open) => {
      const store = await open();
      await store.put('a/b', 'x');
      await store.delete('a/b');
      await store.delete('a/b');
      await store.delete('never/there');
      assert.equal(await store.get('a/b'), undefined);
      assert.deepEqual(await store.list(''), []);
    });

    check('list gives the names that begin with a prefix, in the order of their bytes', async (open) => {
      const store = await open();
      const names = ['b', 'a/2.json', 'a/10.json', 'a/1.json', 'a/b/c', 'ab', 'A/x', 'a-b/c', 'a/B'];
      for (const name of names) await store.put(name, name);
      assert.deepEqual(await store.list(''), [...names].sort());
      assert.deepEqual(await store.list('a/'), ['a/1.json', 'a/10.json', 'a/2.json', 'a/B', 'a/b/c']);
      assert.deepEqual(await store.list('a/1'), ['a/1.json', 'a/10.json']);
      assert.deepEqual(
        await store.list('a'),
        [...names].sort().filter((name) => name.startsWith('a')),
      );
      assert.deepEqual(await store.list('c'), []);
    });

    for (const name of [
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '../a',
      'a/../b',
      '.',
      'a/.hidden',
      'a b',
      'ü',
      'a\\b',
      'a\0',
    ]) {
      check(`the name ${JSON.stringify(name)} is refused as a bug`, async (open) => {
        const store = await open();
        const isBug = (error: unknown): boolean => isEmbatchError(error, 'BUG');
        await assert.rejects(async () => store.put(name, 'x'), isBug);
        await assert.rejects(async () => store.putIfAbsent(name, 'x'), isBug);
        await assert.rejects(async () => store.get(name), isBug);
        await assert.rejects(async () => store.delete(name), isBug);
      });
    }

    check('a signal that fired stops every call with its reason', async (open) => {
      const store = await open();
      const reason = new Error('enough');
      const options = { signal: AbortSignal.abort(reason) };
      const isReason = (error: unknown): boolean => error === reason;
      await assert.rejects(store.get('a', options), isReason);
      await assert.rejects(store.put('a', 'x', options), isReason);
      await assert.rejects(store.putIfAbsent('a', 'x', options), isReason);
      await assert.rejects(store.delete('a', options), isReason);
      await assert.rejects(store.list('', options), isReason);
      assert.deepEqual(await store.list(''), []);
    });

    check('close may be called twice', async (open) => {
      const store = await open();
      await store.put('a', 'x');
      await store.close();
      await store.close();
      assert.deepEqual(await (await open()).list(''), ['a']);
    });
  });
}
