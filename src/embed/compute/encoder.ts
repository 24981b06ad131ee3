/** Which side of a search a text stands on; `plain` for neither: no prompt. */
export type Side = 'document' | 'query' | 'plain';

/** Makes vectors of some inputs that fit into one call. */
export interface BatchEncoder {
  /**
   * @param rows token ids of each input, at least one each
   * @param promptTokens tokens at the start of every row that belong to the prompt
   * @returns one vector per row, before the steps that follow pooling
   */
  encode(rows: readonly Int32Array[], side: Side, promptTokens: number): Promise<Float32Array[]>;
}
