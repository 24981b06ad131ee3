/** What a module of your own needs: the contracts, and the error whose code decides how a run ends. */
export { EmbatchError, isEmbatchError, type ErrorCode } from './core/errors.js';
export type * from './core/interfaces.js';
