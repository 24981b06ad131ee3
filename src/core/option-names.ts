/** `chunkTokens` → `chunk-tokens`. */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `chunkTokens` → `EMBATCH_CHUNK_TOKENS`. */
export function variableName(name: string): string {
  return `EMBATCH_${kebabCase(name).replaceAll('-', '_').toUpperCase()}`;
}
