/**
 * A GAN on points of the plane, written out: random numbers, two networks, backpropagation, Adam, losses and penalties.
 *
 * What belongs to a batch stands in a matrix with a column for each item and a row for each unit, one row after another:
 * a batch of B points is x[axis · B + item]. Matrix products are computed by `product.js`.
 *
 * @typedef {{ means: number[][], std: number }} World an equal mixture of round normals: its modes and their σ
 * @typedef {{ loss: keyof LOSSES, d_steps: number, penalty: "none" | keyof PENALTIES,
 *             weight: number, d_rate: number, g_rate: number }} Rules what may change from one update to the next
 * @typedef {{ seed: number, batch: number, codes: number, width: number, pack: number }} Shape what stays for a run
 */

import { makeProducts } from "./product.js";

/** So many numbers, each what `make` gives for its place. */
function fill(length, make) {
  const numbers = new Float32Array(length);
  for (let i = 0; i < length; i++) numbers[i] = make(i);
  return numbers;
}

// ----------------------------------------------------------------------------------------------------- random numbers

/** Random numbers that a seed repeats: `uniform` in [0, 1), `normal` from N(0, 1). */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
    this.spare = null;
  }

  /** Tommy Ettinger's mulberry32: a counter, and a hash of 32 bits. */
  uniform() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let hash = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    hash ^= hash + Math.imul(hash ^ (hash >>> 7), hash | 61);
    return ((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Box and Muller 1958: a radius and an angle give two draws, of which one is spared. */
  normal() {
    if (this.spare !== null) {
      const spare = this.spare;
      this.spare = null;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Codes z from N(0, I), a column each. */
  codes(dimensions, count) {
    const z = new Float32Array(dimensions * count);
    for (let i = 0; i < z.length; i++) z[i] = this.normal();
    return z;
  }

  /** Points of a world, a column each. @param {World} world */
  points({ means, std }, count) {
    const x = new Float32Array(2 * count);
    for (let item = 0; item < count; item++) {
      const mean = means[Math.floor(means.length * this.uniform())];
      x[item] = mean[0] + std * this.normal();
      x[count + item] = mean[1] + std * this.normal();
    }
    return x;
  }
}

// ----------------------------------------------------------------------------------------------------------- networks

/** y = W x + b: the weights, their gradients, and the three products that a network and its gradients are made of. */
class Linear {
  constructor(inputs, outputs, random, products) {
    Object.assign(this, { inputs, outputs, products });
    const bound = 1 / Math.sqrt(inputs); // as in torch's nn.Linear
    const draw = () => bound * (2 * random.uniform() - 1);
    this.weight = fill(outputs * inputs, draw);
    this.bias = fill(outputs, draw);
    this.weightGradient = new Float32Array(outputs * inputs);
    this.biasGradient = new Float32Array(outputs);
  }

  /** W x, and b if wanted: (outputs, count), which holds until the next product. */
  times(x, count, bias) {
    const { weight: a, outputs: rows, inputs: inner } = this;
    const columns = this.places(count, 1, inner, count);
    return this.products.multiply({ a, rows, inner, rowStep: inner, innerStep: 1, bias }, columns, x);
  }

  /** Wᵀ δ: (inputs, count), which holds until the next product. */
  transposedTimes(delta, count) {
    const { weight: a, inputs: rows, outputs: inner } = this;
    const columns = this.places(count, 1, inner, count);
    return this.products.multiply({ a, rows, inner, rowStep: 1, innerStep: rows }, columns, delta);
  }

  /** Adds δ xᵀ, summed over the items, to the gradient of W. */
  addOuter(delta, x, count) {
    const { outputs: rows, inputs, weightGradient } = this;
    const columns = this.places(inputs, count, count, 1);
    const sum = this.products.multiply({ a: delta, rows, inner: count, rowStep: count, innerStep: 1 }, columns, x);
    for (let i = 0; i < sum.length; i++) weightGradient[i] += sum[i];
  }

  /** Adds δ, summed over the items, to the gradient of b. */
  addSum(delta, count) {
    for (let row = 0; row < this.outputs; row++) {
      let sum = 0;
      for (let i = row * count; i < (row + 1) * count; i++) sum += delta[i];
      this.biasGradient[row] += sum;
    }
  }

  /** Where the right factor of a product stands: columns that begin `step` apart, each of `inner` numbers, `apart`. */
  places(columns, step, inner, apart) {
    const key = [columns, step, inner, apart].join();
    this.known ??= {};
    const list = (length, factor) => Int32Array.from({ length }, (_, i) => factor * i);
    return (this.known[key] ??= this.products.places({ start: list(columns, step), offset: list(inner, apart) }));
  }
}

/** Linear layers with a LeakyReLU between them: max(y, left · y). */
export class Network {
  constructor(sizes, random, products, left = 0.2) {
    Object.assign(this, { left, rooms: new Map() });
    this.layers = sizes.slice(1).map((outputs, l) => new Linear(sizes[l], outputs, random, products));
  }

  /** The outputs for a batch, until the next one of its size. Keeps what went into each layer, for the way back. */
  forward(x, count) {
    this.count = count;
    this.values = [x];
    this.layers.forEach((layer, l) => {
      const y = layer.times(this.values[l], count, layer.bias);
      this.values.push(this.bend(l, y, y, "values"));
    });
    return this.values.at(-1);
  }

  /**
   * `numbers`, each times the slope that the activation behind layer l has at y (or at its own value, of the same sign).
   * The result stands where the last one of its name, layer and size stood: new memory takes longer than the numbers.
   */
  bend(l, numbers, y, name) {
    const key = `${name} ${l} ${numbers.length}`;
    if (!this.rooms.has(key)) this.rooms.set(key, new Float32Array(numbers.length));
    const bent = this.rooms.get(key);
    const left = l === this.layers.length - 1 ? 1 : this.left;
    const more = 1 - left;
    for (let i = 0; i < bent.length; i++) bent[i] = (left + more * (y[i] > 0)) * numbers[i]; // a question (?:) takes twice the time
    return bent;
  }

  /**
   * Backpropagation. Given how a loss changes with each output, follows it back through the layers by the chain rule:
   * δ of a layer is how the loss changes with W x + b. Keeps the δ; returns how the loss changes with each input.
   */
  backward(slopes) {
    this.deltas = [];
    let back = slopes;
    for (let l = this.layers.length - 1; l >= 0; l--) {
      this.deltas[l] = this.bend(l, back, this.values[l + 1], "deltas");
      back = this.layers[l].transposedTimes(this.deltas[l], this.count);
    }
    return back.slice();
  }

  /** Adds the gradient of the loss by the weights: δ times what went into the layer. */
  addGradient() {
    this.layers.forEach((layer, l) => {
      layer.addOuter(this.deltas[l], this.values[l], this.count);
      layer.addSum(this.deltas[l], this.count);
    });
  }

  /**
   * Adds the gradient, by the weights, of a penalty on the slopes ∇f(x) of the one output f.
   *
   * Where activations are straight pieces, ∇f(x) = W₁ᵀ D₁ W₂ᵀ D₂ … W_nᵀ, with the slopes D of the activations at x: what
   * `backward` computes from a slope of 1. It is linear in each W, with δ to the right of Wᵀ; and what stands to its
   * left takes r = ∂penalty/∂∇f forward through the layers, t = D W t. So the gradient by W is δ tᵀ.
   * @param {(slope: Float32Array) => Float32Array} change gives r for ∇f(x), both (inputs, count)
   */
  addPenaltyGradient(x, count, change) {
    this.forward(x, count);
    let tangent = change(this.backward(new Float32Array(count).fill(1)));
    this.layers.forEach((layer, l) => {
      layer.addOuter(this.deltas[l], tangent, count);
      tangent = this.bend(l, layer.times(tangent, count), this.values[l + 1], "tangents");
    });
  }

  clearGradient() {
    for (const { weightGradient, biasGradient } of this.layers) [weightGradient, biasGradient].forEach((g) => g.fill(0));
  }
}

/** Adam (Kingma and Ba 2015): steps by the mean of the gradient over its root mean square, both fading averages. */
export class Adam {
  /** @param {Network} network whose weights it moves */
  constructor(network, beta1 = 0.5, beta2 = 0.999) {
    Object.assign(this, { beta1, beta2, time: 0 });
    const pairs = network.layers.flatMap((layer) => [[layer.weight, layer.weightGradient], [layer.bias, layer.biasGradient]]);
    this.parts = pairs.map(([value, gradient]) => ({ value, gradient, mean: new Float32Array(value.length), square: new Float32Array(value.length) }));
  }

  step(rate) {
    const { beta1, beta2 } = this;
    this.time += 1;
    const whole1 = 1 - beta1 ** this.time; // the averages start at 0: without these they would be too small at first
    const whole2 = 1 - beta2 ** this.time;
    for (const { value, gradient, mean, square } of this.parts) {
      for (let i = 0; i < value.length; i++) {
        mean[i] = beta1 * mean[i] + (1 - beta1) * gradient[i];
        square[i] = beta2 * square[i] + (1 - beta2) * gradient[i] ** 2;
        value[i] -= (rate * (mean[i] / whole1)) / (Math.sqrt(square[i] / whole2) + 1e-8);
      }
    }
  }
}

// ------------------------------------------------------------------------------------------------------------- losses

const sigmoid = (s) => 1 / (1 + Math.exp(-s));
const softplus = (s) => Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s)));

