/**
 * A small interpreter of ONNX graphs: it runs a trained network in the page, with no library and no server.
 *
 * `network.py` packs a graph, `load` unpacks it, `run` walks through its nodes in their order. One operator of ONNX is
 * one function below; https://onnx.ai/onnx/operators/ says what each of them computes. To add an operator, write its
 * function and name it in `operators`: the packer reads that table, and refuses a network that needs more. The matrix
 * products, which take most of the time, are in `product.js`. The slowest network of `benchmarks/page.py` takes 4 ms, a
 * quarter of a frame: it needs no Web Worker.
 *
 * @typedef {Float32Array | Float64Array | Uint8Array} Numbers floats, integers (exact up to 2^53), truth values
 * @typedef {{ data: Numbers, shape: number[] }} Tensor row-major, as in PyTorch
 * @typedef {Record<string, any>} Attributes
 * @typedef {{ op: string, name: string, inputs: string[], outputs: string[], attributes: Attributes }} Node
 * @typedef {{ shape: number[], kind: "float" | "int" | "bool", values?: number[], start?: number }} Constant
 * @typedef {{ name: string, shape: number[] }} Port
 * @typedef {{ inputs: Port[], outputs: Port[], nodes: Node[], constants: Record<string, Constant>,
 *             precision: "float16" | "float32", weights: string }} Network
 * @typedef {{ outputs: number, constant: boolean[], kept: Record<string, any>,
 *             products: import("./product.js").Products }} Context
 *   of a node: how many outputs are asked for, which of its inputs never change, what it keeps from run to run
 */

import { fromBase64 } from "./parts.js";
import { makeProducts } from "./product.js";

// ---------------------------------------------------------------------------------------------------------- loading

/**
 * Unpacks a network.
 * @param {Network} network as `network.py` packs it
 * @returns {{ inputs: Port[], outputs: Port[],
 *             run: (inputs: Record<string, ArrayLike<number>>) => Record<string, Float32Array>,
 *             way: "simd" | "plain" }} `way` tells how matrices are multiplied
 */
export function load(network) {
  const constants = unpackConstants(network);
  const products = makeProducts();
  const contexts = network.nodes.map((node) => {
    if (!Object.hasOwn(operators, node.op)) throw new Error(`operator ${node.op} (${node.name}) is unknown`);
    const constant = node.inputs.map((name) => name === "" || constants.has(name));
    return { outputs: node.outputs.length, constant, kept: {}, products };
  });

  function run(inputs) {
    const values = new Map(constants);
    for (const { name, shape } of network.inputs) {
      if (!(name in inputs)) throw new Error(`input "${name}" is missing`);
      if (inputs[name].length !== size(shape)) {
        throw new Error(`input "${name}" has ${inputs[name].length} numbers, its shape [${shape}] needs ${size(shape)}`);
      }
      values.set(name, { data: Float32Array.from(inputs[name]), shape });
    }
    network.nodes.forEach((node, place) => {
      const given = node.inputs.map((name) => values.get(name)); // an optional input that is left out is undefined
      const results = [operators[node.op](given, node.attributes, contexts[place])].flat();
      node.outputs.forEach((name, i) => values.set(name, results[i]));
    });
    return Object.fromEntries(network.outputs.map(({ name }) => [name, values.get(name).data]));
  }

  return { inputs: network.inputs, outputs: network.outputs, run, way: products.way };
}

/** @param {Network} network @returns {Map<string, Tensor>} */
function unpackConstants(network) {
  const bytes = fromBase64(network.weights).buffer;
  const weights = network.precision === "float16" ? fromFloat16(bytes) : new Float32Array(bytes);
  const constants = new Map();
  for (const [name, { shape, kind, values, start }] of Object.entries(network.constants)) {
    const data = values ? arrayOf[kind].from(values) : weights.subarray(start, start + size(shape));
    constants.set(name, { data, shape });
  }
  return constants;
}

const arrayOf = { float: Float32Array, int: Float64Array, bool: Uint8Array };

/**
 * Half precision to single. Browsers before 2025 lack the type: then sign, exponent and fraction are moved to where a
 * single has them, and since its exponents count from −127 and those of a half from −15, the result is 2^112 too small.
 */
function fromFloat16(buffer) {
  if (globalThis.Float16Array) return new Float32Array(new Float16Array(buffer));
  const bits = Uint32Array.from(new Uint16Array(buffer), (half) => ((half & 0x8000) << 16) | ((half & 0x7fff) << 13));
  return new Float32Array(bits.buffer).map((single) => single * 2 ** 112);
}

// -------------------------------------------------------------------------------------------------- shapes and loops

