/**
 * The reference library carries Unicode tables of several ages, none of them that of Node. Where they differ,
 * characters are treated as the reference does, so that ids are equal on every Node.
 */

/** White space is the same set in both. JavaScript's own `\s` is another one: it has U+FEFF and lacks U+0085. */
export const WHITE_SPACE = '\\p{White_Space}';
