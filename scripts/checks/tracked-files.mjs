/** Nothing that is true on one machine only belongs in the project. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { capture } from '../lib/process.mjs';
import { at, root } from '../lib/project.mjs';

const escaped = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

const forbidden = [
  {
    pattern: new RegExp(`(?<![\\w/.])(${escaped(root)}|${escaped(os.homedir())})/`),
    what: 'a path of this machine',
  },
  // /home/node is the home in Node's container images.
  { pattern: /(?<![\w/.~])\/(home\/(?!node\b)|Users\/|work\/)\w/, what: 'a path of somebody’s machine' },
  {
    pattern: /https?:\/\/[^\s"'`)]*(regist[r]y|pyp[i]|mave[n]|crate[s])/i,
    what: 'the address of a package registry',
  },
];

/** @returns {Promise<string[]>} what is wrong, one line each */
export async function checkTrackedFiles() {
  const { stdout } = await capture('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  return stdout
    .split('\0')
    .filter((name) => name !== '' && name !== 'package-lock.json')
    .flatMap((name) => findings(name, readIfText(name)));
}

function readIfText(name) {
  try {
    const text = readFileSync(at(name), 'utf8');
    return text.includes('\0') ? '' : text;
  } catch (error) {
    // Deleted but not yet committed; a link to a folder.
    if (error.code === 'ENOENT' || error.code === 'EISDIR') return '';
    throw error;
  }
}

const findings = (name, text) =>
  text
    .split('\n')
    .flatMap((line, index) =>
      forbidden
        .filter(({ pattern }) => pattern.test(line))
        .map(({ what }) => `${name}:${String(index + 1)}: ${what}: ${line.trim().slice(0, 100)}`),
    );
