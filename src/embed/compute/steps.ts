import type { Step } from '../model/model.js';
import { readTensorList, requireTensor } from '../model/safetensors.js';
import { activationFunctions } from './activations.js';
import { readFloats } from './weights.js';

/** What becomes of one pooled vector; may change its argument. */
export type VectorStep = (vector: Float32Array) => Float32Array;

/** Loads the weights of the steps after pooling. Error: MODEL. */
export async function createVectorSteps(steps: readonly Step[]): Promise<VectorStep> {
  const loaded: VectorStep[] = [];
  for (const step of steps) if (step.kind !== 'pooling') loaded.push(await loadStep(step));
  return (vector) => loaded.reduce((current, step) => step(current), vector);
}

async function loadStep(step: Exclude<Step, { kind: 'pooling' }>): Promise<VectorStep> {
  switch (step.kind) {
    case 'dense':
      return loadDense(step);
    case 'layer-norm':
      return loadLayerNorm(step.file);
    case 'normalize':
      return normalize;
    case 'cut':
      return (vector) => vector.slice(0, step.dimensions);
  }
}

async function loadDense(step: Step & { kind: 'dense' }): Promise<VectorStep> {
  const { file, inFeatures, outFeatures } = step;
  const tensors = await readTensorList(file);
  const load = async (name: string, shape: readonly number[]): Promise<Float32Array> =>
    readFloats(file, requireTensor(tensors, name, shape, file));
  const weight = await load('linear.weight', [outFeatures, inFeatures]);
  const bias = step.bias ? await load('linear.bias', [outFeatures]) : undefined;
  const projection =
    step.residual && inFeatures !== outFeatures
      ? await load('residual.weight', [outFeatures, inFeatures])
      : undefined;
  const activate = activationFunctions[step.activation];
  return (vector) => {
    const result = multiply(weight, vector, outFeatures);
    const residual = projection === undefined ? vector : multiply(projection, vector, outFeatures);
    for (let row = 0; row < outFeatures; row++) {
      const value = activate((result[row] as number) + (bias?.[row] ?? 0));
      result[row] = step.residual ? value + (residual[row] as number) : value;
    }
    return result;
  };
}

/** @param matrix [rows, vector.length], row-major */
function multiply(matrix: Float32Array, vector: Float32Array, rows: number): Float32Array {
  const result = new Float32Array(rows);
  const width = vector.length;
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    const start = row * width;
    for (let i = 0; i < width; i++) sum += (matrix[start + i] as number) * (vector[i] as number);
    result[row] = sum;
  }
  return result;
}

/** torch's default. */
const LAYER_NORM_EPSILON = 1e-5;

async function loadLayerNorm(file: string | undefined): Promise<VectorStep> {
  const scale = {
    weight: undefined as Float32Array | undefined,
    bias: undefined as Float32Array | undefined,
  };
  if (file !== undefined) {
    const tensors = await readTensorList(file);
    scale.weight = await readFloats(file, requireTensor(tensors, 'norm.weight', [undefined], file));
    scale.bias = await readFloats(file, requireTensor(tensors, 'norm.bias', [undefined], file));
  }
  return (vector) => {
    let mean = 0;
    for (const value of vector) mean += value / vector.length;
    let variance = 0;
    for (const value of vector) variance += (value - mean) ** 2 / vector.length;
    const deviation = Math.sqrt(variance + LAYER_NORM_EPSILON);
    for (let i = 0; i < vector.length; i++) {
      const value = ((vector[i] as number) - mean) / deviation;
      vector[i] = value * (scale.weight?.[i] ?? 1) + (scale.bias?.[i] ?? 0);
    }
    return vector;
  };
}

/** Below this length a vector is taken for zero and left as it is, as the reference does. */
const MIN_NORM = 1e-12;

/** Divides by the L2 norm, in place. */
export function normalize(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const norm = Math.max(Math.sqrt(squares), MIN_NORM);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) / norm;
  return vector;
}
