"""Makes the models `graph-*` beside this file: graphs that no real tiny model offers.

    python -m venv /tmp/graphs && /tmp/graphs/bin/pip install onnx numpy tokenizers
    /tmp/graphs/bin/python test/data/models/make-graphs.py

Every folder holds a whole model of a few kilobytes with random weights, and a `reference.json` with the vectors of
some texts. Those are computed here in float64 with numpy, one text at a time and without padding, by the rules of
the reference implementation and from the same weights; ONNX has no part in them. A run gives the same files again.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from tokenizers import Tokenizer

HERE = Path(__file__).parent
WIDTH = 8
POSITIONS = 32
OPSET = 17
IR_VERSION = 9
FLOAT, FLOAT16 = TensorProto.FLOAT, TensorProto.FLOAT16
INT32, INT64, BOOL = TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL
MASKED = -1e9

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["the", "of", "small", "hello", "world", "graph", "vector", ".", "?", ":"]
VOCABULARY = list(dict.fromkeys([*SPECIAL, *WORDS, *LETTERS, *("##" + letter for letter in LETTERS)]))

TEXTS = {
    "hello": "hello world",
    "empty": "",
    "char": "a",
    "unknown": "漢字",
    "sentence": "The vector of a small graph is small.",
    "question": "Which graph?",
    "long": "hello world, the graph of the world is a vector of small worlds. " * 3,
}


# ---- weights -------------------------------------------------------------------------------------------------------


class Weights(dict):
    """Named float32 weights, drawn in the order in which they are asked for."""

    def __init__(self, seed):
        super().__init__()
        self.random = np.random.default_rng(seed)

    def draw(self, name, *shape, scale=0.6):
        self[name] = (self.random.standard_normal(shape) * scale).astype(np.float32)

    def __getattr__(self, name):
        return self[name].astype(np.float64)


def embedding_weights(seed, types=False):
    weights = Weights(seed)
    weights.draw("tokens", len(VOCABULARY), WIDTH)
    weights.draw("positions", POSITIONS, WIDTH)
    if types:
        weights.draw("types", 2, WIDTH)
    for name in ("query", "key", "value"):
        weights.draw(name, WIDTH, WIDTH, scale=0.4)
    return weights


# ---- the reference, in numpy ---------------------------------------------------------------------------------------


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def unit(vector):
    return vector / max(np.linalg.norm(vector), 1e-12)


def reference_encoder(weights, ids):
    """Hidden states [tokens, width] of one text: one layer, every token sees every token."""
    hidden = weights.tokens[ids] + weights.positions[: len(ids)]
    if "types" in weights:
        hidden = hidden + weights.types[0]
    scores = (hidden @ weights.query) @ (hidden @ weights.key).T / np.sqrt(WIDTH)
    return hidden + np.tanh(softmax(scores) @ (hidden @ weights.value))


HEADS, KEY_HEADS, HEAD_SIZE, LAYERS = 4, 2, 3, 2


def decoder_weights(seed):
    weights = Weights(seed)
    weights.draw("tokens", len(VOCABULARY), WIDTH)
    weights.draw("positions", POSITIONS, WIDTH)
    for layer in range(LAYERS):
        weights.draw(f"query{layer}", WIDTH, HEADS * HEAD_SIZE)
        weights.draw(f"key{layer}", WIDTH, KEY_HEADS * HEAD_SIZE)
        weights.draw(f"value{layer}", WIDTH, KEY_HEADS * HEAD_SIZE)
        weights.draw(f"out{layer}", HEADS * HEAD_SIZE, WIDTH)
    return weights


def reference_decoder(weights, ids):
    """Hidden states [tokens, width]: every token sees itself and those before it; two heads share keys and values."""
    count = len(ids)
    hidden = weights.tokens[ids] + weights.positions[:count]
    for layer in range(LAYERS):
        query = (hidden @ weights[f"query{layer}"].astype(np.float64)).reshape(count, HEADS, HEAD_SIZE)
        key = (hidden @ weights[f"key{layer}"].astype(np.float64)).reshape(count, KEY_HEADS, HEAD_SIZE)
        value = (hidden @ weights[f"value{layer}"].astype(np.float64)).reshape(count, KEY_HEADS, HEAD_SIZE)
        mixed = np.zeros((count, HEADS, HEAD_SIZE))
        for head in range(HEADS):
            shared = head // (HEADS // KEY_HEADS)
            for token in range(count):
                scores = key[: token + 1, shared] @ query[token, head] / np.sqrt(HEAD_SIZE)
                mixed[token, head] = softmax(scores) @ value[: token + 1, shared]
        hidden = hidden + np.tanh(mixed.reshape(count, -1) @ weights[f"out{layer}"].astype(np.float64))
    return hidden


# ---- graphs --------------------------------------------------------------------------------------------------------


class Graph:
    """Collects nodes and weights; every operation gives the name of its output."""

    def __init__(self, weights=None, stored=np.float32):
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.stored = stored
        self.weights = weights or {}

    def input(self, name, kind, shape):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, source, name, kind, shape):
        self.nodes.append(helper.make_node("Identity", [source], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def constant(self, value, kind=np.int64):
        name = f"constant{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(value, dtype=kind), name))
        return name

    def weight(self, name):
        if not any(tensor.name == name for tensor in self.initializers):
            value = self.weights[name].astype(self.stored)
            self.initializers.append(numpy_helper.from_array(value, name))
        return name if self.stored == np.float32 else self.op("Cast", name, to=FLOAT)

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"{kind.lower()}{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def size(self, name, axis):
        """Length of an axis, as a tensor of shape [1]."""
        return self.op("Gather", self.op("Shape", name), self.constant([axis]))

    def up_to(self, length):
        """0, 1, … below a length of shape [1]."""
        scalar = self.op("Squeeze", length, self.constant([0]))
        return self.op("Range", self.constant(0), scalar, self.constant(1))

    def model(self):
        graph = helper.make_graph(self.nodes, "fixture", self.inputs, self.outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        model.producer_name = "make-graphs.py"
        onnx.checker.check_model(model, full_check=True)
        return model


def attend(graph, query, key, value, allowed, size):
    scores = graph.op("MatMul", query, key)
    scores = graph.op("Div", scores, graph.constant(np.sqrt(size), np.float32))
    scores = graph.op("Where", allowed, scores, graph.constant(MASKED, np.float32))
    return graph.op("MatMul", graph.op("Softmax", scores, axis=-1), value)


def encoder(graph, kind=INT64):
    """The graph of `reference_encoder`, with a batch axis and a mask."""
    ids = graph.input("input_ids", kind, ["batch", "sequence"])
    mask = graph.input("attention_mask", kind, ["batch", "sequence"])
    hidden = graph.op("Gather", graph.weight("tokens"), ids)
    places = graph.op("Gather", graph.weight("positions"), graph.up_to(graph.size(ids, 1)))
    hidden = graph.op("Add", hidden, places)
    if "types" in graph.weights:
        types = graph.input("token_type_ids", kind, ["batch", "sequence"])
        hidden = graph.op("Add", hidden, graph.op("Gather", graph.weight("types"), types))
    query, key, value = (graph.op("MatMul", hidden, graph.weight(name)) for name in ("query", "key", "value"))
    allowed = graph.op("Cast", graph.op("Unsqueeze", mask, graph.constant([1])), to=BOOL)
    turned = graph.op("Transpose", key, perm=[0, 2, 1])
    mixed = attend(graph, query, turned, value, allowed, WIDTH)
    return graph.op("Add", hidden, graph.op("Tanh", mixed)), mask


def mean_of(graph, hidden, mask):
    """[batch, width]: the mean over unmasked positions."""
    factors = graph.op("Cast", graph.op("Unsqueeze", mask, graph.constant([2])), to=FLOAT)
    total = graph.op("ReduceSum", graph.op("Mul", hidden, factors), graph.constant([1]), keepdims=0)
    return graph.op("Div", total, graph.op("ReduceSum", factors, graph.constant([1]), keepdims=0))


def decoder(graph, cached):
    """The graph of `reference_decoder`. Heads of keys and values are counted by the cache where there is one."""
    ids = graph.input("input_ids", INT64, ["batch", "sequence"])
    mask = graph.input("attention_mask", INT64, ["batch", "total"])
    places = graph.input("position_ids", INT64, ["batch", "sequence"])
    hidden = graph.op("Gather", graph.weight("tokens"), ids)
    hidden = graph.op("Add", hidden, graph.op("Gather", graph.weight("positions"), places))
    batch, count, total = graph.size(ids, 0), graph.size(ids, 1), graph.size(mask, 1)
    past = graph.op("Sub", total, count)
    own = graph.op("Add", graph.up_to(count), past)
    causal = graph.op("LessOrEqual", graph.up_to(total), graph.op("Unsqueeze", own, graph.constant([1])))
    seen = graph.op("Cast", graph.op("Unsqueeze", mask, graph.constant([1])), to=BOOL)
    # [batch, key heads, heads that share one, sequence, total]
    allowed = graph.op("Unsqueeze", graph.op("And", causal, seen), graph.constant([1, 2]))
    presents = []
    for layer in range(LAYERS):
        axes = (KEY_HEADS, HEAD_SIZE) if layer == 1 else ("heads", "head_size")
        earlier = {}
        if cached:
            for name in ("key", "value"):
                shape = ["batch", axes[0], "past", axes[1]]
                earlier[name] = graph.input(f"past_key_values.{layer}.{name}", FLOAT, shape)
            heads, size = graph.size(earlier["key"], 1), graph.size(earlier["key"], 3)
        else:
            heads, size = graph.constant([KEY_HEADS]), graph.constant([HEAD_SIZE])
        split = graph.op("Concat", batch, count, heads, size, axis=0)
        grouped = graph.op("Concat", batch, count, heads, graph.constant([-1]), size, axis=0)
        now = {}
        for name in ("key", "value"):
            flat = graph.op("MatMul", hidden, graph.weight(f"{name}{layer}"))
            now[name] = graph.op("Transpose", graph.op("Reshape", flat, split), perm=[0, 2, 1, 3])
            if cached:
                now[name] = graph.op("Concat", earlier[name], now[name], axis=2)
                presents.append((f"present.{layer}.{name}", now[name]))
        flat = graph.op("MatMul", hidden, graph.weight(f"query{layer}"))
        query = graph.op("Transpose", graph.op("Reshape", flat, grouped), perm=[0, 2, 3, 1, 4])
        key = graph.op("Transpose", graph.op("Unsqueeze", now["key"], graph.constant([2])), perm=[0, 1, 2, 4, 3])
        value = graph.op("Unsqueeze", now["value"], graph.constant([2]))
        mixed = graph.op("Transpose", attend(graph, query, key, value, allowed, HEAD_SIZE), perm=[0, 3, 1, 2, 4])
        joined = graph.op("Reshape", mixed, graph.op("Concat", batch, count, graph.constant([-1]), axis=0))
        step = graph.op("Tanh", graph.op("MatMul", joined, graph.weight(f"out{layer}")))
        hidden = graph.op("Add", hidden, step)
    return hidden, presents


# ---- folders -------------------------------------------------------------------------------------------------------


def tokenizer_json(opening):
    """WordPiece that spells what it does not know; the first id is [CLS] only where texts are opened."""
    special = [
        {"id": index, "content": token, "special": True}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for index, token in enumerate(SPECIAL)
    ]
    template = [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    if opening:
        template.insert(0, {"SpecialToken": {"id": "[CLS]", "type_id": 0}})
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": template,
            "pair": [*template, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                token: {"id": token, "ids": [VOCABULARY.index(token)], "tokens": [token]}
                for token in ("[CLS]", "[SEP]")
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: index for index, token in enumerate(VOCABULARY)},
        },
    }


def write_json(file, value, indent=None):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def write_model(name, model, vector_of, *, pooling=None, config=None, opening=True, left=False, normalize=False,
                graph="model.onnx", others=None):
    """Writes a whole folder. `vector_of` gives the vector of a text's token ids, or several by their name."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / graph).write_bytes(model.SerializeToString())
    base = {"model_type": "bert", "hidden_size": WIDTH, "max_position_embeddings": POSITIONS, "pad_token_id": 0}
    write_json(folder / "config.json", base | (config or {}))
    side = {"padding_side": "left"} if left else {}
    write_json(folder / "tokenizer_config.json", {"model_max_length": 1e30} | side)
    write_json(folder / "tokenizer.json", tokenizer_json(opening))
    if pooling is not None:
        kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), *([("Normalize", "2_Normalize")] if normalize else [])]
        write_json(folder / "modules.json", [
            {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for index, (kind, path) in enumerate(kinds)
        ])
        write_json(folder / "1_Pooling/config.json", {"embedding_dimension": WIDTH, "pooling_mode": pooling})
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json(opening)))
    rows = []
    for row, text in TEXTS.items():
        ids = tokenizer.encode(text).ids
        if len(ids) > POSITIONS:
            ids = [*ids[: POSITIONS - 1], ids[-1]]
        vectors = {"embedding": vector_of(np.array(ids))} | {
            key: of(np.array(ids)) for key, of in (others or {}).items()
        }
        numbers = {key: [round(float(x), 7) for x in vector] for key, vector in vectors.items()}
        rows.append({"name": row, "text": text, "input_ids": ids} | numbers)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "reference.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


