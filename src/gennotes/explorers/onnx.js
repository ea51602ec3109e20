/**
 * A small interpreter of ONNX graphs: it runs a trained network in the page, with no library and no server.
 *
 * `network.py` packs a graph, `load` unpacks it, `run` walks through its nodes in their order. One operator of ONNX is
 * one function below; https://onnx.ai/onnx/operators/ says what each of them computes. To add an operator, write its
 * function and name it in `operators`: the packer reads that table, and refuses a network that needs more.
 *
 * @typedef {Float32Array | Float64Array | Uint8Array} Numbers floats, integers (exact up to 2^53), truth values
 * @typedef {{ data: Numbers, shape: number[] }} Tensor row-major, as in PyTorch
 * @typedef {Record<string, any>} Attributes
 * @typedef {{ op: string, name: string, inputs: string[], outputs: string[], attributes: Attributes }} Node
 * @typedef {{ shape: number[], kind: "float" | "int" | "bool", values?: number[], start?: number }} Constant
 * @typedef {{ name: string, shape: number[] }} Port
 * @typedef {{ inputs: Port[], outputs: Port[], nodes: Node[], constants: Record<string, Constant>,
 *             precision: "float16" | "float32", weights: string }} Network
 */

// ---------------------------------------------------------------------------------------------------------- loading

/**
 * Unpacks a network.
 * @param {Network} network as `network.py` packs it
 * @returns {{ inputs: Port[], outputs: Port[],
 *             run: (inputs: Record<string, ArrayLike<number>>) => Record<string, Float32Array> }}
 */
export function load(network) {
  const constants = unpackConstants(network);
  for (const node of network.nodes) {
    if (!Object.hasOwn(operators, node.op)) throw new Error(`operator ${node.op} (${node.name}) is unknown`);
  }

  function run(inputs) {
    const values = new Map(constants);
    for (const { name, shape } of network.inputs) {
      if (!(name in inputs)) throw new Error(`input "${name}" is missing`);
      if (inputs[name].length !== size(shape)) {
        throw new Error(`input "${name}" has ${inputs[name].length} numbers, its shape [${shape}] needs ${size(shape)}`);
      }
      values.set(name, { data: Float32Array.from(inputs[name]), shape });
    }
    for (const node of network.nodes) {
      const given = node.inputs.map((name) => values.get(name)); // an optional input that is left out is undefined
      const results = [operators[node.op](given, node.attributes, node.outputs.length)].flat();
      node.outputs.forEach((name, i) => values.set(name, results[i]));
    }
    return Object.fromEntries(network.outputs.map(({ name }) => [name, values.get(name).data]));
  }

  return { inputs: network.inputs, outputs: network.outputs, run };
}

