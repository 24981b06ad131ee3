/** An answer to one request of a listing. */
export interface KeyPage<Entry> {
  /** In the order of the store. */
  readonly entries: readonly Entry[];
  /** Where the next page begins; undefined where there is none. */
  readonly token: string | undefined;
  /** Keys of the first and the last entry that has one; undefined where none has. */
  readonly first: string | undefined;
  readonly last: string | undefined;
}

/** Where a page begins: with `token` behind the page that gave it, else behind the key `after`, else at the start. */
export interface PagePlace {
  readonly after: string | undefined;
  readonly token: string | undefined;
}
