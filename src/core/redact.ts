/** Takes user and password, and signatures in a query, out of anything that looks like a URI. */
export function redactUri(text: string): string {
  return text
    .replace(/(\w:\/\/)[^/@\s]+@/g, '$1(redacted)@')
    .replace(
      /([?&](?:[\w-]*(?:token|signature|credential|password|secret|key)[\w-]*)=)[^&\s]+/gi,
      '$1(redacted)',
    );
}
