#!/usr/bin/env node
import { readFileSync } from 'node:fs';

/** Answers `--version` without loading anything: container probes and shells ask for it all the time. */
const [, , first, ...rest] = process.argv;
if ((first === '--version' || first === '-V') && rest.length === 0) {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  process.stdout.write(`${(JSON.parse(manifest) as { version: string }).version}\n`);
} else {
  const { main } = await import('./program.js');
  process.exitCode = await main(process.argv.slice(2));
}
