import { options as declared, type Options } from '#embatch/core/options.js';

/** Every option as it is where nothing was given, but for `given`. */
export function defaultOptions(given: Partial<Options> = {}): Options {
  const defaults = Object.entries(declared).map(([name, spec]) => [name, spec.default]);
  // fromEntries does not know that each name has the type of its own default.
  return { ...Object.fromEntries(defaults), ...given } as Options;
}