/** @param {number[]} shape */
function size(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

/** How far apart in memory two neighbours along each axis are. @param {number[]} shape */
function stridesOf(shape) {
  const strides = new Array(shape.length);
  for (let axis = shape.length - 1, step = 1; axis >= 0; step *= shape[axis], axis--) strides[axis] = step;
  return strides;
}

/** An axis counted from the end becomes one counted from the start. */
function positive(axis, rank) {
  return axis < 0 ? axis + rank : axis;
}

/** The integers of a tensor (a shape, a list of axes) as an array; undefined if the tensor was left out. */
function integers(tensor) {
  return tensor && Array.from(tensor.data);
}

/**
 * Reads `data` in the order of `shape` with the given strides, from `start`. Neighbouring axes that memory holds as one
 * are read as one, so that the innermost loop is long.
 * @returns {Numbers}
 */
function gather(data, shape, strides, start = 0) {
  const lengths = [1];
  const steps = [0];
  shape.forEach((length, axis) => {
    if (length === 1) return;
    if (steps.at(-1) === strides[axis] * length) lengths.push(lengths.pop() * length);
    else lengths.push(length);
    steps[lengths.length - 1] = strides[axis];
  });
  const result = new data.constructor(size(shape));
  const run = lengths.pop();
  const step = steps.pop();
  const index = new Array(lengths.length).fill(0);
  for (let i = 0, at = start; i < result.length; ) {
    for (let j = 0; j < run; j++) result[i++] = data[at + j * step];
    for (let axis = lengths.length - 1; axis >= 0; axis--) {
      at += steps[axis];
      if (++index[axis] < lengths[axis]) break;
      at -= index[axis] * steps[axis];
      index[axis] = 0;
    }
  }
  return result;
}

/** The i-th of equal parts of an array, as a view. */
function part(data, i, parts) {
  const length = data.length / parts;
  return data.subarray(i * length, (i + 1) * length);
}

/** The shape that tensors take together: axes are aligned at the end, an axis of length 1 is repeated. */
function commonShape(...shapes) {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const lengths = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return lengths.find((length) => length !== 1) ?? 1;
  });
}

/** The numbers of a tensor, repeated until they fill `shape`. */
function expand(tensor, shape) {
  const missing = shape.length - tensor.shape.length;
  if (tensor.data.length === size(shape)) return tensor.data;
  const own = stridesOf(tensor.shape);
  const strides = shape.map((_, axis) => (axis < missing || tensor.shape[axis - missing] === 1 ? 0 : own[axis - missing]));
  return gather(tensor.data, shape, strides);
}

/** One number in, one number out. @returns {Tensor} */
function each(x, f) {
  const data = new x.data.constructor(x.data.length);
  for (let i = 0; i < data.length; i++) data[i] = f(x.data[i]);
  return { data, shape: x.shape };
}

/** Two numbers in, one out, with broadcasting. @returns {Tensor} */
function pairwise(a, b, f, ArrayType) {
  const { left, right, data, shape } = aligned(a, b, ArrayType);
  for (let i = 0; i < data.length; i++) data[i] = f(left[i], right[i]);
  return { data, shape };
}

/** Two tensors brought to their common shape, and room for a result. */
function aligned(a, b, ArrayType = a.data.constructor) {
  const shape = commonShape(a.shape, b.shape);
  return { left: expand(a, shape), right: expand(b, shape), data: new ArrayType(size(shape)), shape };
}

// ------------------------------------------------------------------------------------------------ number by number

/** The operator that applies f to every number. */
const unary = (f) => ([x]) => each(x, f);

/** The operator that applies f to pairs of numbers. */
const binary = (f) => ([a, b]) => pairwise(a, b, f);

/** The operator that says for which pairs of numbers f holds. */
const comparison = (f) => ([a, b]) => pairwise(a, b, (x, y) => Number(f(x, y)), Uint8Array);

// Add, Mul, Relu and Sigmoid stand between large layers: a loop of their own takes half the time of one that calls f.

function Add([a, b]) {
  const { left, right, data, shape } = aligned(a, b);
  for (let i = 0; i < data.length; i++) data[i] = left[i] + right[i];
  return { data, shape };
}

const Sub = binary((x, y) => x - y);

function Mul([a, b]) {
  const { left, right, data, shape } = aligned(a, b);
  for (let i = 0; i < data.length; i++) data[i] = left[i] * right[i];
  return { data, shape };
}

function Div([a, b]) {
  const whole = a.data instanceof Float64Array; // integers divide towards zero
  return pairwise(a, b, whole ? (x, y) => Math.trunc(x / y) : (x, y) => x / y);
}

const Pow = binary((x, y) => x ** y);

function Max(tensors) {
  return tensors.reduce((a, b) => pairwise(a, b, Math.max));
}

function Min(tensors) {
  return tensors.reduce((a, b) => pairwise(a, b, Math.min));
}

const Greater = comparison((x, y) => x > y);
const Less = comparison((x, y) => x < y);
const GreaterOrEqual = comparison((x, y) => x >= y);
const LessOrEqual = comparison((x, y) => x <= y);
const Equal = comparison((x, y) => x === y);
const And = binary((x, y) => x & y);
const Or = binary((x, y) => x | y);
const Not = unary((v) => 1 - v);

function Where([condition, a, b]) {
  const shape = commonShape(condition.shape, a.shape, b.shape);
  const chosen = expand(condition, shape);
  const left = expand(a, shape);
  const right = expand(b, shape);
  const data = new a.data.constructor(size(shape));
  for (let i = 0; i < data.length; i++) data[i] = chosen[i] ? left[i] : right[i];
  return { data, shape };
}

function Identity([x]) {
  return x;
}

const Neg = unary((v) => -v);
const Abs = unary(Math.abs);
const Exp = unary(Math.exp);
const Log = unary(Math.log);
const Sin = unary(Math.sin);
const Cos = unary(Math.cos);
const Sign = unary(Math.sign);
const Floor = unary(Math.floor);
const Sqrt = unary(Math.sqrt);
const Reciprocal = unary((v) => 1 / v);

