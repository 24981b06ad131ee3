/** Reads what `node --cpu-prof` wrote. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * Seconds of the main thread, in all profiles of a folder, that a function of a file below `part`, or what it called,
 * was at work. Of several threads the one with the command line is the first: workers write profiles of their own.
 * @param {string} folder
 * @param {string} part of a file's URL, such as `dist/ledger/`
 */
export async function profileShare(folder, part) {
  const names = await readdir(folder);
  // CPU.date.time.pid.THREAD.sequence.cpuprofile; the main thread has the number 0.
  const main = names.filter((name) => name.split('.')[4] === '0');
  if (main.length === 0) throw new Error(`no profile of a main thread in ${folder}: ${names.join(', ')}`);
  let microseconds = 0;
  for (const name of main) {
    const profile = JSON.parse(await readFile(path.join(folder, name), 'utf8'));
    const inside = within(profile.nodes, part);
    profile.samples.forEach((node, index) => {
      if (inside.has(node)) microseconds += profile.timeDeltas[index];
    });
  }
  return microseconds / 1e6;
}

/** Ids of the nodes of the call tree in `part`, and of all below them. */
function within(nodes, part) {
  const inside = new Set();
  // Parents come before their children.
  for (const { id, callFrame, children = [] } of nodes) {
    if (callFrame.url.includes(part)) inside.add(id);
    if (inside.has(id)) for (const child of children) inside.add(child);
  }
  return inside;
}
