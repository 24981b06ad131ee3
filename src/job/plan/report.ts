import type { ClusterCapacity } from '../../sinks/opensearch/capacity.js';
import type { Estimate, Measure } from './estimate.js';
import type { IndexSize } from './index-size.js';
import type { Rate } from './measure-rate.js';

/** What `embatch plan` ends with: the one document of `--json` (docs/plan.md). */
export interface PlanReport {
  readonly status: 'complete';
  readonly exitCode: 0;
  readonly source: string;
  readonly sink: string;
  readonly model: string;
  readonly precision: string;
  readonly objects: {
    readonly listed: number;
    readonly bytes: number;
    readonly unchanged: number;
    /** Of earlier runs, at this version: for `retry`. */
    readonly failed: number;
    readonly skipped: number;
    /** In the index, and no longer in the source. */
    readonly gone: number;
    /** What a run would embed. */
    readonly toEmbed: number;
    readonly bytesToEmbed: number;
  };
  readonly skippedBy: Readonly<Record<string, number>>;
  readonly sample: {
    readonly objects: number;
    readonly bytes: number;
    readonly seed: number;
    readonly failed: Readonly<Record<string, number>>;
    readonly passedOver: Readonly<Record<string, number>>;
  };
  /** Of what a run would embed, with the range in which the truth lies 19 times out of 20. */
  readonly estimate: Readonly<Record<Measure, Estimate>>;
  /** null where there was nothing to measure with. */
  readonly rate: Rate | null;
  readonly shards: readonly ShardPlan[];
  readonly instances: readonly InstancePlan[];
  /** Year and month that the list prices of `instances` are of, roughly. */
  readonly pricesOf: string;
  readonly index: IndexSize;
  readonly cluster: ClusterCapacity | null;
  /** Where the listing was written to. */
  readonly manifest: string | null;
  readonly warnings: readonly string[];
  readonly seconds: number;
}

export interface ShardPlan {
  readonly shards: number;
  /** The largest shard by a fair share: 1 is even. */
  readonly imbalance: number;
  /** Until the largest shard has ended, on machines like this one; null where the rate is not known. */
  readonly hours: Estimate | null;
  /** For all shards until the largest has ended; null without `--price`. */
  readonly price: number | null;
}

/** The whole job on one machine of a kind, by its number of CPUs alone. */
export interface InstancePlan {
  readonly name: string;
  readonly vCpus: number;
  readonly dollarsPerHour: number;
  readonly hours: number;
  readonly dollars: number;
}
