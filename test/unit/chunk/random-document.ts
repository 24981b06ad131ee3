import type { Document, Heading } from '#embatch/core/interfaces.js';
import { documentOf } from './support.js';

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Script {
  readonly letters: string;
  readonly space: string;
  readonly stop: string;
}

const scripts: readonly Script[] = [
  { letters: 'etaoinshrdlucmfwypvbgkjqxz', space: ' ', stop: '. ' },
  { letters: 'оеаинтсрвлкмдпуяыьгзбчйхжшюцщэф', space: ' ', stop: '. ' },
  { letters: 'ابتثجحخدذرزسشصضطظعغفقكلمنهوي', space: ' ', stop: '؟ ' },
  { letters: 'की हिन्दी में देवनागरी लिपि', space: ' ', stop: '। ' },
  { letters: '的一是在不了有和人这中大为上个国我以要他', space: '', stop: '。' },
  { letters: 'กขคงจฉชซญดตถทธนบปผพฟมยรลวศสห', space: '', stop: ' ' },
  { letters: 'e\u0301a\u0308o\u0302\u0323n\u0303', space: '\u00a0', stop: '! ' },
];

const oddities = [
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}\u200d\u{1f466}',
  '\u{1f600}'.repeat(40),
  '\u{1d54f}\u{1d550}',
  '\ud83d',
  '\udc00x',
  '\u0000',
  '\u200b',
  `z${'\u0335\u0321\u034f'.repeat(60)}`,
  'https://example.org/a/b?c=d&e=%20#f',
  '| a | b |\n|---|---|',
  '```\nconst x = 1;\n```',
  '\t\t\t',
  '\r\n\r\n',
  '\r',
  '\u2029',
  '\ufeff',
  '-'.repeat(300),
] as const;

/** A document of several scripts with headings, long words and what else breaks cutters. */
export function randomDocument(seed: number, words: number): Document {
  const random = randomNumbers(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;

  const headings: Heading[] = [];
  let text = pick(['', '\n\n ', '']);
  let script = pick(scripts);
  const word = (length: number): string => {
    const letters = Array.from(script.letters.replaceAll(' ', ''));
    return Array.from({ length }, () => pick(letters)).join('');
  };
  for (let count = 0; count < words; count++) {
    const event = random();
    if (event < 0.01) script = pick(scripts);
    if (event < 0.02) {
      text += '\n\n';
      const heading = `${word(5)} ${word(4)}`;
      headings.push({ start: text.length, level: 1 + below(4), text: heading });
      text += `${heading}\n`;
    } else if (event < 0.03) {
      text += word(200 + below(1200));
    } else if (event < 0.05) {
      text += pick(oddities);
    } else if (event < 0.07) {
      text += pick(['\n\n', '\n', '\r\n\r\n', '\n- ', '     \n\n\n']);
    } else if (event < 0.14) {
      text += script.stop;
    } else {
      text += word(1 + below(9)) + script.space;
    }
  }
  return documentOf(text, { headings });
}