// Functions of a score s, with their slopes.
const callReal = { value: (s) => softplus(-s), slope: (s) => -sigmoid(-s) }; // −log D, D = sigmoid(s)
const callMade = { value: softplus, slope: sigmoid }; // −log(1 − D)
const notMade = { value: (s) => -softplus(s), slope: (s) => -sigmoid(s) }; // log(1 − D)
const near = (target) => ({ value: (s) => 0.5 * (s - target) ** 2, slope: (s) => s - target });
const above = { value: (s) => Math.max(0, 1 - s), slope: (s) => (s < 1 ? -1 : 0) };
const below = { value: (s) => Math.max(0, 1 + s), slope: (s) => (s > -1 ? 1 : 0) };
const high = { value: (s) => -s, slope: () => -1 };
const low = { value: (s) => s, slope: () => 1 };

/** D minimises the mean of `real` at the data plus the mean of `made` at samples, G the mean of `generator` at samples. */
export const LOSSES = {
  minimax: { real: callReal, made: callMade, generator: notMade },
  "non-saturating": { real: callReal, made: callMade, generator: callReal },
  "least squares": { real: near(1), made: near(0), generator: near(1) },
  hinge: { real: above, made: below, generator: high },
  Wasserstein: { real: high, made: low, generator: high },
};

