/** What can be wrong with an object, in the order in which a report counts it. */
export const findingKinds = [
  /** It is listed, the index has no row of it, and nothing says why. */
  'missing',
  /** Some of its rows are not there, or it was being written when its run ended. */
  'incomplete',
  /** The index, or the ledger, has another version than the listing. */
  'stale',
  /** The index, or the ledger, has what the source does not have. */
  'orphan',
  /** One id is there more than once. */
  'duplicate',
  /** Rows were made in another way than the index, or the ledger, says. */
  'fingerprint',
  /** A row holds another text than its document gives. */
  'text',
  /** A row holds another vector than its text gives. */
  'vector',
] as const;

export type FindingKind = (typeof findingKinds)[number];

export interface Finding {
  readonly key: string;
  readonly finding: FindingKind;
  /** In words. */
  readonly detail: string;
}
