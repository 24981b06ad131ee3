/** How the program was called: by its name, or through npx where npm runs it. */
export function invocation(): string {
  return process.env['npm_config_user_agent'] === undefined ? 'embatch' : 'npx embatch';
}

/** As a word for the shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+( embatch)?$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
