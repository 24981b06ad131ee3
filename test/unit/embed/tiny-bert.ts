import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { testData } from '../../support/paths.js';
import { writeSafetensors, type TestTensor } from '../../support/safetensors.js';
import { tempFolder } from '../../support/temp-folder.js';

export const tinyBert = testData('models/tiny-bert');
/** Of its token vectors. */
export const WIDTH = 16;

export interface TestModule {
  readonly type: string;
  readonly config?: unknown;
  readonly weights?: Readonly<Record<string, TestTensor>>;
}

/** A class by the name it had before version 5. */
export const old = (name: string): string => `sentence_transformers.models.${name}`;
export const pooling = (config: unknown = { pooling_mode: 'mean' }): TestModule => ({
  type: old('Pooling'),
  config,
});
export const normalize: TestModule = { type: old('Normalize') };

/** tiny-bert with these modules after its transformer. */
export async function withModules(
  t: TestContext,
  modules: readonly TestModule[],
  first = old('Transformer'),
): Promise<string> {
  const folder = await tempFolder(t);
  await cp(tinyBert, folder, { recursive: true });
  await rm(join(folder, '1_Pooling'), { recursive: true });
  const list = [{ idx: 0, name: '0', path: '', type: first }];
  for (const [index, { type, config, weights }] of modules.entries()) {
    const path = `${index + 1}_${type.split('.').at(-1) ?? ''}`;
    list.push({ idx: index + 1, name: String(index + 1), path, type });
    await mkdir(join(folder, path), { recursive: true });
    if (config !== undefined) await writeFile(join(folder, path, 'config.json'), JSON.stringify(config));
    if (weights !== undefined) await writeSafetensors(join(folder, path, 'model.safetensors'), weights);
  }
  await writeFile(join(folder, 'modules.json'), JSON.stringify(list));
  return folder;
}