/** @param {Network} network @returns {Map<string, Tensor>} */
function unpackConstants(network) {
  const text = atob(network.weights);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  const weights = network.precision === "float16" ? fromFloat16(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
  const constants = new Map();
  for (const [name, { shape, kind, values, start }] of Object.entries(network.constants)) {
    const data = values ? arrayOf[kind].from(values) : weights.subarray(start, start + size(shape));
    constants.set(name, { data, shape });
  }
  return constants;
}

const arrayOf = { float: Float32Array, int: Float64Array, bool: Uint8Array };

/** Half precision to single: 1 bit sign, 5 bits exponent, 10 bits fraction. */
function fromFloat16(halves) {
  const scale = Float32Array.from({ length: 32 }, (_, exponent) => 2 ** (exponent - 15));
  const singles = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const exponent = (halves[i] >> 10) & 31;
    const fraction = (halves[i] & 1023) / 1024;
    const magnitude = exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * scale[exponent];
    singles[i] = halves[i] & 0x8000 ? -magnitude : magnitude;
  }
  return singles;
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

/** Reads `data` in the order of `shape` with the given strides, from `start`. @returns {Numbers} */
function gather(data, shape, strides, start = 0) {
  const result = new data.constructor(size(shape));
  const index = new Array(shape.length).fill(0);
  for (let i = 0, at = start; i < result.length; i++) {
    result[i] = data[at];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= index[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return result;
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
function pairwise(a, b, f, ArrayType = a.data.constructor) {
  const shape = commonShape(a.shape, b.shape);
  const left = expand(a, shape);
  const right = expand(b, shape);
  const data = new ArrayType(size(shape));
  for (let i = 0; i < data.length; i++) data[i] = f(left[i], right[i]);
  return { data, shape };
}

// ------------------------------------------------------------------------------------------------ number by number

function Add([a, b]) {
  return pairwise(a, b, (x, y) => x + y);
}

function Sub([a, b]) {
  return pairwise(a, b, (x, y) => x - y);
}

function Mul([a, b]) {
  return pairwise(a, b, (x, y) => x * y);
}

function Div([a, b]) {
  const whole = a.data instanceof Float64Array; // integers divide towards zero
  return pairwise(a, b, whole ? (x, y) => Math.trunc(x / y) : (x, y) => x / y);
}

function Pow([a, b]) {
  return pairwise(a, b, (x, y) => x ** y);
}

function Max(tensors) {
  return tensors.reduce((a, b) => pairwise(a, b, (x, y) => Math.max(x, y)));
}

function Min(tensors) {
  return tensors.reduce((a, b) => pairwise(a, b, (x, y) => Math.min(x, y)));
}

function Greater([a, b]) {
  return pairwise(a, b, (x, y) => Number(x > y), Uint8Array);
}

function Less([a, b]) {
  return pairwise(a, b, (x, y) => Number(x < y), Uint8Array);
}

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

function Neg([x]) {
  return each(x, (v) => -v);
}

function Abs([x]) {
  return each(x, Math.abs);
}

function Exp([x]) {
  return each(x, Math.exp);
}

function Log([x]) {
  return each(x, Math.log);
}

function Sqrt([x]) {
  return each(x, Math.sqrt);
}

function Reciprocal([x]) {
  return each(x, (v) => 1 / v);
}

function Clip([x, low, high]) {
  const least = low ? low.data[0] : -Infinity;
  const most = high ? high.data[0] : Infinity;
  return each(x, (v) => Math.min(Math.max(v, least), most));
}

function Relu([x]) {
  return each(x, (v) => Math.max(v, 0));
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

function Sigmoid([x]) {
  return each(x, (v) => 1 / (1 + Math.exp(-v)));
}

function Tanh([x]) {
  return each(x, Math.tanh);
}

/** log(1 + eˣ), written so that a large x does not overflow. */
function Softplus([x]) {
  return each(x, (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))));
}

function Erf([x]) {
  return each(x, erf);
}

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

function Split([x, sizes], { axis = 0 }, count) {
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

/** Nearest neighbours only. */
function Resize([x, , scales, sizes], attributes) {
  const { coordinate_transformation_mode: mode = "half_pixel", nearest_mode: rounding = "round_prefer_floor" } = attributes;
  const shape = sizes ? integers(sizes) : x.shape.map((length, axis) => Math.floor(length * scales.data[axis]));
  const source = shape.map((length, axis) => {
    const scale = sizes ? length / x.shape[axis] : scales.data[axis];
    return Array.from({ length }, (_, i) => {
      const at = mode === "asymmetric" ? i / scale : (i + 0.5) / scale - 0.5;
      const nearest = rounding === "floor" ? Math.floor(at) : Math.ceil(at - 0.5);
      return Math.min(Math.max(nearest, 0), x.shape[axis] - 1);
    });
  });
  let result = x;
  source.forEach((positions, axis) => {
    if (positions.length !== x.shape[axis] || positions.some((at, i) => at !== i)) result = take(result, positions, axis);
  });
  return result;
}

/** The slices of x at the given positions along one axis. @returns {Tensor} */
function take(x, positions, axis) {
  const shape = x.shape.with(axis, positions.length);
  const inner = size(shape.slice(axis + 1));
  const outer = size(shape.slice(0, axis));
  const data = new x.data.constructor(size(shape));
  for (let row = 0, to = 0; row < outer; row++) {
    for (const position of positions) {
      const from = (row * x.shape[axis] + position) * inner;
      data.set(x.data.subarray(from, from + inner), to);
      to += inner;
    }
  }
  return { data, shape };
}

// -------------------------------------------------------------------------------------------------------- reductions

function ReduceSum([x, axes], { keepdims = 1, noop_with_empty_axes: noop = 0 }) {
  const rank = x.shape.length;
  const given = integers(axes) ?? [];
  if (given.length === 0 && noop) return x;
  const summed = x.shape.map((_, axis) => given.length === 0 || given.some((a) => positive(a, rank) === axis));
  const kept = x.shape.map((length, axis) => (summed[axis] ? 1 : length));
  const strides = stridesOf(kept).map((stride, axis) => (summed[axis] ? 0 : stride));
  const sums = new Float64Array(size(kept));
  const places = gather(Float64Array.from(sums.keys()), x.shape, strides); // where each number of x is added
  for (let i = 0; i < x.data.length; i++) sums[places[i]] += x.data[i];
  return { data: x.data.constructor.from(sums), shape: keepdims ? kept : kept.filter((_, axis) => !summed[axis]) };
}

function ReduceMean([x, axes], attributes) {
  const sum = ReduceSum([x, axes], attributes);
  const count = x.data.length / sum.data.length;
  return each(sum, (v) => v / count);
}

function Softmax([x], { axis = -1 }) {
  const along = positive(axis, x.shape.length);
  const length = x.shape[along];
  const inner = size(x.shape.slice(along + 1));
  const data = new Float32Array(x.data.length);
  for (let row = 0; row < x.data.length; row += length * inner) {
    for (let column = 0; column < inner; column++) {
      const start = row + column;
      let most = -Infinity;
      for (let i = 0; i < length; i++) most = Math.max(most, x.data[start + i * inner]);
      let sum = 0;
      for (let i = 0; i < length; i++) sum += data[start + i * inner] = Math.exp(x.data[start + i * inner] - most);
      for (let i = 0; i < length; i++) data[start + i * inner] /= sum;
    }
  }
  return { data, shape: x.shape };
}

function BatchNormalization([x, scale, bias, mean, variance], { epsilon = 1e-5 }) {
  const [batch, channels] = x.shape;
  const inner = x.data.length / (batch * channels);
  const data = new Float32Array(x.data.length);
  for (let row = 0; row < batch * channels; row++) {
    const c = row % channels;
    const slope = scale.data[c] / Math.sqrt(variance.data[c] + epsilon);
    const shift = bias.data[c] - slope * mean.data[c];
    for (let i = row * inner; i < (row + 1) * inner; i++) data[i] = slope * x.data[i] + shift;
  }
  return { data, shape: x.shape };
}

// ------------------------------------------------------------------------------------------------- matrix products

/**
 * out += A · B for a matrix A (rows × inner) and a row-major matrix B (inner × columns).
 * The number (i, k) of A lies at aStart + i · aRow + k · aColumn, so that A may be a transposed matrix.
 * Four rows of B are taken at once, in strips short enough to stay in the cache: each number of `out` is then
 * read and written once for four products.
 */
function addProduct(out, outStart, a, aStart, aRow, aColumn, b, bStart, rows, inner, columns) {
  const strip = 256;
  for (let left = 0; left < columns; left += strip) {
    const width = Math.min(strip, columns - left);
    for (let i = 0; i < rows; i++) {
      const o = outStart + i * columns + left;
      let at = aStart + i * aRow;
      let row = bStart + left;
      let k = 0;
      for (; k + 4 <= inner; k += 4, at += 4 * aColumn, row += 4 * columns) {
        const a0 = a[at];
        const a1 = a[at + aColumn];
        const a2 = a[at + 2 * aColumn];
        const a3 = a[at + 3 * aColumn];
        const row1 = row + columns;
        const row2 = row1 + columns;
        const row3 = row2 + columns;
        for (let j = 0; j < width; j++) {
          out[o + j] += a0 * b[row + j] + a1 * b[row1 + j] + a2 * b[row2 + j] + a3 * b[row3 + j];
        }
      }
      for (; k < inner; k++, at += aColumn, row += columns) {
        for (let j = 0; j < width; j++) out[o + j] += a[at] * b[row + j];
      }
    }
  }
}

/** out += A · Bᵀ for row-major matrices A (rows × inner) and B (columns × inner): every number is a dot product. */
function addProductTransposed(out, a, b, rows, inner, columns) {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const p = i * inner;
      const q = j * inner;
      let even = 0; // two sums, since one alone would wait for itself at each step
      let odd = 0;
      let k = 0;
      for (; k + 2 <= inner; k += 2) {
        even += a[p + k] * b[q + k];
        odd += a[p + k + 1] * b[q + k + 1];
      }
      if (k < inner) even += a[p + k] * b[q + k];
      out[i * columns + j] += even + odd;
    }
  }
}

function Gemm([a, b, c], { alpha = 1, beta = 1, transA = 0, transB = 0 }) {
  const left = transA ? Transpose([a], {}) : a;
  const [rows, inner] = left.shape;
  const columns = transB ? b.shape[0] : b.shape[1];
  const product = { data: new Float32Array(rows * columns), shape: [rows, columns] };
  if (transB) addProductTransposed(product.data, left.data, b.data, rows, inner, columns);
  else addProduct(product.data, 0, left.data, 0, inner, 1, b.data, 0, rows, inner, columns);
  if (!c) return alpha === 1 ? product : each(product, (v) => alpha * v);
  return pairwise(product, c, (v, bias) => alpha * v + beta * bias);
}

/** The last two axes are matrices, the axes before them are broadcast; a vector counts as a row or as a column. */
function MatMul([a, b]) {
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const [rows, inner] = left.slice(-2);
  const columns = right.at(-1);
  const outer = commonShape(left.slice(0, -2), right.slice(0, -2));
  const lefts = expand({ data: a.data, shape: left }, [...outer, rows, inner]);
  const rights = expand({ data: b.data, shape: right }, [...outer, inner, columns]);
  const data = new Float32Array(size(outer) * rows * columns);
  for (let i = 0; i < size(outer); i++) {
    const b0 = i * inner * columns;
    addProduct(data, i * rows * columns, lefts, i * rows * inner, inner, 1, rights, b0, rows, inner, columns);
  }
  const ends = [...(a.shape.length === 1 ? [] : [rows]), ...(b.shape.length === 1 ? [] : [columns])];
  return { data, shape: [...outer, ...ends] };
}

// ------------------------------------------------------------------------------------------------------ convolutions

/** The settings that both convolutions share, with the defaults of ONNX. */
function windowOf({ strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1 }, [kernelHeight, kernelWidth]) {
  return { strides, pads, dilations, group, kernelHeight, kernelWidth, taps: kernelHeight * kernelWidth };
}

/**
 * Calls visit(row, from, to) for every tap of a window and every line of the grid that it slides over: `row` is
 * the row (channel, tap) of the matrix of patches with the line's offset, `from` the place in the padded image,
 * and visits only columns that lie inside of the image.
 *
 * Both convolutions are a matrix product and this one walk: Conv reads the image into the matrix of patches
 * ("im2col"), ConvTranspose adds the matrix back into the image ("col2im").
 * @param {number} channels
 * @param {[number, number]} image height and width of the image
 * @param {[number, number]} grid height and width of the grid of window positions
 */
function walkPatches(channels, [height, width], [gridHeight, gridWidth], w, visit) {
  let patch = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let tapY = 0; tapY < w.kernelHeight; tapY++) {
      for (let tapX = 0; tapX < w.kernelWidth; tapX++) {
        const shiftX = tapX * w.dilations[1] - w.pads[1];
        const first = Math.max(0, Math.ceil(-shiftX / w.strides[1]));
        const last = Math.min(gridWidth, Math.ceil((width - shiftX) / w.strides[1]));
        for (let gridY = 0; gridY < gridHeight; gridY++, patch += gridWidth) {
          const y = gridY * w.strides[0] + tapY * w.dilations[0] - w.pads[0];
          if (y < 0 || y >= height || first >= last) continue;
          const line = (channel * height + y) * width;
          visit(patch + first, line + first * w.strides[1] + shiftX, last - first);
        }
      }
    }
  }
}

