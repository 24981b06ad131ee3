import type { Abortable } from '../../core/interfaces.js';

/** As the SDK calls it. */
export const toSend = ({ signal }: Abortable): { abortSignal?: AbortSignal } =>
  signal === undefined ? {} : { abortSignal: signal };
