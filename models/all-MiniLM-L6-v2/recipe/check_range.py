"""Proves for a file that no 16-bit sum of u8 * s8 products can saturate: check_range.py model_int8_rowwise.onnx"""

import sys

import onnx
from gptq import PAIR, pair_sums
from onnx import numpy_helper

graph = onnx.load(sys.argv[1]).graph
arrays = {i.name: i for i in graph.initializer}
matrices = [node.input[1] for node in graph.node if node.op_type == "MatMulInteger"]
largest = max(int(pair_sums(numpy_helper.to_array(arrays[name])).max()) for name in matrices)
print(len(matrices), "matrices, largest sum of a pair", largest, "of", PAIR, "largest 16-bit sum", 255 * largest)
sys.exit(largest > PAIR)