function Conv([x, weight, bias], attributes) {
  const [batch, channels, height, width] = x.shape;
  const [outChannels, groupChannels, ...kernel] = weight.shape;
  const w = windowOf(attributes, kernel);
  const reach = (length, axis) => {
    const span = w.dilations[axis] * (kernel[axis] - 1) + 1;
    return Math.floor((length + w.pads[axis] + w.pads[axis + 2] - span) / w.strides[axis]) + 1;
  };
  const grid = [reach(height, 0), reach(width, 1)];
  const area = grid[0] * grid[1];
  const rows = outChannels / w.group;
  const inner = groupChannels * w.taps;
  const data = new Float32Array(batch * outChannels * area);
  if (bias) for (let i = 0; i < batch * outChannels; i++) data.fill(bias.data[i % outChannels], i * area, (i + 1) * area);
  const step = w.strides[1];
  for (let image = 0; image < batch; image++) {
    for (let g = 0; g < w.group; g++) {
      const start = (image * channels + g * groupChannels) * height * width;
      const patches = new Float32Array(inner * area); // zero where the window reaches over the edge
      walkPatches(groupChannels, [height, width], grid, w, (patch, at, count) => {
        for (let i = 0; i < count; i++) patches[patch + i] = x.data[start + at + i * step];
      });
      const out = (image * outChannels + g * rows) * area;
      addProduct(data, out, weight.data, g * rows * inner, inner, 1, patches, 0, rows, inner, area);
    }
  }
  return { data, shape: [batch, outChannels, ...grid] };
}

