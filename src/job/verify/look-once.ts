import { lookAtAll } from './look.js';
import { openLedgerOf, type Verification } from './open-verification.js';
import type { Repairs } from './repairs.js';
import { FoundTally, type Found } from './report.js';
import type { Rereader } from './rereader.js';
import { Reservoir, seededRandom } from './reservoir.js';
import { compareSample, type SampleCounts, type SampledRow } from './sample.js';

export interface OnceOptions {
  readonly rereader: Rereader;
  /** Of the sample. */
  readonly seed: number;
  /** Takes what is to be mended. */
  readonly repairs?: Repairs;
}

/** One look at source, ledger and index, and at a sample of the rows. Errors: SOURCE, SINK, STATE, MODEL, USAGE. */
export async function lookOnce(verification: Verification, options: OnceOptions): Promise<Found> {
  const { rereader, seed, repairs } = options;
  const tally = new FoundTally();
  const sampler = await createSampler(verification, rereader, seed);
  const ledger = await openLedgerOf(verification);
  try {
    if (ledger.isEmpty) {
      verification.log.warn(
        `${verification.state.uri} has no ledger of this source and index: what is whole is told from the index alone. If there should be one, check --state`,
      );
    }
    const { verdicts, counts } = lookAtAll(verification, {
      ledger,
      prove: rereader.prove,
      onlyCovered: true,
      onRow: sampler?.offer,
    });
    for await (const verdict of verdicts) {
      tally.add(verdict);
      await repairs?.note(verdict);
    }
    const sample = await sampler?.compare(tally, repairs);
    return tally.found(counts, sample);
  } finally {
    await ledger.close();
  }
}

/** Draws rows while they go by, and compares them in the end. undefined where no sample is asked for. */
async function createSampler(verification: Verification, rereader: Rereader, seed: number) {
  const { options, sink } = verification;
  const asked = options.sample;
  if (asked === undefined) return undefined;
  const rereading = await rereader.open();
  const reservoir = new Reservoir<SampledRow>(asked, seededRandom(seed));
  let otherwise = 0;
  return {
    offer: (row: SampledRow['row'], object: SampledRow['object']): void => {
      if (row.fingerprint === rereading.fingerprint) reservoir.offer(() => ({ object, row }));
      else otherwise += 1;
    },
    async compare(tally: FoundTally, repairs: Repairs | undefined): Promise<Found['sample']> {
      const passedOver = otherwise === 0 ? {} : { 'it was cut with other options than these': otherwise };
      const counts: SampleCounts = { compared: 0, identical: 0, differing: 0, minCosine: null, passedOver };
      const sample = compareSample(reservoir.items, { ...rereading, sink }, counts);
      for await (const { finding, sampled } of sample) {
        tally.addSampled(finding);
        await repairs?.noteRow(sampled);
      }
      return { asked, seed, ...counts };
    },
  };
}
