import type { Logger } from '../core/interfaces.js';

/** What an engine is told of the process that uses it. */
export interface EngineContext {
  readonly log: Logger;
  /** Credentials and addresses are taken from here, as the engine's own tools do. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}