/** The mean of a loss over scores, and its slope by each of them. */
function meanLoss({ value, slope }, scores) {
  const count = scores.length;
  return { mean: scores.reduce((sum, s) => sum + value(s), 0) / count, slopes: fill(count, (i) => slope(scores[i]) / count) };
}

/** Penalties on ∇f at a batch, by their weight: where they are taken, and how they change with ∇f. */
export const PENALTIES = {
  /** weight/2 · E ‖∇D(x)‖² at the data (Mescheder et al. 2018). */
  r1: (weight, count) => (slopes) => fill(slopes.length, (i) => (weight / count) * slopes[i]),
  /** weight · E (‖∇f(x̂)‖ − 1)² between data and samples (Gulrajani et al. 2017). */
  gradient: (weight, count) => (slopes) => {
    const change = new Float32Array(slopes.length);
    for (let item = 0; item < count; item++) {
      let square = 0;
      for (let i = item; i < slopes.length; i += count) square += slopes[i] ** 2;
      const norm = Math.sqrt(square);
      const factor = norm > 0 ? (2 * weight * (norm - 1)) / (norm * count) : 0;
      for (let i = item; i < slopes.length; i += count) change[i] = factor * slopes[i];
    }
    return change;
  },
};

// ----------------------------------------------------------------------------------------------------------- the game

/**
 * Each `size` points as one item, (2 · size, count / size): what a discriminator of packs sees (Lin et al. 2018).
 * Row 2 p + axis of a pack is that axis of its point p.
 */
export function join(x, count, size) {
  const packed = new Float32Array(x.length);
  eachPlace(count, size, (inPack, alone) => (packed[inPack] = x[alone]));
  return packed;
}

