import { basename, posix, resolve } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import { parseS3Uri } from '../../core/s3.js';
import { bundledModels, type BundledModel } from './bundled.js';

/** What a model reference names, before anything was looked up. */
export type ModelRef =
  | { readonly kind: 'bundled'; readonly name: BundledModel }
  /** As typed. */
  | { readonly kind: 'folder'; readonly path: string }
  /** `id` is `org/name`, or `name` alone for models that are older than organisations. */
  | { readonly kind: 'hub'; readonly id: string; readonly revision: string }
  /** `prefix` without slashes at its ends; empty for the whole bucket. */
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string };

export type HubRef = Extract<ModelRef, { kind: 'hub' }>;
export type S3Ref = Extract<ModelRef, { kind: 's3' }>;

export const DEFAULT_REVISION = 'main';

/** The hub's own limit on each half of a name. */
const MAX_NAME_LENGTH = 96;
const FORMS = `${bundledModels.join(', ')} (bundled), a folder, hf:org/name, hf:org/name@revision or s3://bucket/prefix`;

/** Reads a reference; touches neither disk nor network. Error: USAGE. */
export function parseModelRef(ref: string): ModelRef {
  if (ref.trim() === '') throw bad(ref, `it is empty. A model is ${FORMS}.`);
  const bundled = bundledModels.find((name) => name === ref);
  if (bundled !== undefined) return { kind: 'bundled', name: bundled };
  if (ref.startsWith('hf:')) return parseHubRef(ref);
  if (ref.startsWith('s3:')) return parseS3Ref(ref);
  const page = /^https?:\/\/(?:www\.)?(?:huggingface\.co|hf\.co)\/([^/?#]+\/[^/?#]+)/.exec(ref);
  if (page !== null) throw bad(ref, `a model of the Hugging Face Hub is written hf:${page[1] ?? ''}.`);
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(ref);
  if (scheme !== null) throw bad(ref, `${scheme[1] ?? ''}:// is not known. A model is ${FORMS}.`);
  return { kind: 'folder', path: ref };
}

/** The reference in its shortest form: what a user types, without the default revision. */
export function formatHubRef({ id, revision }: { readonly id: string; readonly revision: string }): string {
  return revision === DEFAULT_REVISION ? `hf:${id}` : `hf:${id}@${revision}`;
}

export function formatS3Ref({ bucket, prefix }: S3Ref): string {
  return prefix === '' ? `s3://${bucket}` : `s3://${bucket}/${prefix}`;
}

/** True for what could be a name on the hub, `org/name`. */
export function looksLikeHubId(text: string): boolean {
  return text.split('/').length === 2 && idProblem(text) === undefined && !text.startsWith('.');
}

function parseHubRef(ref: string): HubRef {
  const rest = ref.slice('hf:'.length);
  if (rest.startsWith('//')) throw bad(ref, `it is written without slashes: hf:${rest.replace(/^\/+/, '')}.`);
  const at = rest.indexOf('@');
  const id = at < 0 ? rest : rest.slice(0, at);
  const revision = at < 0 ? DEFAULT_REVISION : rest.slice(at + 1);
  const problem = idProblem(id) ?? revisionProblem(revision);
  if (problem !== undefined) throw bad(ref, `${problem}. Write hf:org/name or hf:org/name@revision.`);
  return { kind: 'hub', id, revision };
}

/** The model's name in recipes: a folder's own name, so that it is the same wherever the folder lies. Error: USAGE. */
export function modelId(ref: string): string {
  const parsed = parseModelRef(ref);
  switch (parsed.kind) {
    case 'bundled':
      return parsed.name;
    case 'hub':
      return parsed.id;
    case 's3':
      return posix.basename(parsed.prefix === '' ? parsed.bucket : parsed.prefix);
    case 'folder':
      return basename(resolve(parsed.path));
  }
}

/** Why `id` names no model of the hub; undefined where it may. The rules are the hub's own. */
function idProblem(id: string): string | undefined {
  const parts = id.split('/');
  if (id === '') return 'the name is missing';
  if (parts.length > 2) return 'a name has at most one slash';
  if (parts.some((part) => !/^[\w.-]+$/.test(part)))
    return 'a name consists of letters, digits, ".", "_" and "-"';
  if (parts.some((part) => /^[.-]|[.-]$/.test(part)))
    return 'no part of a name begins or ends with "." or "-"';
  if (id.includes('--') || id.includes('..')) return '"--" and ".." are in no name';
  if (parts.some((part) => part.length > MAX_NAME_LENGTH))
    return `no part of a name is longer than ${MAX_NAME_LENGTH}`;
  return undefined;
}

/** Git's own rules: a revision becomes a path below `refs/`. */
function revisionProblem(revision: string): string | undefined {
  if (revision === '') return 'the revision after "@" is missing';
  const isName = /^[^\s~^:?*[\\\p{Cc}]+$/u.test(revision) && !revision.includes('..');
  const isPath = revision.split('/').every((part) => part !== '' && part !== '.');
  return isName && isPath ? undefined : `"${revision}" is no branch, tag or commit`;
}

function parseS3Ref(ref: string): S3Ref {
  const location = parseS3Uri(ref);
  if (location === undefined) throw bad(ref, 'write s3://bucket/prefix.');
  return { kind: 's3', bucket: location.bucket, prefix: location.prefix.replace(/^\/+|\/+$/g, '') };
}

function bad(ref: string, problem: string): EmbatchError {
  return new EmbatchError('USAGE', `the model "${ref}" cannot be understood: ${problem}`);
}
