/** Which of several ONNX files is used, and what its weights really are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CpuFeatures } from '#embatch/embed/cpu-features.js';
import { chooseGraph, type GraphRequest } from '#embatch/embed/graph-choice.js';
import { storedPrecision } from '#embatch/embed/model/graph-plan.js';
import { dataTypes, readOnnxFile, type OnnxFile } from '#embatch/embed/onnx-file.js';
import { testData } from '../../support/paths.js';

const plain: CpuFeatures = { arm64: false, vnni: false };
const vnni: CpuFeatures = { arm64: false, vnni: true };
const arm64: CpuFeatures = { arm64: true, vnni: false };

/** As the hub has them for most models of sentence-transformers. */
const optimum = [
  'onnx/model.onnx',
  'onnx/model_O1.onnx',
  'onnx/model_O4.onnx',
  'onnx/model_qint8_arm64.onnx',
  'onnx/model_qint8_avx512.onnx',
  'onnx/model_qint8_avx512_vnni.onnx',
  'onnx/model_quint8_avx2.onnx',
];
/** As transformers.js has them. */
const browser = [
  'onnx/model.onnx',
  'onnx/model_bnb4.onnx',
  'onnx/model_fp16.onnx',
  'onnx/model_int8.onnx',
  'onnx/model_q4.onnx',
  'onnx/model_q4f16.onnx',
  'onnx/model_quantized.onnx',
  'onnx/model_uint8.onnx',
];
const without = (files: readonly string[], ...names: readonly string[]): string[] =>
  files.filter((file) => !names.includes(file.replace('onnx/', '')));

const choices: readonly (readonly [readonly string[], GraphRequest['precision'], CpuFeatures, string])[] = [
  [optimum, 'auto', vnni, 'onnx/model.onnx'],
  [optimum, 'fp32', plain, 'onnx/model.onnx'],
  [without(optimum, 'model.onnx'), 'fp32', plain, 'onnx/model_O1.onnx'],
  [optimum, 'fp16', plain, 'onnx/model_O4.onnx'],
  [optimum, 'int8', vnni, 'onnx/model_qint8_avx512_vnni.onnx'],
  [without(optimum, 'model_qint8_avx512_vnni.onnx'), 'int8', vnni, 'onnx/model_qint8_avx512.onnx'],
  [optimum, 'int8', arm64, 'onnx/model_qint8_arm64.onnx'],
  [optimum, 'int8', plain, 'onnx/model_quint8_avx2.onnx'],
  [[...optimum, 'onnx/model_int8_rowwise.onnx'], 'int8', vnni, 'onnx/model_int8_rowwise.onnx'],
  // Made for this CPU, before what runs on any.
  [['model_int8.onnx', 'model_quint8_avx2.onnx'], 'int8', plain, 'model_quint8_avx2.onnx'],
  [['model_int8.onnx', 'model_quint8_avx2.onnx'], 'int8', vnni, 'model_int8.onnx'],
  [browser, 'auto', plain, 'onnx/model.onnx'],
  [without(browser, 'model.onnx'), 'auto', plain, 'onnx/model_int8.onnx'],
  [browser, 'int8', arm64, 'onnx/model_int8.onnx'],
  [browser, 'uint8', plain, 'onnx/model_uint8.onnx'],
  [browser, 'fp16', plain, 'onnx/model_fp16.onnx'],
  [browser, 'q4', plain, 'onnx/model_q4.onnx'],
  [browser, 'q4f16', plain, 'onnx/model_q4f16.onnx'],
  [browser, 'bnb4', plain, 'onnx/model_bnb4.onnx'],
  [['onnx/model.onnx', 'model.onnx'], 'auto', plain, 'onnx/model.onnx'],
  [['model.onnx', 'onnx/model.onnx'], 'auto', plain, 'model.onnx'],
  [['weights.onnx'], 'auto', plain, 'weights.onnx'],
  [['weights.onnx'], 'int8', plain, 'weights.onnx'],
  [['weights.onnx', 'model_fp16.onnx'], 'auto', plain, 'model_fp16.onnx'],
  [['text_model_quantized.onnx'], 'auto', plain, 'text_model_quantized.onnx'],
];
for (const [files, precision, cpu, expected] of choices) {
  const place = cpu.arm64 ? 'ARM' : cpu.vnni ? 'VNNI' : 'neither';
  test(`${precision} of ${files.length} files on ${place}: ${expected}`, () => {
    assert.equal(chooseGraph(files, { precision }, cpu).file, expected);
  });
}