function Clip([x, low, high]) {
  const least = low ? low.data[0] : -Infinity;
  const most = high ? high.data[0] : Infinity;
  return each(x, (v) => Math.min(Math.max(v, least), most));
}

function Relu([x]) {
  const data = new x.data.constructor(x.data.length);
  for (let i = 0; i < data.length; i++) data[i] = Math.max(x.data[i], 0);
  return { data, shape: x.shape };
}

function LeakyRelu([x], { alpha = 0.01 }) {
  return each(x, (v) => (v < 0 ? alpha * v : v));
}

function PRelu([x, slope]) {
  return pairwise(x, slope, (v, alpha) => (v < 0 ? alpha * v : v));
}

function Elu([x], { alpha = 1 }) {
  return each(x, (v) => (v < 0 ? alpha * Math.expm1(v) : v));
}

function Celu([x], { alpha = 1 }) {
  return each(x, (v) => (v < 0 ? alpha * Math.expm1(v / alpha) : v));
}

/** The defaults keep mean 0 and variance 1 from layer to layer: Klambauer et al. 2017. */
function Selu([x], { alpha = 1.6732632423543772, gamma = 1.0507009873554805 }) {
  return each(x, (v) => gamma * (v < 0 ? alpha * Math.expm1(v) : v));
}

function HardSigmoid([x], { alpha = 0.2, beta = 0.5 }) {
  return each(x, (v) => Math.min(Math.max(alpha * v + beta, 0), 1));
}

const HardSwish = unary((v) => (v * Math.min(Math.max(v + 3, 0), 6)) / 6);

function Sigmoid([x]) {
  const data = new Float32Array(x.data.length);
  for (let i = 0; i < data.length; i++) data[i] = 1 / (1 + Math.exp(-x.data[i]));
  return { data, shape: x.shape };
}

const Tanh = unary(Math.tanh);
const Softplus = unary(softplus);
const Mish = unary((v) => v * Math.tanh(softplus(v)));

/** log(1 + eˣ), written so that a large x does not overflow. */
function softplus(x) {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

const Erf = unary(erf);

function Gelu([x], { approximate = "none" }) {
  if (approximate === "none") return each(x, (v) => 0.5 * v * (1 + erf(v * Math.SQRT1_2)));
  return each(x, (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))));
}

/** The error function to 1.5e-7: Abramowitz & Stegun 1964, 7.1.26. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - tail * Math.exp(-x * x));
}

/** The numbers of ONNX for its types: 1, 10 and 11 are floats, 9 is a truth value, the others are integers. */
function Cast([x], { to }) {
  if ([1, 10, 11].includes(to)) return { data: Float32Array.from(x.data), shape: x.shape };
  if (to === 9) return { data: Uint8Array.from(x.data, (v) => Number(v !== 0)), shape: x.shape };
  return { data: Float64Array.from(x.data, Math.trunc), shape: x.shape };
}

// ------------------------------------------------------------------------------------------------------------- shape

function Reshape([x, target], { allowzero = 0 }) {
  const shape = integers(target).map((length, axis) => (length === 0 && !allowzero ? x.shape[axis] : length));
  const unknown = shape.indexOf(-1);
  if (unknown >= 0) shape[unknown] = -x.data.length / size(shape); // size(shape) holds the factor -1
  return { data: x.data, shape };
}

function Flatten([x], { axis = 1 }) {
  const rows = size(x.shape.slice(0, positive(axis, x.shape.length)));
  return { data: x.data, shape: [rows, x.data.length / rows] };
}

function Unsqueeze([x, axes]) {
  const rank = x.shape.length + axes.data.length;
  const added = integers(axes).map((axis) => positive(axis, rank));
  const lengths = [...x.shape];
  return { data: x.data, shape: Array.from({ length: rank }, (_, axis) => (added.includes(axis) ? 1 : lengths.shift())) };
}

function Squeeze([x, axes]) {
  const dropped = integers(axes)?.map((axis) => positive(axis, x.shape.length));
  return { data: x.data, shape: x.shape.filter((length, axis) => (dropped ? !dropped.includes(axis) : length !== 1)) };
}

function Transpose([x], { perm = x.shape.map((_, axis) => axis).reverse() }) {
  const strides = stridesOf(x.shape);
  const shape = perm.map((axis) => x.shape[axis]);
  return { data: gather(x.data, shape, perm.map((axis) => strides[axis])), shape };
}

function Concat(tensors, { axis }) {
  const along = positive(axis, tensors[0].shape.length);
  const shape = [...tensors[0].shape];
  shape[along] = tensors.reduce((sum, x) => sum + x.shape[along], 0);
  const outer = size(shape.slice(0, along));
  const data = new tensors[0].data.constructor(size(shape));
  for (let row = 0, at = 0; row < outer; row++) {
    for (const x of tensors) {
      const length = x.data.length / outer;
      data.set(x.data.subarray(row * length, (row + 1) * length), at);
      at += length;
    }
  }
  return { data, shape };
}

function Split([x, sizes], { axis = 0 }, { outputs: count }) {
  const along = positive(axis, x.shape.length);
  const most = Math.ceil(x.shape[along] / count); // without sizes: equal parts, the last one may be smaller
  const lengths = integers(sizes) ?? Array.from({ length: count }, (_, i) => Math.min(most, x.shape[along] - i * most));
  const strides = stridesOf(x.shape);
  let start = 0;
  return lengths.map((length) => {
    const shape = x.shape.with(along, length);
    const part = { data: gather(x.data, shape, strides, start * strides[along]), shape };
    start += length;
    return part;
  });
}

