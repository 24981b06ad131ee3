/**
 * node scripts/docs.mjs [--check]
 * Writes docs/options.md from the declarations of the options; with --check says whether it is in step.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { format } from 'prettier';
import { build } from './build.mjs';
import { runMain, ScriptError } from './lib/process.mjs';
import { at, isMain } from './lib/project.mjs';

const file = 'docs/options.md';

/** @param {{ check?: boolean }} [options] `check`: fail where the page is out of step instead of writing it */
export async function docs({ check = false } = {}) {
  await build();
  const page = await render();
  if (readOrEmpty(file) === page) return;
  if (check)
    throw new ScriptError(`${file} is out of step with src/core/options.ts: run node scripts/docs.mjs`);
  writeFileSync(at(file), page);
  console.error(`wrote ${file}`);
}

async function render() {
  const load = (name) => import(pathToFileURL(at('dist/core', name)).href);
  const { options } = await load('options.js');
  const { optionGroups } = await load('option-kinds.js');
  const names = await load('option-names.js');
  const entries = Object.entries(options);
  const sections = optionGroups.map((group) => {
    const rows = entries
      .filter(([, spec]) => spec.group === group)
      .map(([name, spec]) => row(name, spec, names));
    return [`## ${group}`, '', ...head, ...rows].join('\n');
  });
  return format([introduction, ...sections].join('\n\n'), { parser: 'markdown', printWidth: 110 });
}

const introduction = `# Options

Every option of \`embatch run\` and \`embatch search\`: the flag, the environment variable, the key in a job file,
and what is used where nothing is given. A flag wins over the variable, the variable over the job file, the job
file over the default ([commands](commands.md)). This page is generated from the declarations in the code, so it
is always in step with \`embatch run --help\`.

Sizes are written \`64KiB\`, \`10MB\` (a bare number counts bytes), durations \`500ms\`, \`3s\`, \`5m\` (the unit is
required). Flags have a twin that switches them off: \`--no-progress\`, \`--no-json\`. A list is repeated as a flag
(\`--include '*.md' --include '*.txt'\`), separated by commas in a variable, and an array in a job file.`;

const head = [
  '| Flag | Variable | Key | Default | Commands | What it does |',
  '| --- | --- | --- | --- | --- | --- |',
];

function row(name, spec, { kebabCase, variableName }) {
  const off = spec.kind === 'flag' && spec.default === true;
  const flag = `--${off ? 'no-' : ''}${kebabCase(name)}${spec.value === '' ? '' : ` ${spec.value}`}`;
  const cells = [
    code(flag),
    code(variableName(name)),
    code(name),
    defaultOf(spec),
    spec.commands.join(', '),
    spec.describe,
  ];
  return `| ${cells.map(cell).join(' | ')} |`;
}

function defaultOf({ kind, default: value }) {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '';
  if (kind === 'size') return code(`${String(value / 2 ** 20)}MiB`);
  if (kind === 'duration')
    return code(value % 60_000 === 0 ? `${String(value / 60_000)}m` : `${String(value)}ms`);
  return code(String(value));
}

const code = (text) => `\`${text}\``;

/** A bar would end the cell, also within code. */
const cell = (text) => text.replaceAll('|', String.raw`\|`);

function readOrEmpty(name) {
  try {
    return readFileSync(at(name), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

if (isMain(import.meta.url)) await runMain(() => docs({ check: process.argv.includes('--check') }));
