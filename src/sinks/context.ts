export type { SinkContext } from '../core/interfaces.js';