function Slice([x, starts, ends, axes, steps]) {
  const strides = stridesOf(x.shape);
  const shape = [...x.shape];
  const own = [...strides];
  let offset = 0;
  integers(starts).forEach((start, i) => {
    const axis = positive(axes ? axes.data[i] : i, x.shape.length);
    const step = steps ? steps.data[i] : 1;
    const length = x.shape[axis];
    const clamp = (v, low, high) => Math.min(Math.max(v < 0 ? v + length : v, low), high);
    const first = step > 0 ? clamp(start, 0, length) : clamp(start, 0, length - 1);
    const last = step > 0 ? clamp(ends.data[i], 0, length) : clamp(ends.data[i], -1, length - 1);
    shape[axis] = Math.max(0, Math.ceil((last - first) / step));
    strides[axis] = own[axis] * step;
    offset += first * own[axis];
  });
  return { data: gather(x.data, shape, strides, offset), shape };
}

function Expand([x, target]) {
  const shape = commonShape(x.shape, integers(target));
  return { data: expand(x, shape), shape };
}

function Gather([x, indices], { axis = 0 }) {
  const along = positive(axis, x.shape.length);
  const positions = integers(indices).map((index) => positive(index, x.shape[along]));
  const shape = [...x.shape.slice(0, along), ...indices.shape, ...x.shape.slice(along + 1)];
  return { data: take(x, positions, along).data, shape };
}

/** A negative number of added places cuts places off. */
function Pad([x, pads, value, axes], { mode = "constant" }) {
  const padded = integers(axes) ?? [...x.shape.keys()];
  return padded.reduce((result, given, i) => {
    const axis = positive(given, x.shape.length);
    const length = x.shape[axis];
    const before = pads.data[i];
    const positions = Array.from({ length: before + length + pads.data[i + padded.length] }, (_, place) => {
      const at = place - before;
      if (at >= 0 && at < length) return at;
      if (mode === "constant") return -1;
      if (mode === "edge") return at < 0 ? 0 : length - 1;
      return at < 0 ? -at : 2 * (length - 1) - at;
    });
    return take(result, positions, axis, value?.data[0]);
  }, x);
}

/** Blocks of channels become blocks of pixels, as after a sub-pixel convolution: Shi et al. 2016. */
function DepthToSpace([x], { blocksize, mode = "DCR" }) {
  const [batch, channels, height, width] = x.shape;
  const depth = channels / blocksize ** 2;
  const split = mode === "CRD" ? [batch, depth, blocksize, blocksize] : [batch, blocksize, blocksize, depth];
  const perm = mode === "CRD" ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
  const { data } = Transpose([{ data: x.data, shape: [...split, height, width] }], { perm });
  return { data, shape: [batch, depth, height * blocksize, width * blocksize] };
}

/** Axis by axis: each place of the result takes its nearest neighbour, or the mean of two neighbours by distance. */
function Resize([x, , scales, sizes], attributes) {
  const { mode = "nearest", nearest_mode: rounding = "round_prefer_floor" } = attributes;
  const { coordinate_transformation_mode: alignment = "half_pixel" } = attributes;
  return x.shape.reduce((result, length, axis) => {
    const scale = sizes ? sizes.data[axis] / length : scales.data[axis];
    const resized = sizes ? sizes.data[axis] : Math.floor(length * scale);
    if (scale === 1) return result;
    const places = Array.from({ length: resized }, (_, i) => {
      if (alignment === "asymmetric") return i / scale;
      if (alignment === "align_corners") return resized === 1 ? 0 : (i * (length - 1)) / (resized - 1);
      return (i + 0.5) / scale - 0.5;
    });
    const inside = (place) => Math.min(Math.max(place, 0), length - 1);
    if (mode === "nearest") {
      const nearest = places.map((at) => inside(rounding === "floor" ? Math.floor(at) : Math.ceil(at - 0.5)));
      return take(result, nearest, axis);
    }
    const lower = take(result, places.map((at) => Math.floor(inside(at))), axis);
    const upper = take(result, places.map((at) => Math.ceil(inside(at))), axis);
    const inner = size(result.shape.slice(axis + 1));
    const shares = places.map((at) => inside(at) - Math.floor(inside(at)));
    const data = lower.data.map((low, i) => low + shares[Math.floor(i / inner) % resized] * (upper.data[i] - low));
    return { data, shape: lower.shape };
  }, x);
}

/** The slices of x at the given positions along one axis; at position -1 stands `outside`. @returns {Tensor} */
function take(x, positions, axis, outside = 0) {
  const shape = x.shape.with(axis, positions.length);
  const inner = size(shape.slice(axis + 1));
  const outer = size(shape.slice(0, axis));
  const data = new x.data.constructor(size(shape));
  for (let row = 0, to = 0; row < outer; row++) {
    for (const position of positions) {
      const from = (row * x.shape[axis] + position) * inner;
      for (let i = 0; i < inner; i++) data[to++] = position < 0 ? outside : x.data[from + i];
    }
  }
  return { data, shape };
}

// -------------------------------------------------------------------------------------------------------- reductions