test('an index keeps the file that it was built with', () => {
  const choice = chooseGraph(optimum, { precision: 'auto', file: 'model_quint8_avx2.onnx' }, vnni);
  assert.equal(choice.file, 'onnx/model_quint8_avx2.onnx');
  assert.equal(choice.reason, 'the index was built with it');
});

const refusals: readonly (readonly [string, readonly string[], GraphRequest, RegExp])[] = [
  ['no file', [], { precision: 'auto' }, /has no ONNX file.*save_pretrained/],
  [
    'no usual name',
    ['a.onnx', 'b.onnx'],
    { precision: 'auto' },
    /no usual name among them: a\.onnx, b\.onnx\. Name/,
  ],
  [
    'none of that precision',
    optimum,
    { precision: 'q4' },
    /no ONNX file of precision q4; it has model\.onnx, /,
  ],
  [
    'only one, of another',
    ['onnx/model_q4.onnx'],
    { precision: 'fp32' },
    /precision fp32; it has model_q4\.onnx/,
  ],
  [
    "not the index's file",
    optimum,
    { precision: 'auto', file: 'model_int8_rowwise.onnx' },
    /was built with the graph model_int8_rowwise\.onnx, which the model does not have; it has model\.onnx/,
  ],
];
for (const [title, files, request, message] of refusals) {
  test(`refused: ${title}`, () => {
    assert.throws(() => chooseGraph(files, request, plain), { code: 'MODEL', message });
  });
}

function stored(
  operators: readonly string[],
  elements: Partial<Record<keyof typeof dataTypes, number>>,
): OnnxFile {
  const counts = Object.entries(elements) as [keyof typeof dataTypes, number][];
  return {
    inputs: [],
    outputs: [],
    operators: new Set(operators),
    externalFiles: [],
    externalBytes: new Map(),
    elements: new Map(counts.map(([name, count]) => [dataTypes[name], count])),
  };
}

for (const [operators, elements, expected] of [
  [['MatMul'], { float: 1000, int64: 5000 }, 'fp32'],
  [['MatMul'], { float16: 1000, float: 10 }, 'fp16'],
  [['MatMulInteger', 'DynamicQuantizeLinear'], { int8: 1000, uint8: 3, float: 100 }, 'int8'],
  [['MatMulInteger', 'DynamicQuantizeLinear'], { uint8: 1000, float: 100 }, 'uint8'],
  // Tables of multilingual models outweigh all the rest.
  [['MatMulInteger', 'DynamicQuantizeLinear', 'Gather'], { int8: 1000, float: 9000 }, 'int8'],
  [['DequantizeLinear', 'Gather'], { int8: 1000, float: 9000 }, 'int8'],
  [['MatMul'], { float: 1000, uint8: 4 }, 'fp32'],
  [['MatMulNBits'], { uint8: 500, float: 1000 }, 'q4'],
  [['MatMulNBits'], { uint8: 500, float16: 1000 }, 'q4f16'],
  [['MatMulBnb4'], { uint8: 500, float: 1000 }, 'bnb4'],
] as const) {
  test(`${operators.join(', ')} with ${JSON.stringify(elements)} is ${expected}`, () => {
    assert.equal(storedPrecision(stored(operators, elements)), expected);
  });
}

test('what an ONNX file says of itself is read from it', () => {
  const { inputs, outputs, operators, externalFiles, externalBytes } = readOnnxFile(
    testData('models/graph-external/onnx/model.onnx'),
  );
  const free = ['batch', 'sequence'];
  assert.deepEqual(inputs, [
    { name: 'input_ids', type: dataTypes.int64, shape: free },
    { name: 'attention_mask', type: dataTypes.int64, shape: free },
  ]);
  assert.deepEqual(outputs, [{ name: 'last_hidden_state', type: dataTypes.float, shape: [...free, 8] }]);
  assert.ok(operators.has('Softmax') && operators.has('Gather'));
  assert.deepEqual(externalFiles, ['model.onnx_data']);
  assert.ok((externalBytes.get('model.onnx_data') ?? 0) > 1000);
});