/** The way back of `join`. */
export function separate(packed, count, size) {
  const x = new Float32Array(packed.length);
  eachPlace(count, size, (inPack, alone) => (x[alone] = packed[inPack]));
  return x;
}

function eachPlace(count, size, visit) {
  const packs = count / size;
  for (let point = 0; point < size; point++) {
    for (let axis = 0; axis < 2; axis++) {
      for (let pack = 0; pack < packs; pack++) visit((2 * point + axis) * packs + pack, axis * count + pack * size + point);
    }
  }
}

/** Two players and the world that they play in. */
export class Game {
  /** @param {World} world  @param {Shape} shape */
  constructor(world, { seed, batch, codes, width, pack }) {
    Object.assign(this, { world, batch, codes, pack, updates: 0 });
    this.random = new Random(seed);
    const products = makeProducts();
    this.G = new Network([codes, width, width, 2], this.random, products);
    this.D = new Network([2 * pack, width, width, 1], this.random, products);
    this.adamG = new Adam(this.G);
    this.adamD = new Adam(this.D);
  }

  /** D moves `steps` times, then G once. Returns both losses. @param {Rules} rules */
  update(rules) {
    let lossD;
    for (let step = 0; step < rules.d_steps; step++) {
      lossD = this.gradientD(this.random.points(this.world, this.batch), this.newSamples(), rules);
      this.adamD.step(rules.d_rate);
    }
    const lossG = this.gradientG(this.random.codes(this.codes, this.batch), rules);
    this.adamG.step(rules.g_rate);
    this.updates += 1;
    return { lossD, lossG };
  }

  newSamples() {
    return this.G.forward(this.random.codes(this.codes, this.batch), this.batch);
  }

  /** The discriminator's loss at data and samples, both (2, batch), without its penalty; its gradient with it. */
  gradientD(real, made, { loss, penalty, weight }) {
    const { D, batch, pack } = this;
    const packs = batch / pack;
    const [packedReal, packedMade] = [real, made].map((x) => join(x, batch, pack));
    D.clearGradient();
    let total = 0;
    for (const [x, each] of [[packedReal, LOSSES[loss].real], [packedMade, LOSSES[loss].made]]) {
      const { mean, slopes } = meanLoss(each, D.forward(x, packs));
      D.backward(slopes);
      D.addGradient();
      total += mean;
    }
    if (penalty === "r1") D.addPenaltyGradient(packedReal, packs, PENALTIES.r1(weight, packs));
    if (penalty === "gradient") D.addPenaltyGradient(this.blend(packedReal, packedMade, packs), packs, PENALTIES.gradient(weight, packs));
    return total;
  }

  /** For each item a point between the two, by a share from U[0, 1]. */
  blend(from, to, count) {
    const shares = fill(count, () => this.random.uniform());
    return fill(from.length, (i) => from[i] + shares[i % count] * (to[i] - from[i]));
  }

  /** The generator's loss at codes, and its gradient: back through D, whose weights stay as they are, and on through G. */
  gradientG(z, { loss }) {
    const { G, D, batch, pack } = this;
    const packed = join(G.forward(z, batch), batch, pack);
    const { mean, slopes } = meanLoss(LOSSES[loss].generator, D.forward(packed, batch / pack));
    G.clearGradient();
    G.backward(separate(D.backward(slopes), batch, pack));
    G.addGradient();
    return mean;
  }
}

/**
 * How samples, a column each, lie over the modes: one within 3σ of its nearest mode is of high quality, and a mode with
 * at least one of these is found (Lin et al. 2018).
 * @param {World} world
 */
export function coverage(x, count, { means, std }) {
  const counts = new Array(means.length).fill(0);
  for (let item = 0; item < count; item++) {
    let nearest = -1;
    let least = (3 * std) ** 2;
    for (let k = 0; k < means.length; k++) {
      const square = (x[item] - means[k][0]) ** 2 + (x[count + item] - means[k][1]) ** 2;
      if (square > least) continue;
      nearest = k;
      least = square;
    }
    if (nearest >= 0) counts[nearest] += 1;
  }
  const good = counts.reduce((sum, n) => sum + n, 0);
  return { counts, found: counts.filter((n) => n > 0).length, share: good / count };
}
