"""Calibrates on calibration.json and writes model_int8_rowwise.onnx."""

import json

import numpy as np
import onnx
from scipy.special import erf

import gptq
from graph import AO, D, EPS, FF, FF1, FF2, HEADS, LAYERS, QKV, Product, WordTable, bias, build, weight, weights
from smoothing import fit

ROWS = 14_000  # sampled token rows for each input
GELU_SHIFT = -0.17  # just below the least value of GELU


def layer_norm(x, key):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPS)
    return (scaled * weights[key + ".weight"] + weights[key + ".bias"]).astype(np.float32)


def gelu(x):
    return (x * (erf(x / np.float32(np.sqrt(2))) + 1) * np.float32(0.5)).astype(np.float32)


def attention(q, k, v, spans):
    out = np.empty_like(q)
    for start, end in spans:
        heads = (t[start:end].reshape(end - start, HEADS, D // HEADS).transpose(1, 0, 2) for t in (q, k, v))
        qh, kh, vh = heads
        s = qh @ kh.transpose(0, 2, 1) / np.float32(np.sqrt(D // HEADS))
        s = np.exp(s - s.max(-1, keepdims=True))
        s /= s.sum(-1, keepdims=True)
        out[start:end] = (s @ vh).transpose(1, 0, 2).reshape(end - start, D)
    return out


def word_table(texts):
    """Columns equalised for the tokens of the calibration texts and, with the same weight, the whole vocabulary."""
    w = weights["embeddings.word_embeddings.weight"].astype(np.float64)
    seen = np.zeros(len(w))
    for ids in texts:
        np.add.at(seen, ids, 1 / len(ids))
    seen += seen.sum() / len(w)
    rows = np.random.default_rng(0).choice(len(w), size=16384, p=seen / seen.sum())
    reads = sum((weight(0, name) ** 2).sum(1) for name in QKV)
    importance = weights["embeddings.LayerNorm.weight"] ** 2 * (reads + reads.mean())
    shift, smooth = fit(w[rows].astype(np.float32), np.sqrt(importance)[:, None], rho=0, steps=300)
    z = (w - shift) / smooth
    widest = np.abs(z).max(1, keepdims=True) / 127
    best, scale = np.full(widest.shape, np.inf), widest
    for part in np.linspace(0.8, 1, 11):
        s = widest * part
        error = ((np.clip(np.round(z / s), -127, 127) * s - z) ** 2).sum(1, keepdims=True)
        scale, best = np.where(error < best, s, scale), np.minimum(error, best)
    q = np.clip(np.round(z / scale), -127, 127).astype(np.int8)
    return WordTable(shift, smooth, q, scale.astype(np.float32))


def quantise_group(x, fitted, matrices, levels=127):
    """One Product for each (W, b) of matrices; x: sampled fp32 rows; fitted: their shift and smooth."""
    shift, smooth = fitted
    z = (x - shift) / smooth
    hessian = (z.T @ z).astype(np.float64) / len(z)
    step = np.abs(z).max(1) / levels
    hessian += np.eye(len(hessian)) * (step**2).mean() / 12  # the noise of the quantised rows
    out = []
    for w, b in matrices:
        q, scale = gptq.quantise(w * smooth[:, None], hessian)
        out.append(Product(shift, smooth, q, scale, (b + shift @ w).astype(np.float32)))
    return out


def main():
    texts = json.load(open("calibration.json"))
    ends = np.cumsum([len(ids) for ids in texts])
    spans = [(end - len(ids), end) for end, ids in zip(ends, texts)]
    # Short texts count for more than their share of tokens: each of their tokens moves the mean further.
    share = np.concatenate([np.full(len(ids), len(ids) ** -0.5) for ids in texts])
    chosen = np.random.default_rng(1).choice(len(share), size=ROWS, replace=False, p=share / share.sum())
    chosen.sort()
    e = weights["embeddings.word_embeddings.weight"][np.concatenate(texts)]
    e = e + weights["embeddings.token_type_embeddings.weight"][0]
    e = e + weights["embeddings.position_embeddings.weight"][np.concatenate([np.arange(len(ids)) for ids in texts])]
    h = layer_norm(e, "embeddings.LayerNorm")
    products = []
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        spec = {}
        read = lambda name: (weight(layer, name), bias(layer, name))  # noqa: E731
        qkv = [read(name) for name in QKV]
        c = attention(*(h @ w + b for w, b in qkv), spans)
        wo, bo = read(AO)
        fitted = fit(c[chosen], wo)
        [spec[AO]] = quantise_group(c[chosen], fitted, [(wo, bo)])
        shift, smooth = fitted
        wv, bv = qkv[2]
        fitted = fit(h[chosen], np.concatenate([w for w, _ in qkv], axis=1))
        folded = [*qkv[:2], (wv / smooth, (bv - shift) / smooth)]
        spec.update(zip(QKV, quantise_group(h[chosen], fitted, folded)))
        h = layer_norm(c @ wo + bo + h, prefix + "attention.output.LayerNorm")
        w1, b1 = read(FF1)
        [spec[FF1]] = quantise_group(h[chosen], fit(h[chosen], w1), [(w1, b1)])
        f = gelu(h @ w1 + b1)
        w2, b2 = read(FF2)
        fitted = fit(f[chosen], w2, levels=255, shift=np.full(FF, GELU_SHIFT))
        [spec[FF2]] = quantise_group(f[chosen], fitted, [(w2, b2)], levels=255)
        h = layer_norm(f @ w2 + b2 + h, prefix + "output.LayerNorm")
        products.append(spec)
        print("layer", layer, flush=True)
    onnx.save(build(products, word_table(texts)), "model_int8_rowwise.onnx")


if __name__ == "__main__":
    main()