/**
 * Folds the numbers along the given axes (without axes: along all) into one: total = f(total, number).
 * @returns {Tensor} with totals in double precision
 */
function reduce(x, axes, { keepdims = 1, noop_with_empty_axes: noop = 0 }, f, first) {
  const rank = x.shape.length;
  const given = integers(axes) ?? [];
  if (given.length === 0 && noop) return x;
  const folded = x.shape.map((_, axis) => given.length === 0 || given.some((a) => positive(a, rank) === axis));
  const kept = x.shape.map((length, axis) => (folded[axis] ? 1 : length));
  const strides = stridesOf(kept).map((stride, axis) => (folded[axis] ? 0 : stride));
  const totals = new Float64Array(size(kept)).fill(first);
  const places = gather(Float64Array.from(totals.keys()), x.shape, strides); // where each number of x goes
  for (let i = 0; i < x.data.length; i++) totals[places[i]] = f(totals[places[i]], x.data[i]);
  return { data: totals, shape: keepdims ? kept : kept.filter((_, axis) => !folded[axis]) };
}

/** The tensor with its numbers in the kind of array that another one has. @returns {Tensor} */
function inKindOf(other, { data, shape }) {
  return { data: other.data.constructor.from(data), shape };
}

function ReduceSum([x, axes], attributes) {
  return inKindOf(x, reduce(x, axes, attributes, (sum, v) => sum + v, 0));
}

function ReduceMean([x, axes], attributes) {
  const sum = reduce(x, axes, attributes, (total, v) => total + v, 0);
  const count = x.data.length / sum.data.length;
  return inKindOf(x, each(sum, (v) => v / count));
}

function ReduceMax([x, axes], attributes) {
  return inKindOf(x, reduce(x, axes, attributes, Math.max, -Infinity));
}

/** The Euclidean length. */
function ReduceL2([x, axes], attributes) {
  return inKindOf(x, each(reduce(x, axes, attributes, (sum, v) => sum + v * v, 0), Math.sqrt));
}

/** x − log Σ exp(x), the sum along one axis. @returns {Tensor} in double precision */
function logShares(x, axis) {
  const along = positive(axis, x.shape.length);
  const length = x.shape[along];
  const step = size(x.shape.slice(along + 1));
  const data = new Float64Array(x.data.length);
  for (let block = 0; block < data.length; block += length * step) {
    for (let start = block; start < block + step; start++) {
      const end = start + length * step;
      let most = -Infinity; // taken off first, so that no exponential overflows
      for (let i = start; i < end; i += step) most = Math.max(most, x.data[i]);
      let sum = 0;
      for (let i = start; i < end; i += step) sum += Math.exp(x.data[i] - most);
      for (let i = start; i < end; i += step) data[i] = x.data[i] - most - Math.log(sum);
    }
  }
  return { data, shape: x.shape };
}

function Softmax([x], { axis = -1 }) {
  return inKindOf(x, each(logShares(x, axis), Math.exp));
}

function LogSoftmax([x], { axis = -1 }) {
  return inKindOf(x, logShares(x, axis));
}

/** slope · x + shift, with a slope and a shift for each channel. @returns {Tensor} */
function scaleChannels(x, slopes, shifts) {
  const planes = x.shape[0] * x.shape[1];
  const data = new Float32Array(x.data.length);
  for (let i = 0; i < planes; i++) {
    const slope = slopes[i % x.shape[1]];
    const shift = shifts[i % x.shape[1]];
    const from = part(x.data, i, planes);
    const to = part(data, i, planes);
    for (let j = 0; j < to.length; j++) to[j] = slope * from[j] + shift;
  }
  return { data, shape: x.shape };
}

function BatchNormalization([x, scale, bias, mean, variance], { epsilon = 1e-5 }) {
  const slopes = Float64Array.from(scale.data, (v, c) => v / Math.sqrt(variance.data[c] + epsilon));
  return scaleChannels(x, slopes, slopes.map((slope, c) => bias.data[c] - slope * mean.data[c]));
}

/** Each run of `length` numbers is shifted and scaled to mean 0 and variance 1. @returns {Tensor} */
function standardise(x, length, epsilon) {
  const given = x.data;
  const data = new Float32Array(given.length);
  for (let start = 0; start < data.length; start += length) {
    const end = start + length;
    let sum = 0;
    for (let i = start; i < end; i++) sum += given[i];
    const mean = sum / length;
    let squares = 0;
    for (let i = start; i < end; i++) squares += (given[i] - mean) * (given[i] - mean);
    const slope = 1 / Math.sqrt(squares / length + epsilon);
    for (let i = start; i < end; i++) data[i] = slope * (given[i] - mean);
  }
  return { data, shape: x.shape };
}

/** Over the pixels of each channel; with channels reshaped into groups this is group normalisation too. */
function InstanceNormalization([x, scale, bias], { epsilon = 1e-5 }) {
  const standard = standardise(x, x.data.length / (x.shape[0] * x.shape[1]), epsilon);
  return scaleChannels(standard, scale.data, bias.data);
}

function LayerNormalization([x, scale, bias], { axis = -1, epsilon = 1e-5 }) {
  const scaled = Mul([standardise(x, size(x.shape.slice(positive(axis, x.shape.length))), epsilon), scale]);
  return bias ? Add([scaled, bias]) : scaled;
}

// ------------------------------------------------------------------------------------------------- matrix products

