import { exitCodes } from '../../core/exit-codes.js';
import type { RunSummary } from '../summary.js';
import { findingKinds, type Finding, type FindingKind } from './findings.js';
import type { Verdict } from './judge-object.js';
import type { Look } from './look.js';
import type { Rebuilt } from './rebuild-ledger.js';
import type { SampleCounts } from './sample.js';

/** Findings, and objects that are accounted for, of which a report says more than their number. */
const MAX_NAMED = 1000;

/** An object that is not in the index, or not all of it, for a reason that is known. */
export interface Accounted {
  readonly key: string;
  readonly status: 'failed' | 'skipped';
  readonly reason: string;
}

/** What one look at source, ledger and index gave. */
export interface Found {
  readonly objects: Record<
    'listed' | 'verified' | 'unrecorded' | 'failed' | 'skipped' | 'differing',
    number
  > &
    Record<FindingKind, number>;
  readonly rows: Look['counts'];
  /** The first of them. */
  readonly findings: readonly Finding[];
  readonly findingsTotal: number;
  /** The first of them. */
  readonly accounted: readonly Accounted[];
  /** Objects that were skipped, by reason. */
  readonly skippedBy: Readonly<Record<string, number>>;
  readonly sample?: SampleCounts & { readonly asked: number; readonly seed: number };
}

export interface Repaired {
  /** What there was before. */
  readonly found: Pick<Found, 'objects' | 'findings' | 'findingsTotal'>;
  /** Rows that were removed besides those that the run removed. */
  readonly rowsRemoved: number;
  /** The run that embedded anew. */
  readonly run: RunSummary;
}

/** What `verify` ends with: the only thing on stdout with `--json`. */
export interface VerifyReport extends Found {
  readonly status: 'clean' | 'differs' | 'stopped';
  readonly exitCode: number;
  readonly source: string;
  readonly sink: string;
  readonly state: string;
  readonly shard: { readonly index: number; readonly count: number };
  readonly rebuilt?: Rebuilt;
  readonly repair?: Repaired;
  readonly seconds: number;
}

/** Counts verdicts. */
export class FoundTally {
  readonly #objects = {
    ...{ listed: 0, verified: 0, unrecorded: 0, failed: 0, skipped: 0, differing: 0 },
    // All kinds are there, each once.
    ...(Object.fromEntries(findingKinds.map((kind) => [kind, 0])) as Record<FindingKind, number>),
  };
  readonly #findings: Finding[] = [];
  readonly #accounted: Accounted[] = [];
  readonly #skippedBy = new Map<string, number>();
  #findingsTotal = 0;

  add({ key, object, state, reason = '', findings }: Verdict): void {
    if (object !== undefined) this.#objects.listed += 1;
    findings.forEach((finding) => this.addFinding(finding));
    if (state === 'differs') this.#objects.differing += 1;
    if (state === 'verified' || state === 'unrecorded') this.#objects[state] += 1;
    if (state !== 'failed' && state !== 'skipped') return;
    this.#objects[state] += 1;
    if (state === 'skipped') this.#skippedBy.set(reason, (this.#skippedBy.get(reason) ?? 0) + 1);
    if (this.#accounted.length < MAX_NAMED) this.#accounted.push({ key, status: state, reason });
  }

  /** What a sampled row showed of an object that seemed to be well. */
  addSampled(finding: Finding): void {
    if (!this.#findings.some(({ key }) => key === finding.key)) {
      this.#objects.differing += 1;
      if (this.#objects.verified > 0) this.#objects.verified -= 1;
    }
    this.addFinding(finding);
  }

  addFinding(finding: Finding): void {
    this.#objects[finding.finding] += 1;
    this.#findingsTotal += 1;
    if (this.#findings.length < MAX_NAMED) this.#findings.push(finding);
  }

  found(rows: Look['counts'], sample: Found['sample']): Found {
    return {
      objects: this.#objects,
      rows,
      findings: this.#findings,
      findingsTotal: this.#findingsTotal,
      accounted: this.#accounted,
      skippedBy: Object.fromEntries(this.#skippedBy),
      ...(sample === undefined ? {} : { sample }),
    };
  }
}

export function verdictOf({ findingsTotal }: Found): Pick<VerifyReport, 'status' | 'exitCode'> {
  return findingsTotal === 0
    ? { status: 'clean', exitCode: exitCodes.ok }
    : { status: 'differs', exitCode: exitCodes.differences };
}
