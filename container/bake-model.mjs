/** node bake-model.mjs MODEL FOLDER: fetches a model of the hub into a cache that any user may read. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [model, folder] = process.argv.slice(2);
const secret = '/run/secrets/hf_token';
mkdirSync(folder, { recursive: true });
if (model !== '') {
  if (!/^hf:[^@]+@./.test(model)) {
    throw new Error(
      `MODEL must be hf:org/name@revision, not "${model}": without a revision, two builds would differ`,
    );
  }
  const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
  const token = existsSync(secret) ? { HF_TOKEN: readFileSync(secret, 'utf8').trim() } : {};
  const { status } = spawnSync(process.execPath, [cli, 'models', 'pull', model], {
    stdio: 'inherit',
    env: { ...process.env, ...token, HF_HOME: folder },
  });
  if (status !== 0) throw new Error(`${model} could not be fetched; see above`);
  spawnSync('chmod', ['-R', 'a+rX', folder], { stdio: 'inherit' });
}