/** What `make` gives for a node, made at its first run: shapes stay the same from run to run. @param {Context} context */
function once(context, name, make) {
  context.kept[name] ??= make();
  return context.kept[name];
}

/**
 * The left factors of a node's products, kept if the node's inputs that they are made of never change.
 * @param {Context} context
 * @param {number[]} inputs which ones `make` reads
 * @param {() => import("./product.js").Left[]} make
 */
function leftFactors(context, inputs, make) {
  if (inputs.some((input) => context.constant[input] === false)) return make();
  return once(context, "left", () => make().map(context.products.keep));
}

/** The places 0, step, 2 step … */
function every(step, count) {
  return Int32Array.from({ length: count }, (_, i) => i * step);
}

/**
 * a · b for each pair of matrices. It is the transpose of bᵀ · aᵀ, whose left factor are the weights.
 * @param {Tensor} a (…, rows, inner)
 * @param {Numbers} b (…, inner, columns), the node's second input
 * @param {number} columns
 * @param {{ rowStep: number, innerStep: number }} steps in b from column to column, and from row to row
 * @param {Context} context
 * @returns {Tensor}
 */
function matrixProducts(a, b, columns, steps, context) {
  const outer = a.shape.slice(0, -2);
  const [rows, inner] = a.shape.slice(-2);
  const count = size(outer);
  const left = leftFactors(context, [1], () =>
    Array.from({ length: count }, (_, i) => ({ a: part(b, i, count), rows: columns, inner, ...steps })),
  );
  const places = once(context, "places", () =>
    context.products.places({ start: every(inner, rows), offset: every(1, inner) }),
  );
  const data = new Float32Array(count * rows * columns);
  left.forEach((factor, i) => {
    const product = context.products.multiply(factor, places, part(a.data, i, count));
    part(data, i, count).set(gather(product, [rows, columns], [1, rows]));
  });
  return { data, shape: [...outer, rows, columns] };
}

function Gemm([a, b, c], { alpha = 1, beta = 1, transA = 0, transB = 0 }, context) {
  const [inner, columns] = transB ? [b.shape[1], b.shape[0]] : b.shape;
  const steps = transB ? { rowStep: inner, innerStep: 1 } : { rowStep: 1, innerStep: columns };
  const product = matrixProducts(transA ? Transpose([a], {}) : a, b.data, columns, steps, context);
  if (!c) return alpha === 1 ? product : each(product, (v) => alpha * v);
  return pairwise(product, c, (v, bias) => alpha * v + beta * bias);
}

/** The last two axes are matrices, the axes before them are broadcast; a vector counts as a row or as a column. */
function MatMul([a, b], _, context) {
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const columns = right.at(-1);
  const outer = commonShape(left.slice(0, -2), right.slice(0, -2));
  const shape = [...outer, ...left.slice(-2)];
  const lefts = { data: expand({ data: a.data, shape: left }, shape), shape };
  const rights = expand({ data: b.data, shape: right }, [...outer, ...right.slice(-2)]);
  const { data } = matrixProducts(lefts, rights, columns, { rowStep: 1, innerStep: columns }, context);
  const ends = [...(a.shape.length === 1 ? [] : [left.at(-2)]), ...(b.shape.length === 1 ? [] : [columns])];
  return { data, shape: [...outer, ...ends] };
}

// ------------------------------------------------------------------------------------------ convolutions and pooling

/**
 * The settings of a window that slides over an image, with the defaults of ONNX.
 * @param {Attributes} attributes
 * @param {number[]} kernel height and width of the window
 */
function windowOf(attributes, [kernelHeight, kernelWidth]) {
  const { strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1 } = attributes;
  const spans = [dilations[0] * (kernelHeight - 1) + 1, dilations[1] * (kernelWidth - 1) + 1];
  return { strides, pads, dilations, group, spans, kernelHeight, kernelWidth, taps: kernelHeight * kernelWidth };
}

/**
 * How many positions a window has along an axis. In ceil mode the last one may reach over the padding, but starts
 * before it.
 */
function positionsOf({ strides, pads, spans }, length, axis, ceilMode = 0) {
  const steps = (length + pads[axis] + pads[axis + 2] - spans[axis]) / strides[axis];
  if (!ceilMode) return Math.floor(steps) + 1;
  const last = Math.ceil(steps);
  return last * strides[axis] < length + pads[axis] ? last + 1 : last;
}

/** The images with zeros around them. @returns {Tensor} */
function bordered(x, [top, left, bottom, right]) {
  if (top + left + bottom + right === 0) return x;
  const [batch, channels, height, width] = x.shape;
  const shape = [batch, channels, top + height + bottom, left + width + right];
  const data = new Float32Array(size(shape));
  let to = top * shape[3] + left;
  for (let plane = 0, from = 0; plane < batch * channels; plane++, to += (top + bottom) * shape[3]) {
    for (let y = 0; y < height; y++, from += width, to += shape[3]) data.set(x.data.subarray(from, from + width), to);
  }
  return { data, shape };
}

/**
 * An operator on images (batch, channel, height, width) does the same to lines (batch, channel, place): they count as
 * images of height 1.
 */
