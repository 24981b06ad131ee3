import { component } from '../checks.js';
import type { Component } from '../tokenizer-file.js';
import { compilePattern } from './pattern.js';
import { precompiled } from './precompiled.js';
import { Unsupported, refuseType } from './unsupported.js';
import { CONTROL, MARK, WHITE_SPACE, normalizeForm } from './unicode.js';

export type Normalize = (text: string) => string;

/** @throws Unsupported */
export function createNormalizer(config: Component | null): Normalize {
  if (config === null) return (text) => text;
  const type = config['type'];
  switch (type) {
    case 'Sequence': {
      const parts = Array.isArray(config['normalizers']) ? (config['normalizers'] as unknown[]) : [];
      const steps = parts.map((part) => createNormalizer(component(part)));
      return (text) => steps.reduce((current, step) => step(current), text);
    }
    case 'BertNormalizer':
      return bertNormalizer(config);
    case 'Lowercase':
      return lowercase;
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (text) => normalizeForm(text, type);
    case 'Strip':
      return strip(config['strip_left'] === true, config['strip_right'] === true);
    case 'Prepend':
      return prepend(config['prepend']);
    case 'Precompiled':
      return precompiled(config);
    case 'Replace':
      return replace(config);
    default:
      return refuseType('normalizer', type);
  }
}

/** Each character alone: unlike JavaScript, the reference has no rule for a sigma at the end of a word. */
function lowercase(text: string): string {
  return text.replaceAll('Σ', 'σ').toLowerCase();
}

const ANY_WHITE_SPACE = new RegExp(WHITE_SPACE, 'gu');

/** The reference's ranges, its misprint 2B920 for 2B820 included. */
const CHINESE =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

function bertNormalizer(config: Component): Normalize {
  const lower = config['lowercase'] === true;
  const steps: Normalize[] = [];
  if (config['clean_text'] === true) {
    steps.push((text) => text.replace(CONTROL, '').replace(ANY_WHITE_SPACE, ' '));
  }
  if (config['handle_chinese_chars'] === true) steps.push((text) => text.replace(CHINESE, ' $& '));
  if ((config['strip_accents'] ?? lower) === true) {
    steps.push((text) => normalizeForm(text, 'NFD').replace(MARK, ''));
  }
  if (lower) steps.push(lowercase);
  return (text) => steps.reduce((current, step) => step(current), text);
}

function strip(left: boolean, right: boolean): Normalize {
  const leading = new RegExp(`^${WHITE_SPACE}+`, 'u');
  return (text) => {
    const rest = left ? text.replace(leading, '') : text;
    return right ? trimEnd(rest) : rest;
  };
}

const ONE_WHITE_SPACE = new RegExp(WHITE_SPACE, 'u');

/** A pattern with `+$` would try again from every space within the text. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && ONE_WHITE_SPACE.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

function prepend(value: unknown): Normalize {
  if (typeof value !== 'string') throw new Unsupported('a Prepend normalizer without a text to put in front');
  return (text) => (text === '' ? '' : value + text);
}

function replace(config: Component): Normalize {
  const find = compilePattern(config['pattern']);
  const replacement = config['content'];
  if (typeof replacement !== 'string') throw new Unsupported('a Replace normalizer without a replacement');
  return (text) => {
    let replaced = '';
    let end = 0;
    for (const match of find(text)) {
      replaced += text.slice(end, match.index) + replacement;
      end = match.index + match[0].length;
    }
    return replaced + text.slice(end);
  };
}
