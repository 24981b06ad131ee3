import type { SourceObject } from '../../core/interfaces.js';
import { formatCount } from '../../core/units.js';
import type { LedgerEntry } from '../../ledger/objects/entry.js';
import { reasonToSkip } from '../select-objects.js';
import type { Finding, FindingKind } from './findings.js';
import type { ObjectRows, RowGroup } from './object-rows.js';

/** All that is known of one key. */
export interface KnownObject {
  readonly key: string;
  /** As it is listed; undefined where it is not. */
  readonly object: SourceObject | undefined;
  readonly entry: LedgerEntry | undefined;
  readonly rows: ObjectRows;
}

/** What has become of one key. */
export interface Verdict extends KnownObject {
  /**
   * `verified`: as source and ledger say. `unrecorded`: whole by its own account, and the ledger does not know it;
   * `unproven`: so it seems, but only its source can tell how many records it has. `failed`, `skipped`: accounted for.
   * `gone`: neither in the source nor in the index. `differs`: see the findings.
   */
  readonly state: 'verified' | 'unrecorded' | 'unproven' | 'failed' | 'skipped' | 'gone' | 'differs';
  /** Why it failed or was skipped. */
  readonly reason?: string;
  readonly findings: readonly Finding[];
  /** The rows that prove an `unrecorded` object, or would prove an `unproven` one. */
  readonly group?: RowGroup;
}

type Outcome = Pick<Verdict, 'state' | 'reason' | 'group'>;

type Find = (finding: FindingKind, detail: string) => void;

/** @param space fingerprint of the space half of the index's recipe */
export function judgeObject(known: KnownObject, space: string): Verdict {
  const { key, object } = known;
  const findings: Finding[] = [];
  const find: Find = (finding, detail) => {
    findings.push({ key, finding, detail });
  };
  const outcome =
    object === undefined ? judgeUnlisted(known, find) : judgeListed({ ...known, object }, space, find);
  return { ...known, ...outcome, state: findings.length > 0 ? 'differs' : outcome.state, findings };
}

function judgeUnlisted({ entry, rows }: KnownObject, find: Find): Outcome {
  if (rows.total > 0) find('orphan', `${rowCount(rows.total)} of an object that is not in the source`);
  else if (entry?.status === 'done') {
    find('orphan', 'the ledger has an object that is in neither source nor index');
  }
  return { state: 'gone' };
}

interface ListedObject extends KnownObject {
  readonly object: SourceObject;
}

function judgeListed(known: ListedObject, space: string, find: Find): Outcome {
  const { object, entry, rows } = known;
  const { duplicates } = rows;
  if (duplicates > 0) find('duplicate', `${rowCount(duplicates)} with an id that another row has`);
  const groups = rows.groups();
  const current = groups.filter(({ version }) => version === object.version);
  const former = sum(groups) - sum(current);

  const skip = skipOf(known);
  if (skip !== undefined) {
    if (former > 0)
      find('stale', `${rowCount(former)} of a former version; what is listed is skipped: ${skip}`);
    return { state: 'skipped', reason: skip };
  }
  if (entry?.version === object.version && entry.status === 'failed') {
    // What failed has dead letters; what was acknowledged has none. Rows of a former version may stay (docs/ledger.md).
    if (sum(current) < entry.chunks) find('incomplete', ofThose(sum(current), entry.chunks));
    return { state: 'failed', reason: entry.reason ?? 'see its dead letters' };
  }
  if (rows.total === 0) {
    if (!isEmpty(known)) find('missing', missing(entry));
    return { state: 'verified' };
  }
  if (former > 0) find('stale', `${rowCount(former)} of another version than ${object.version}`);
  else if (entry !== undefined && entry.version !== object.version) {
    find('stale', `the ledger has version ${entry.version}, listed is ${object.version}`);
  }
  return judgeRows(known, { current, space, hasFormer: former > 0 }, find);
}

/** Why a run would not open it, or found nothing in it. */
function skipOf({ object, entry }: ListedObject): string | undefined {
  const isSkipped = entry?.version === object.version && entry.status === 'skipped';
  return isSkipped ? (entry.reason ?? 'empty') : reasonToSkip(object);
}

const isEmpty = ({ object, entry }: ListedObject): boolean =>
  entry?.version === object.version && entry.status === 'done' && entry.chunks === 0;

interface CurrentRows {
  /** Of the version that is listed. */
  readonly current: readonly RowGroup[];
  readonly hasFormer: boolean;
  readonly space: string;
}

/** Whether the rows of the listed version are all there, made as they should be. */
function judgeRows(
  { object, entry }: ListedObject,
  { current, hasFormer, space }: CurrentRows,
  find: Find,
): Outcome {
  const isCurrent = entry?.version === object.version;
  if (isCurrent && entry.status === 'open') {
    find('incomplete', 'it was being written when its run ended');
    return { state: 'differs' };
  }
  const wanted = isCurrent ? `${space}-${entry.text}` : undefined;
  const good = current.filter((group) => isMadeRight(group, wanted, space));
  const bad = current.filter((group) => !good.includes(group));
  if (bad.length > 0) {
    find('fingerprint', `${rowCount(sum(bad))} made as ${namesOf(bad)}, not as ${wanted ?? `${space}-…`}`);
  } else if (good.length > 1) {
    find('fingerprint', `rows made in ${good.length} ways: ${namesOf(good)}`);
  }
  const [group] = good;
  // What is to be embedded anew as a whole is not counted, too.
  if (good.length > 1 || (group === undefined && (bad.length > 0 || hasFormer))) return { state: 'differs' };
  const count = group?.rows ?? 0;
  if (isCurrent && count < entry.chunks) find('incomplete', ofThose(count, entry.chunks));
  else if (group !== undefined && group.incomplete > 0) {
    find(
      'incomplete',
      `chunks are lacking in ${formatCount(group.incomplete)} of ${documentCount(group.documents)}`,
    );
  } else if (isCurrent && count > entry.chunks) {
    find(
      'orphan',
      `${rowCount(count - entry.chunks)} more than the ${formatCount(entry.chunks)} that the ledger has`,
    );
  }
  if (entry !== undefined || group === undefined) return { state: 'verified' };
  return { state: group.hasRecords ? 'unproven' : 'unrecorded', group };
}

/** @param wanted undefined where only the space is known */
function isMadeRight({ fingerprint }: RowGroup, wanted: string | undefined, space: string): boolean {
  return wanted === undefined ? fingerprint.split('-')[0] === space : fingerprint === wanted;
}

function missing(entry: LedgerEntry | undefined): string {
  if (entry === undefined) return 'neither index nor ledger has it';
  if (entry.status === 'open') return 'it was being written when its run ended';
  if (entry.status === 'done')
    return `the index has none of the ${rowCount(entry.chunks)} that the ledger has`;
  return `the ledger has it as ${entry.status} in another version, ${entry.version}`;
}

const namesOf = (groups: readonly RowGroup[]): string =>
  groups.map(({ fingerprint }) => fingerprint).join(', ');
const sum = (groups: readonly RowGroup[]): number => groups.reduce((total, { rows }) => total + rows, 0);
const rowCount = (count: number): string => `${formatCount(count)} row${count === 1 ? '' : 's'}`;
const documentCount = (count: number): string => `${formatCount(count)} document${count === 1 ? '' : 's'}`;
const ofThose = (count: number, wanted: number): string =>
  `${formatCount(count)} of the ${rowCount(wanted)} that the ledger has`;