function alongLines(operator, tensors, attributes, context) {
  const image = ({ data, shape: [first, second, length] }, i) => {
    return i === 2 ? tensors[i] : { data, shape: [first, second, 1, length] }; // the third one is the bias
  };
  const { strides = [1], dilations = [1], pads = [0, 0], output_padding: extra = [0], kernel_shape: kernel } = attributes;
  const onImages = {
    ...attributes,
    strides: [1, ...strides],
    dilations: [1, ...dilations],
    pads: [0, pads[0], 0, pads[1]],
    output_padding: [0, ...extra],
    kernel_shape: [1, kernel?.[0]],
  };
  const { data, shape } = operator(tensors.map(image), onImages, context);
  return { data, shape: [shape[0], shape[1], shape[3]] };
}

/** A product of the kernels with the windows of the image: a window starts at its corner, a tap lies at an offset. */
function Conv([x, weight, bias], attributes, context) {
  if (x.shape.length === 3) return alongLines(Conv, [x, weight, bias], attributes, context);
  const [batch, , height, width] = x.shape;
  const [outChannels, channels, ...kernel] = weight.shape; // the channels of one group
  const w = windowOf(attributes, kernel);
  const image = bordered(x, w.pads);
  const grid = [positionsOf(w, height, 0), positionsOf(w, width, 1)];
  const rows = outChannels / w.group;
  const kernels = leftFactors(context, [1, 2], () =>
    Array.from({ length: w.group }, (_, g) => ({
      a: part(weight.data, g, w.group),
      rows,
      inner: channels * w.taps,
      rowStep: channels * w.taps,
      innerStep: 1,
      bias: bias && part(bias.data, g, w.group),
    })),
  );
  const windows = once(context, "places", () => context.products.places(windowsOf(image, grid, channels, w)));
  const parts = batch * w.group;
  const data = new Float32Array(batch * outChannels * grid[0] * grid[1]);
  for (let i = 0; i < parts; i++) {
    const product = context.products.multiply(kernels[i % w.group], windows, part(image.data, i, parts));
    part(data, i, parts).set(product);
  }
  return { data, shape: [batch, outChannels, ...grid] };
}

/** Where the windows of an image start, and how far from there their taps lie, channel by channel. */
function windowsOf(image, [rows, columns], channels, w) {
  const [height, width] = image.shape.slice(2);
  const start = Int32Array.from({ length: rows * columns }, (_, position) => {
    return Math.floor(position / columns) * w.strides[0] * width + (position % columns) * w.strides[1];
  });
  const offset = Int32Array.from({ length: channels * w.taps }, (_, k) => {
    const [channel, tap] = [Math.floor(k / w.taps), k % w.taps];
    const [tapY, tapX] = [Math.floor(tap / w.kernelWidth), tap % w.kernelWidth];
    return (channel * height + tapY * w.dilations[0]) * width + tapX * w.dilations[1];
  });
  return { start, offset };
}

/**
 * The reverse walk: a product gives what every pixel of x adds to the window around it, and the windows are added up.
 */
function ConvTranspose([x, weight, bias], attributes, context) {
  if (x.shape.length === 3) return alongLines(ConvTranspose, [x, weight, bias], attributes, context);
  const [batch, channels, height, width] = x.shape;
  const [, groupChannels, ...kernel] = weight.shape;
  const w = windowOf(attributes, kernel);
  const extra = attributes.output_padding ?? [0, 0];
  const reach = (length, axis) =>
    w.strides[axis] * (length - 1) + extra[axis] + w.spans[axis] - w.pads[axis] - w.pads[axis + 2];
  const image = [reach(height, 0), reach(width, 1)];
  const inner = channels / w.group;
  const rows = groupChannels * w.taps;
  const outChannels = groupChannels * w.group;
  const kernels = leftFactors(context, [1], () =>
    Array.from({ length: w.group }, (_, g) => ({
      a: part(weight.data, g, w.group),
      rows,
      inner,
      rowStep: 1,
      innerStep: rows,
    })),
  );
  const pixels = once(context, "places", () =>
    context.products.places({ start: every(1, height * width), offset: every(height * width, inner) }),
  );
  const data = new Float32Array(batch * outChannels * image[0] * image[1]);
  const planes = batch * outChannels;
  if (bias) for (let i = 0; i < planes; i++) part(data, i, planes).fill(bias.data[i % outChannels]);
  const parts = batch * w.group;
  for (let i = 0; i < parts; i++) {
    const patches = context.products.multiply(kernels[i % w.group], pixels, part(x.data, i, parts));
    addWindows(part(data, i, parts), image, patches, groupChannels, [height, width], w);
  }
  return { data, shape: [batch, outChannels, ...image] };
}

/**
 * Adds windows to an image where they overlap it ("col2im"). `patches` holds, for every channel and tap, the grid of
 * the window's positions.
 * @param {number[]} image height and width
 * @param {number[]} grid height and width
 */
function addWindows(out, [height, width], patches, channels, [gridHeight, gridWidth], w) {
  const [strideY, strideX] = w.strides;
  let patch = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let tapY = 0; tapY < w.kernelHeight; tapY++) {
      for (let tapX = 0; tapX < w.kernelWidth; tapX++) {
        const shiftX = tapX * w.dilations[1] - w.pads[1];
        const first = Math.max(0, Math.ceil(-shiftX / strideX)); // the columns from here to `last` lie in the image
        const last = Math.min(gridWidth, Math.ceil((width - shiftX) / strideX));
        for (let gridY = 0; gridY < gridHeight; gridY++, patch += gridWidth) {
          const y = gridY * strideY + tapY * w.dilations[0] - w.pads[0];
          if (y < 0 || y >= height) continue;
          const line = (channel * height + y) * width + shiftX;
          for (let i = first; i < last; i++) out[line + i * strideX] += patches[patch + i];
        }
      }
    }
  }
}