function ConvTranspose([x, weight, bias], attributes) {
  const [batch, channels, height, width] = x.shape;
  const [, groupChannels, ...kernel] = weight.shape;
  const w = windowOf(attributes, kernel);
  const extra = attributes.output_padding ?? [0, 0];
  const reach = (length, axis) =>
    w.strides[axis] * (length - 1) + extra[axis] + w.dilations[axis] * (kernel[axis] - 1) + 1 - w.pads[axis] - w.pads[axis + 2];
  const image = [reach(height, 0), reach(width, 1)];
  const area = image[0] * image[1];
  const inner = channels / w.group;
  const rows = groupChannels * w.taps;
  const outChannels = groupChannels * w.group;
  const data = new Float32Array(batch * outChannels * area);
  if (bias) for (let i = 0; i < batch * outChannels; i++) data.fill(bias.data[i % outChannels], i * area, (i + 1) * area);
  const step = w.strides[1];
  for (let n = 0; n < batch; n++) {
    for (let g = 0; g < w.group; g++) {
      const patches = new Float32Array(rows * height * width);
      const from = (n * channels + g * inner) * height * width;
      addProduct(patches, 0, weight.data, g * inner * rows, 1, rows, x.data, from, rows, inner, height * width);
      const start = (n * outChannels + g * groupChannels) * area;
      walkPatches(groupChannels, image, [height, width], w, (patch, at, count) => {
        for (let i = 0; i < count; i++) data[start + at + i * step] += patches[patch + i];
      });
    }
  }
  return { data, shape: [batch, outChannels, ...image] };
}

