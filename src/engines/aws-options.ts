import { EmbatchError } from '../core/errors.js';
import type { Abortable } from '../core/interfaces.js';

/** What AWS takes of tags and roles, whichever service. Source: "Tagging AWS resources", IAM's API reference. */
const MAX_TAGS = 50;
const MAX_TAG_KEY = 128;
export const MAX_TAG_VALUE = 256;
const tagPattern = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const rolePattern = /^arn:aws[a-z-]*:iam::\d{12}:role\/?[a-zA-Z_0-9+=,.@\-_/]+$/;
const MAX_ROLE = 2048;

const usage = (message: string): EmbatchError => new EmbatchError('USAGE', `${message}.`);

/**
 * Tags as `--tags key=value` gives them. Error: USAGE.
 *
 * @param own how many tags embatch adds to them
 */
export function readTags(texts: readonly string[], own = 0): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    if (at < 1) throw usage(`--tags takes key=value, not "${text}"`);
    if (tags.has(key)) throw usage(`--tags names ${key} twice`);
    if (key.length > MAX_TAG_KEY || value.length > MAX_TAG_VALUE) {
      throw usage(
        `--tags ${key}: a key has at most ${MAX_TAG_KEY} characters and a value ${MAX_TAG_VALUE}; ` +
          `these have ${key.length} and ${value.length}`,
      );
    }
    if (!tagPattern.test(key) || !tagPattern.test(value)) {
      throw usage(`--tags "${text}": only letters, digits, spaces and _.:/=+-@ may be in a tag`);
    }
    if (/^aws:/i.test(key)) throw usage(`--tags ${key}: keys that begin with aws: are Amazon's own`);
    tags.set(key, value);
  }
  if (tags.size + own > MAX_TAGS) {
    const ours = own === 0 ? '' : `, ${own} of them embatch's own`;
    throw usage(`--tags names ${tags.size}; a job has at most ${MAX_TAGS}${ours}`);
  }
  return tags;
}

/** Error: USAGE. */
export function checkRole(role: string): string {
  if (role.length <= MAX_ROLE && rolePattern.test(role)) return role;
  throw usage(`--role must be an ARN such as arn:aws:iam::123456789012:role/embatch, not "${role}"`);
}

/** As the SDK calls it. */
export const toSend = ({ signal }: Abortable): { abortSignal?: AbortSignal } =>
  signal === undefined ? {} : { abortSignal: signal };