/**
 * Slides a window over every channel and folds what it covers into one number.
 * @param {(total: number, value: number) => number} f
 * @param {(total: number, inside: number, covered: number) => number} finish gets the number of pixels that the window
 *   covers inside of the image, and with the padding
 */
function pool(x, attributes, first, f, finish) {
  const [batch, channels, height, width] = x.shape;
  const w = windowOf(attributes, attributes.kernel_shape);
  const ceilMode = attributes.ceil_mode;
  const grid = [positionsOf(w, height, 0, ceilMode), positionsOf(w, width, 1, ceilMode)];
  const data = new Float32Array(batch * channels * grid[0] * grid[1]);
  for (let plane = 0, to = 0; plane < batch * channels; plane++) {
    for (let gridY = 0; gridY < grid[0]; gridY++) {
      for (let gridX = 0; gridX < grid[1]; gridX++, to++) {
        let total = first;
        let inside = 0;
        let covered = 0;
        for (let tapY = 0; tapY < w.kernelHeight; tapY++) {
          const y = gridY * w.strides[0] + tapY * w.dilations[0] - w.pads[0];
          for (let tapX = 0; tapX < w.kernelWidth; tapX++) {
            const column = gridX * w.strides[1] + tapX * w.dilations[1] - w.pads[1];
            if (y < height + w.pads[2] && column < width + w.pads[3]) covered++;
            if (y < 0 || y >= height || column < 0 || column >= width) continue;
            inside++;
            total = f(total, x.data[(plane * height + y) * width + column]);
          }
        }
        data[to] = finish(total, inside, covered);
      }
    }
  }
  return { data, shape: [batch, channels, ...grid] };
}

function MaxPool([x], attributes) {
  if (x.shape.length === 3) return alongLines(MaxPool, [x], attributes);
  return pool(x, attributes, -Infinity, Math.max, (most) => most);
}

function AveragePool([x], attributes) {
  if (x.shape.length === 3) return alongLines(AveragePool, [x], attributes);
  const mean = attributes.count_include_pad ? (sum, _, covered) => sum / covered : (sum, inside) => sum / inside;
  return pool(x, attributes, 0, (sum, v) => sum + v, mean);
}

function GlobalAveragePool([x]) {
  const pixels = Float64Array.from(x.shape.keys()).slice(2);
  return ReduceMean([x, { data: pixels, shape: [pixels.length] }], {});
}

// --------------------------------------------------------------------------------------------------- what is known

/**
 * Attribute values that an operator here is limited to, where ONNX knows more. Plain JSON, since `network.py` reads
 * it too; "weight rank" is the number of axes of the second input, "kernel rank" that of a window, "outputs" counts.
 */
export const limits = {
  "AveragePool": { "auto_pad": ["NOTSET"], "kernel rank": [1, 2] },
  "BatchNormalization": { "training_mode": [0] },
  "Conv": { "auto_pad": ["NOTSET"], "weight rank": [3, 4] },
  "ConvTranspose": { "auto_pad": ["NOTSET"], "weight rank": [3, 4], "output_shape": [] },
  "LayerNormalization": { "outputs": [1] },
  "MaxPool": { "auto_pad": ["NOTSET"], "kernel rank": [1, 2], "outputs": [1] },
  "Pad": { "mode": ["constant", "edge", "reflect"] },
  "Resize": {
    "mode": ["linear", "nearest"],
    "coordinate_transformation_mode": ["align_corners", "asymmetric", "half_pixel"],
    "nearest_mode": ["floor", "round_prefer_floor"],
    "keep_aspect_ratio_policy": ["stretch"],
    "antialias": [0],
    "axes": []
  }
};

/** Every operator by its name in ONNX; `network.py` reads this table too. */
export const operators = {
  Abs,
  Add,
  And,
  AveragePool,
  BatchNormalization,
  Cast,
  Celu,
  Clip,
  Concat,
  Conv,
  ConvTranspose,
  Cos,
  DepthToSpace,
  Div,
  Elu,
  Equal,
  Erf,
  Exp,
  Expand,
  Flatten,
  Floor,
  Gather,
  Gelu,
  Gemm,
  GlobalAveragePool,
  Greater,
  GreaterOrEqual,
  HardSigmoid,
  HardSwish,
  Identity,
  InstanceNormalization,
  LayerNormalization,
  LeakyRelu,
  Less,
  LessOrEqual,
  Log,
  LogSoftmax,
  MatMul,
  Max,
  MaxPool,
  Min,
  Mish,
  Mul,
  Neg,
  Not,
  Or,
  Pad,
  Pow,
  PRelu,
  Reciprocal,
  ReduceL2,
  ReduceMax,
  ReduceMean,
  ReduceSum,
  Relu,
  Reshape,
  Resize,
  Selu,
  Sigmoid,
  Sign,
  Sin,
  Slice,
  Softmax,
  Softplus,
  Split,
  Sqrt,
  Squeeze,
  Sub,
  Tanh,
  Transpose,
  Unsqueeze,
  Where,
};