// --------------------------------------------------------------------------------------------------- what is known

/**
 * Attribute values that an operator here is limited to, where ONNX knows more. Plain JSON, since `network.py` reads
 * it too; "weight rank" is the number of axes of the second input.
 */
export const limits = {
  "Conv": { "auto_pad": ["NOTSET"], "weight rank": [4] },
  "ConvTranspose": { "auto_pad": ["NOTSET"], "weight rank": [4], "output_shape": [] },
  "BatchNormalization": { "training_mode": [0] },
  "Resize": {
    "mode": ["nearest"],
    "coordinate_transformation_mode": ["asymmetric", "half_pixel"],
    "nearest_mode": ["floor", "round_prefer_floor"],
    "keep_aspect_ratio_policy": ["stretch"],
    "axes": []
  }
};

/** Every operator by its name in ONNX; `network.py` reads this table too. */
export const operators = {
  Abs,
  Add,
  BatchNormalization,
  Cast,
  Clip,
  Concat,
  Conv,
  ConvTranspose,
  Div,
  Elu,
  Erf,
  Exp,
  Flatten,
  Gelu,
  Gemm,
  Greater,
  Identity,
  LeakyRelu,
  Less,
  Log,
  MatMul,
  Max,
  Min,
  Mul,
  Neg,
  Pow,
  PRelu,
  Reciprocal,
  ReduceMean,
  ReduceSum,
  Relu,
  Reshape,
  Resize,
  Sigmoid,
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
