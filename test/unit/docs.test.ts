import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exitCodes } from '#embatch/core/exit-codes.js';
import { errorCodes } from '#embatch/core/errors.js';
import { kebabCase, variableName } from '#embatch/core/option-names.js';
import { options } from '#embatch/core/options.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const pages = ['README.md', ...markdownBelow('docs')];

function markdownBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
}

const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');

/** What the design describes beyond this version is marked there; the other pages speak of what there is. */
const present = pages.filter((page) => page !== join('docs', 'design.md'));

const names = Object.keys(options);
const flags = new Set([
  '--help',
  '--version',
  ...names.flatMap((name) => [`--${kebabCase(name)}`, `--no-${kebabCase(name)}`]),
]);
const variables = new Set(names.map(variableName));

test('the manual is there', () => {
  assert.ok(pages.length > 20, `only ${pages.length} pages`);
});

test('every flag in an embatch command, or quoted by itself, is an option', () => {
  for (const page of present) {
    const text = textOf(page);
    const commands = [...text.matchAll(/\bembatch (?:run|search|models)\b(?:[^\n]*\\\n)*[^\n]*/g)].map(
      ([line]) => line,
    );
    const quoted = [...text.matchAll(/`(--[a-z][^`]*)`/g)].map(([, code]) => code ?? '');
    for (const code of [...commands, ...quoted].map(ownPart)) {
      for (const [flag] of code.matchAll(/(?<![\w-])--[a-z][a-z0-9-]*/g)) {
        assert.ok(foreignFlags.has(flag) || flags.has(flag), `${page}: ${flag} in ${JSON.stringify(code)}`);
      }
    }
  }
});

/** Docker's and Slurm's own, which the manual mentions by themselves. */
const foreignFlags = new Set(['--cpus', '--read-only', '--array']);

/** Without what follows in a pipe or as another command. */
function ownPart(code: string): string {
  return code.split(/ \| | \|\| | && | # /)[0] ?? '';
}

test('every EMBATCH_ variable is that of an option', () => {
  for (const page of pages) {
    for (const [name] of textOf(page).matchAll(/\bEMBATCH_[A-Z][A-Z_]*[A-Z]\b/g)) {
      assert.ok(variables.has(name), `${page}: ${name}`);
    }
  }
});

test('every camelCase key of a job file is an option', () => {
  for (const page of present) {
    for (const [, yaml = ''] of textOf(page).matchAll(/```yaml\n# job\.yaml\n([^`]*)```/g)) {
      for (const [, key = ''] of yaml.matchAll(/^(\w+):/gm))
        assert.ok(names.includes(key), `${page}: ${key}`);
    }
  }
});

test('docs/options.md names every option with its variable', () => {
  const text = textOf(join('docs', 'options.md'));
  for (const name of names) {
    assert.match(text, new RegExp(`--(no-)?${kebabCase(name)}\\b`), name);
    assert.ok(text.includes(`\`${variableName(name)}\``), name);
  }
});

/** Codes that the shell, the kernel or native code give, not embatch. */
const foreignCodes = [126, 127, 134, 137, 139];

test('every exit code that is mentioned exists, and every one that exists has its line', () => {
  const known = new Set<number>([...Object.values(exitCodes), ...foreignCodes]);
  for (const page of present) {
    const mentioned = textOf(page).matchAll(
      /\b(?:exit code|ends with|exit codes)\s+(\d+)(?:(?: or |, )(\d+))?/gi,
    );
    for (const [phrase, ...codes] of mentioned) {
      for (const code of codes.filter(Boolean)) {
        assert.ok(known.has(Number(code)), `${page}: ${phrase}`);
      }
    }
  }
  const table = textOf(join('docs', 'exit-codes.md'));
  for (const code of Object.values(exitCodes)) assert.match(table, new RegExp(`^\\| ${code} `, 'm'));
});

test('the error codes of the summary are all named', () => {
  const text = textOf(join('docs', 'commands.md'));
  for (const code of errorCodes) assert.ok(text.includes(`\`${code}\``), code);
});

test('every relative link leads to a file, and to a heading where it names one', () => {
  for (const page of pages) {
    for (const [, target = ''] of textOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? join(root, page) : resolve(root, dirname(page), path);
      assert.ok(existsSync(file), `${page}: ${target}`);
      assert.ok(!relative(root, file).startsWith('..'), `${page}: ${target} leaves the project`);
      if (anchor !== undefined) assert.ok(anchorsOf(file).includes(anchor), `${page}: ${target}`);
    }
  }
});

/** As GitHub makes them. */
function anchorsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8').replace(/^```[^]*?^```/gm, '');
  return [...text.matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

test('the index of the manual leads to every page', () => {
  const index = textOf(join('docs', 'README.md'));
  for (const page of markdownBelow('docs')) {
    const target = relative('docs', page).replaceAll('\\', '/');
    if (target === 'README.md' || page.endsWith('dependencies.md')) continue;
    assert.ok(index.includes(`](${target})`), `docs/README.md does not link to ${target}`);
  }
});

test('the README names the two commands of a new user', () => {
  const text = textOf('README.md');
  assert.match(text, /^npm start$/m);
  assert.match(text, /^npm test$/m);
  assert.match(text, /ONNXRUNTIME_NODE_INSTALL=skip/);
});
