/**
 * Takes out of node_modules what embatch never loads on this platform: half of it. What is taken out is told by name, and
 * a name that is not there any more is an error, so that this list does not outlive its reasons.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { platform, arch } = process;
const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));

/** Embedding functions of LanceDB's own, which it loads when they are asked for. We never ask. */
const unused = { 'node_modules/@lancedb/lancedb': ['@huggingface/transformers', 'openai'] };

/** The package that `name` is to those in the folder `from`; undefined where it was not installed for this platform. */
function resolve(from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules') - 1))) {
    const candidate = path.posix.join(folder, 'node_modules', name);
    if (packages[candidate] !== undefined) return candidate;
    if (folder === '') return undefined;
  }
}

function needed() {
  const found = new Set();
  const visit = (from) => {
    const { dependencies, optionalDependencies, peerDependencies } = packages[from];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const to = unused[from]?.includes(name) ? undefined : resolve(from, name);
      if (to === undefined || found.has(to)) continue;
      found.add(to);
      visit(to);
    }
  };
  visit('');
  return found;
}

/** Entries of a folder but those that `keep` names. */
function othersIn(folder, keep) {
  const names = readdirSync(path.join(root, folder));
  const others = names.filter((name) => !keep(name));
  if (others.length === names.length) throw new Error(`${folder} has nothing for ${platform} ${arch}`);
  return others.map((name) => path.posix.join(folder, name));
}

const isLibrary = (name) => name.endsWith('.node');
const runtime = 'node_modules/onnxruntime-node/bin/napi-v6';
const keep = needed();
for (const [from, names] of Object.entries(unused)) {
  const missing = names.filter((name) => packages[from]?.optionalDependencies?.[name] === undefined);
  if (missing.length > 0) throw new Error(`${from} does not name ${missing.join(', ')} any more`);
}
const removed = [
  ...Object.keys(packages).filter((name) => name !== '' && !keep.has(name)),
  ...othersIn(runtime, (name) => name === platform),
  ...othersIn(`${runtime}/${platform}`, (name) => name === arch),
  ...othersIn(
    'node_modules/tokenizers',
    (name) => !isLibrary(name) || name.includes(`.${platform}-${arch}-gnu.`),
  ),
];
for (const name of removed) rmSync(path.join(root, name), { recursive: true, force: true });

/** Nothing reads types and source maps when it runs. */
for (const entry of readdirSync(path.join(root, 'node_modules'), { recursive: true, withFileTypes: true })) {
  if (entry.isFile() && /\.(d\.[cm]?ts|map)$/.test(entry.name))
    rmSync(path.join(entry.parentPath, entry.name));
}