# ---- the models ----------------------------------------------------------------------------------------------------


def make_decoder():
    """Positions, and keys and values of earlier tokens, of which there are none."""
    weights = decoder_weights(1)
    graph = Graph(weights)
    hidden, presents = decoder(graph, cached=True)
    graph.output(hidden, "last_hidden_state", FLOAT, ["batch", "sequence", WIDTH])
    for name, source in presents:
        graph.output(source, name, FLOAT, ["batch", KEY_HEADS, "total", HEAD_SIZE])
    heads = {"num_attention_heads": HEADS, "num_key_value_heads": KEY_HEADS, "head_dim": HEAD_SIZE}
    write_model("graph-decoder", graph.model(), lambda ids: unit(reference_decoder(weights, ids)[-1]),
                pooling="lasttoken", normalize=True, left=True, opening=False,
                config={"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]} | heads)


def make_pooled():
    """Pools inside: mean, then a layer with tanh. With a modules.json the token vectors count instead: cls."""
    weights = embedding_weights(2)
    weights.draw("dense", WIDTH, 4)
    weights.draw("bias", 4)
    graph = Graph(weights)
    hidden, mask = encoder(graph)
    dense = graph.op("MatMul", mean_of(graph, hidden, mask), graph.weight("dense"))
    pooled = graph.op("Tanh", graph.op("Add", dense, graph.weight("bias")))
    graph.output(hidden, "token_embeddings", FLOAT, ["batch", "sequence", WIDTH])
    graph.output(pooled, "sentence_embedding", FLOAT, ["batch", 4])
    model = graph.model()

    def inside(ids):
        return np.tanh(reference_encoder(weights, ids).mean(axis=0) @ weights.dense + weights.bias)

    write_model("graph-pooled", model, inside)
    write_model("graph-pooled-modules", model, lambda ids: reference_encoder(weights, ids)[0], pooling="cls")


def make_pooled_left():
    """A decoder that takes its last position for the last token, so that it must be padded on the left."""
    weights = decoder_weights(3)
    graph = Graph(weights)
    hidden, _ = decoder(graph, cached=False)
    # Of merged decoders; whoever claims a cache that is not there gets nothing.
    cached = graph.input("use_cache_branch", BOOL, [1])
    last = graph.op("Squeeze", graph.op("Slice", hidden, *(graph.constant([x]) for x in (-1, 2**31, 1))),
                    graph.constant([1]))
    chosen = graph.op("Where", cached, graph.constant(0, np.float32), last)
    graph.output(chosen, "sentence_embedding", FLOAT, ["batch", WIDTH])
    write_model("graph-pooled-left", graph.model(), lambda ids: unit(reference_decoder(weights, ids)[-1]),
                pooling="lasttoken", normalize=True, left=True, opening=False, config={"model_type": "qwen3"})


def make_task():
    """One learnt matrix for each task; config.json says in which order."""
    weights = embedding_weights(4)
    tasks = ["text-matching", "retrieval.query", "retrieval.passage"]
    weights.draw("adapters", len(tasks), WIDTH, WIDTH)
    graph = Graph(weights)
    hidden, _ = encoder(graph)
    task = graph.input("task_id", INT64, [])
    adapter = graph.op("Gather", graph.weight("adapters"), task)
    graph.output(graph.op("MatMul", hidden, adapter), "last_hidden_state", FLOAT, ["batch", "sequence", WIDTH])

    def of_task(name):
        return lambda ids: unit((reference_encoder(weights, ids) @ weights.adapters[tasks.index(name)]).mean(axis=0))

    write_model("graph-task", graph.model(), of_task("retrieval.passage"), pooling="mean", normalize=True,
                config={"lora_adaptations": tasks}, others={"query_embedding": of_task("retrieval.query")})


def make_external():
    """Weights in a file beside the graph."""
    weights = embedding_weights(5)
    graph = Graph(weights)
    hidden, _ = encoder(graph)
    graph.output(hidden, "last_hidden_state", FLOAT, ["batch", "sequence", WIDTH])
    model = graph.model()
    external_data_helper.convert_model_to_external_data(model, location="model.onnx_data", size_threshold=64)
    data, tensors = b"", [tensor for tensor in model.graph.initializer if tensor.data_location == TensorProto.EXTERNAL]
    for tensor in tensors:
        content = tensor.raw_data
        external_data_helper.set_external_data(tensor, "model.onnx_data", offset=len(data), length=len(content))
        tensor.ClearField("raw_data")
        data += content
    write_model("graph-external", model, lambda ids: reference_encoder(weights, ids).mean(axis=0), pooling="mean")
    (HERE / "graph-external/onnx/model.onnx_data").write_bytes(data)


def make_float16():
    """Half precision stored and given; computed in single precision, so that the last digit is the same anywhere."""
    weights = embedding_weights(6)
    for name, value in weights.items():
        weights[name] = value.astype(np.float16)
    graph = Graph(weights, stored=np.float16)
    hidden, _ = encoder(graph)
    halves = graph.op("Cast", hidden, to=FLOAT16)
    graph.output(halves, "last_hidden_state", FLOAT16, ["batch", "sequence", WIDTH])

    def vector_of(ids):
        return reference_encoder(weights, ids).astype(np.float16).astype(np.float64).max(axis=0)

    write_model("graph-float16", graph.model(), vector_of, pooling="max", graph="model_fp16.onnx")


def make_int32():
    """All ids as int32, token types among them."""
    weights = embedding_weights(7, types=True)
    graph = Graph(weights)
    hidden, _ = encoder(graph, INT32)
    graph.output(hidden, "last_hidden_state", FLOAT, ["batch", "sequence", "width"])
    write_model("graph-int32", graph.model(), lambda ids: reference_encoder(weights, ids).mean(axis=0), pooling="mean")


def make_dynamic():
    """Dynamic int8: activations are scaled by their range in the whole batch. The reference is each text alone."""
    weights = Weights(8)
    weights.draw("tokens", len(VOCABULARY), WIDTH)
    # Of 7 bits: products of two such numbers overflow on no CPU.
    weights["dense"] = weights.random.integers(-63, 64, (WIDTH, WIDTH * 8)).astype(np.int8)
    scale = np.float32(0.02)
    graph = Graph(weights)
    ids = graph.input("input_ids", INT64, ["batch", "sequence"])
    graph.input("attention_mask", INT64, ["batch", "sequence"])
    # Unlike lengths of vectors, so that the range really differs from batch to batch.
    hidden = graph.op("Gather", graph.weight("tokens"), ids)
    quantised, step, zero = graph.op("DynamicQuantizeLinear", hidden, outputs=3)
    matrix = graph.constant(weights["dense"], np.int8)
    whole = graph.op("MatMulInteger", quantised, matrix, zero, graph.constant(0, np.int8))
    factor = graph.op("Mul", step, graph.constant(scale, np.float32))
    wide = graph.op("Mul", graph.op("Cast", whole, to=FLOAT), factor)
    graph.output(wide, "last_hidden_state", FLOAT, ["batch", "sequence", WIDTH * 8])

    def vector_of(ids):
        # As the ONNX specification of DynamicQuantizeLinear says, in float32.
        values = weights["tokens"][ids]
        low, high = min(values.min(), np.float32(0)), max(values.max(), np.float32(0))
        size = np.float32(high - low) / np.float32(255)
        middle = np.clip(np.rint(-low / size), 0, 255)
        steps = np.clip(np.rint(values / size) + middle, 0, 255) - middle
        return (steps @ weights["dense"].astype(np.float64) * np.float64(size) * np.float64(scale)).mean(axis=0)

    write_model("graph-dynamic-int8", graph.model(), vector_of, pooling="mean", graph="model_quantized.onnx",
                config={"hidden_size": WIDTH * 8})
    write_json(HERE / "graph-dynamic-int8/1_Pooling/config.json", {"pooling_mode": "mean"})


if __name__ == "__main__":
    for make in (make_decoder, make_pooled, make_pooled_left, make_task, make_external, make_float16, make_int32,
                 make_dynamic):
        make()
