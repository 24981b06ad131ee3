/** A run that starts while another of the same job still works: harmless, or refused where that is wished. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createFileState } from '#embatch/ledger/file-state.js';
import { eventually } from '../support/eventually.js';
import { deleteIndex, scanIndex } from '../support/opensearch.js';
import { runCli, summaryOf, type Ended } from '../support/run-cli.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../support/services.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const skip = skipWithoutOpenSearch;
const index = 'overlap';
const documents = 150;
const sentence = 'The water of the lake was still, and the mountains stood on their heads in it. ';

after(async () => {
  if (skip === false) await deleteIndex(openSearchUrl(), index);
});

/** Starts a second run as soon as the first has something in work, and gives how both ended. */
async function overlapping(folder: string, options: readonly string[]): Promise<[Ended, Ended]> {
  const sink = `${openSearchUrl().replace('http:', 'opensearch+http:')}/${index}`;
  const command = ['run', 'docs', '--sink', sink, '--state', 'state', '--workers', '1', '--json', ...options];
  const state = createFileState(join(folder, 'state'));
  let second: Promise<Ended> | undefined;
  const first = await runCli(command, {
    cwd: folder,
    onSpawn: () => {
      const isAtWork = async (): Promise<boolean> => (await state.list('ledger/')).length > 0;
      second = eventually('the first run is at work', isAtWork).then(() => runCli(command, { cwd: folder }));
    },
  });
  return [first, (await second) ?? assert.fail('there was no second run')];
}

async function prepared(context: Parameters<typeof tempFolder>[0]): Promise<string> {
  const folder = await tempFolder(context);
  const names = Array.from({ length: documents }, (_, n) => `docs/${n}.md`);
  await writeFiles(folder, Object.fromEntries(names.map((name) => [name, `${name}: ${sentence.repeat(6)}`])));
  await deleteIndex(openSearchUrl(), index);
  return folder;
}

test(
  'two runs of one job at once both end well, and the index holds everything once',
  { skip },
  async (t) => {
    const folder = await prepared(t);
    const [first, second] = await overlapping(folder, []);
    for (const ended of [first, second]) {
      const { objects } = summaryOf(ended);
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(objects.unchanged + objects.embedded, documents);
    }
    const rows = await scanIndex(openSearchUrl(), index);
    assert.equal(new Set(rows.map(({ source }) => source.metadata.key)).size, documents);
    assert.equal(rows.length, documents);
  },
);

test('with --single-instance the second leaves at once and names the first', { skip }, async (t) => {
  const folder = await prepared(t);
  const [first, second] = await overlapping(folder, ['--single-instance']);
  assert.equal(first.code, 0, first.stderr);
  assert.equal(second.code, 24);
  assert.match(
    second.stderr,
    /shard 0 of 1 is being written by run \S+ \(process \d+ on .*Wait for it or stop it/,
  );
});
