/**
 * Distributions on the line and over a few bars, and how far two of them are apart. Logarithms are natural, values nats.
 *
 * A distribution is written down as a plain object, its `kind` first:
 *   normal   mean, sd
 *   mixture  mean, sd, gap, weight: normals of one sd at mean − gap/2 (with the mass `weight`) and at mean + gap/2
 *   uniform  mean, width: on [mean − width/2, mean + width/2]
 *   laplace  mean, scale
 *   bars     masses: probabilities of the outcomes 0, 1, …; shape: [A, B] where they are a table, row by row
 *   product  (as Q beside a table P) the product of P's marginals
 *
 * @typedef {{ kind: string, [field: string]: any }} Spec
 * @typedef {{ logp: (x: number) => number, cdf: (x: number) => number, support: [number, number],
 *             reach: [number, number], breaks: number[] }} Density
 * Normals and mixtures of them also give `score`, the slope of log p.
 */

const LOG_2 = Math.log(2);
const LOG_ROOT_2PI = 0.5 * Math.log(2 * Math.PI);
const NORMAL_REACH = 10; // standard deviations; 2e-23 of the mass lies beyond
const LAPLACE_REACH = 45; // scales; 3e-20 of the mass lies beyond

// ------------------------------------------------------------------------------------------------- one distribution

/**
 * A density with its logarithm (finite wherever the density is positive, however far out), its distribution function,
 * the support, the part of it that holds all but 1e-19 of the mass, and the points where pieces for quadrature begin.
 * @param {Spec} spec
 * @returns {Density}
 */
export function density(spec) {
  const make = { normal: normalDensity, mixture: mixtureDensity, uniform: uniformDensity, laplace: laplaceDensity }[spec.kind];
  if (!make) throw new Error(`a density of the kind ${spec.kind} is not known`);
  return make(spec);
}

function normalDensity({ mean, sd }) {
  return {
    logp: (x) => -0.5 * ((x - mean) / sd) ** 2 - LOG_ROOT_2PI - Math.log(sd),
    score: (x) => (mean - x) / sd ** 2,
    cdf: (x) => normalCdf((x - mean) / sd),
    support: [-Infinity, Infinity],
    reach: [mean - NORMAL_REACH * sd, mean + NORMAL_REACH * sd],
    breaks: [-4, -2, 0, 2, 4].map((t) => mean + t * sd),
  };
}

function mixtureDensity({ mean, sd, gap, weight }) {
  const left = normalDensity({ mean: mean - gap / 2, sd });
  const right = normalDensity({ mean: mean + gap / 2, sd });
  const [logLeft, logRight] = [Math.log(weight), Math.log(1 - weight)];
  return {
    logp: (x) => logAdd(logLeft + left.logp(x), logRight + right.logp(x)),
    score: (x) => {
      const ofLeft = sigmoid(logLeft + left.logp(x) - logRight - right.logp(x)); // the share of the left part at x
      return ofLeft * left.score(x) + (1 - ofLeft) * right.score(x);
    },
    cdf: (x) => weight * left.cdf(x) + (1 - weight) * right.cdf(x),
    support: [-Infinity, Infinity],
    reach: [left.reach[0], right.reach[1]],
    breaks: [...left.breaks, mean, ...right.breaks],
  };
}

function uniformDensity({ mean, width }) {
  const [a, b] = [mean - width / 2, mean + width / 2];
  return {
    logp: (x) => (x < a || x > b ? -Infinity : -Math.log(width)),
    cdf: (x) => Math.min(Math.max((x - a) / width, 0), 1),
    support: [a, b],
    reach: [a, b],
    breaks: [a, b],
  };
}

function laplaceDensity({ mean, scale }) {
  return {
    logp: (x) => -Math.abs(x - mean) / scale - Math.log(2 * scale),
    cdf: (x) => (x < mean ? 0.5 * Math.exp((x - mean) / scale) : 1 - 0.5 * Math.exp((mean - x) / scale)),
    support: [-Infinity, Infinity],
    reach: [mean - LAPLACE_REACH * scale, mean + LAPLACE_REACH * scale],
    breaks: [-15, -5, -2, 0, 2, 5, 15].map((t) => mean + t * scale),
  };
}

/** Φ(t), with erf as its series of positive terms: erf(u) = 2/√π · e^(−u²) · Σ 2ⁿ u^(2n+1) / (1·3·…·(2n+1)). */
export function normalCdf(t) {
  const u = Math.abs(t) / Math.SQRT2;
  if (u > 6) return t < 0 ? 0 : 1; // within 1e-17
  let term = u;
  let sum = u;
  for (let n = 1; term > 1e-17 * sum; n++) {
    term *= (2 * u * u) / (2 * n + 1);
    sum += term;
  }
  const erf = (2 / Math.sqrt(Math.PI)) * Math.exp(-u * u) * sum;
  return 0.5 * (1 + Math.sign(t) * erf);
}

/** 1 / (1 + e^(−t)), to full relative accuracy at both ends */
export const sigmoid = (t) => (t < 0 ? Math.exp(t) / (1 + Math.exp(t)) : 1 / (1 + Math.exp(-t)));

/** log(eᵃ + eᵇ) */
export function logAdd(a, b) {
  const high = Math.max(a, b);
  return high === -Infinity ? high : high + Math.log1p(Math.exp(Math.min(a, b) - high));
}

/** log m = log(½ p + ½ q) */
export function logMiddle(logP, logQ) {
  return logAdd(logP, logQ) - LOG_2;
}

// ------------------------------------------------------------------------------------------------------- quadrature

// Kronrod's 15 points on [−1, 1] and their weights; every second one is a point of Gauss, with weights of its own.
const POINTS = [0, 0.20778495500789848, 0.4058451513773972, 0.5860872354676911, 0.7415311855993945, 0.8648644233597691, 0.9491079123427585, 0.9914553711208126];
const KRONROD = [0.20948214108472782, 0.20443294007529889, 0.19035057806478542, 0.1690047266392679, 0.14065325971552592, 0.10479001032225019, 0.06309209262997856, 0.022935322010529224];
const GAUSS = [0.4179591836734694, 0.3818300505051189, 0.27970539148927664, 0.1294849661688697];

/**
 * ∫ f from points[0] to points[last], adaptively (Gauss–Kronrod 7–15), piece by piece between the given points: what
 * jumps or has a kink at one of them costs nothing in accuracy.
 */
export function integrate(f, points, tolerance = 1e-8) {
  let total = 0;
  for (let i = 1; i < points.length; i++) {
    if (points[i] > points[i - 1]) total += piece(f, points[i - 1], points[i], tolerance, 24);
  }
  return total;
}

function piece(f, a, b, tolerance, halvings) {
  const [middle, half] = [(a + b) / 2, (b - a) / 2];
  const centre = f(middle);
  let kronrod = KRONROD[0] * centre;
  let gauss = GAUSS[0] * centre;
  for (let i = 1; i < POINTS.length; i++) {
    const pair = f(middle - half * POINTS[i]) + f(middle + half * POINTS[i]);
    kronrod += KRONROD[i] * pair;
    if (i % 2 === 0) gauss += GAUSS[i / 2] * pair;
  }
  if (!(half * Math.abs(kronrod - gauss) > tolerance) || halvings === 0) return half * kronrod;
  return piece(f, a, middle, tolerance, halvings - 1) + piece(f, middle, b, tolerance, halvings - 1);
}

/** The range [low, high] cut at the break points of all given densities that lie inside. */
function cuts([low, high], ...densities) {
  const inside = densities.flatMap((d) => [...d.breaks, ...d.reach]).filter((x) => x > low && x < high);
  return [low, ...inside.sort((a, b) => a - b), high];
}

function union(p, q) {
  return [Math.min(p.reach[0], q.reach[0]), Math.max(p.reach[1], q.reach[1])];
}

// ------------------------------------------------------------------------------------------- two densities on a line

/** The parts of P's support where Q has no mass: intervals [a, b], an end of ±∞ where P has no end. */
export function missing(p, q) {
  const left = [p.support[0], Math.min(p.support[1], q.support[0])];
  const right = [Math.max(p.support[0], q.support[1]), p.support[1]];
  return [left, right].filter(([a, b]) => a < b);
}

/** ∫ p·f with f of (log p, log q): 0 where p is 0. */
function expectation(p, q, f) {
  const at = (x) => {
    const logP = p.logp(x);
    return logP === -Infinity ? 0 : Math.exp(logP) * f(logP, q.logp(x));
  };
  return integrate(at, cuts(p.reach, p, q));
}

/** H(P) = −∫ p log p */
export const entropy = (p) => -expectation(p, p, (logP) => logP);

/** H(P, Q) = −∫ p log q; +∞ where Q has no mass and P has. */
export const crossEntropy = (p, q) => (missing(p, q).length ? Infinity : -expectation(p, q, (_, logQ) => logQ));

/** KL(P ‖ Q) = ∫ p (log p − log q); +∞ where Q has no mass and P has. */
export const kl = (p, q) => (missing(p, q).length ? Infinity : expectation(p, q, (logP, logQ) => logP - logQ));

/** JS(P, Q) = ½ KL(P ‖ M) + ½ KL(Q ‖ M) with M = ½ (P + Q) */
export function js(p, q) {
  const toMiddle = (logP, logQ) => logP - logMiddle(logP, logQ);
  return 0.5 * expectation(p, q, toMiddle) + 0.5 * expectation(q, p, toMiddle);
}

/** W₁(P, Q) = ∫ |F_P − F_Q| */
export const wasserstein = (p, q) => integrate((x) => Math.abs(p.cdf(x) - q.cdf(x)), cuts(union(p, q), p, q));

// ---------------------------------------------------------------------------------------------------------- transport

/** The mean of a density; of a mixture that is not the middle between its parts. */
export const meanOf = ({ mean, gap = 0, weight = 0.5 }) => mean + gap * (0.5 - weight);

/** The place up to which a density has the mass u, by halving the part of the line that holds its mass. */
export function quantile({ cdf, reach: [low, high] }, u) {
  for (let i = 0; i < 52; i++) {
    const middle = (low + high) / 2;
    if (cdf(middle) < u) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * The cheapest plan on a line, which keeps the order: the k-th of `count` equal portions of P's mass becomes the k-th of
 * Q's. Where the middle of each portion starts and ends.
 * @returns {[number, number][]}
 */
export function plan(pSpec, qSpec, count) {
  const [p, q] = [density(pSpec), density(qSpec)];
  const shares = Array.from({ length: count }, (_, k) => (k + 0.5) / count);
  return shares.map((u) => [quantile(p, u), quantile(q, u)]);
}

/** W₁ and JS when Q stands so that its mean minus P's is the given distance. */
export function parted(pSpec, qSpec, distance) {
  const mean = qSpec.mean + distance - (meanOf(qSpec) - meanOf(pSpec));
  const [p, q] = [density(pSpec), density({ ...qSpec, mean })];
  return { w1: wasserstein(p, q), js: js(p, q) };
}

// ------------------------------------------------------------------------------------------------------------- bars

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** p log(p/q), with 0 log 0 = 0 */
export const klTerm = (p, q) => (p > 0 ? p * Math.log(p / q) : 0);

/** −p log q, with 0 log 0 = 0 */
export const crossTerm = (p, q) => (p > 0 ? -p * Math.log(q) : 0);

const BARS = {
  entropy: (p) => sum(p.map((mass) => crossTerm(mass, mass))),
  crossEntropy: (p, q) => sum(p.map((mass, k) => crossTerm(mass, q[k]))),
  kl: (p, q) => sum(p.map((mass, k) => klTerm(mass, q[k]))),
  js: (p, q) => sum(p.map((mass, k) => 0.5 * klTerm(mass, (mass + q[k]) / 2) + 0.5 * klTerm(q[k], (mass + q[k]) / 2))),
  wasserstein: (p, q) => sum(cumulated(p).map((mass, k) => Math.abs(mass - cumulated(q)[k]))), // outcomes 0, 1, 2, …
};

export function cumulated(masses) {
  let total = 0;
  return masses.map((mass) => (total += mass));
}

/** Sums over the rows and over the columns of a table that stands row by row. */
export function marginals(masses, [rows, columns]) {
  const at = (i, j) => masses[i * columns + j];
  const across = [...Array(rows).keys()];
  const down = [...Array(columns).keys()];
  return [across.map((i) => sum(down.map((j) => at(i, j)))), down.map((j) => sum(across.map((i) => at(i, j))))];
}

/** The masses of Q: its own, or the product of P's marginals. */
export function massesOf(q, p) {
  if (q.kind !== "product") return q.masses;
  const [x, y] = marginals(p.masses, p.shape);
  return x.flatMap((row) => y.map((column) => row * column));
}

/** H(X), H(Y), H(X, Y), H(X|Y), H(Y|X) and I(X; Y) of a table of joint probabilities. */
export function information({ masses, shape }) {
  const [x, y] = marginals(masses, shape);
  const [h_x, h_y, h_xy] = [x, y, masses].map(BARS.entropy);
  const product = x.flatMap((row) => y.map((column) => row * column));
  return { h_x, h_y, h_xy, h_x_y: h_xy - h_y, h_y_x: h_xy - h_x, i_xy: BARS.kl(masses, product) };
}

// ------------------------------------------------------------------------------------------------------- all values

export const isBars = (spec) => spec.kind === "bars" || spec.kind === "product";

/**
 * Everything that the page shows about P and Q.
 * @param {Spec} p
 * @param {Spec} q
 */
export function compare(p, q) {
  const [of, a, b] = isBars(p) ? [BARS, p.masses, massesOf(q, p)] : [DENSITIES, density(p), density(q)];
  return {
    kl_pq: of.kl(a, b),
    kl_qp: of.kl(b, a),
    js: of.js(a, b),
    w1: p.shape ? null : of.wasserstein(a, b), // the cells of a table have no order
    h_p: of.entropy(a),
    h_q: of.entropy(b),
    h_pq: of.crossEntropy(a, b),
    ...(p.shape ? information(p) : {}),
  };
}

const DENSITIES = { entropy, crossEntropy, kl, js, wasserstein };

// --------------------------------------------------------------------------------------------- fitting a normal to p

/** What is minimised over the normal q, and what stands beside ∇ log q inside of its gradient. */
const OBJECTIVES = {
  forward: { value: (p, q) => kl(p, q), weight: (logP) => -Math.exp(logP) },
  reverse: { value: (p, q) => kl(q, p), weight: (logP, logQ) => Math.exp(logQ) * (logQ - logP) },
  js: { value: (p, q) => js(p, q), weight: (logP, logQ) => 0.5 * Math.exp(logQ) * (logQ - logMiddle(logP, logQ)) },
};

/** KL(p ‖ q) for "forward", KL(q ‖ p) for "reverse", JS(p, q) for "js". */
export function objective(name, pSpec, qSpec) {
  return OBJECTIVES[name].value(density(pSpec), density(qSpec));
}

/**
 * Its gradient in (mean, log sd) of the normal q, by quadrature, with ∇q = q ∇ log q:
 *   ∇ KL(p ‖ q) = −∫ p ∇ log q,   ∇ KL(q ‖ p) = ∫ q (log q − log p) ∇ log q,   ∇ JS = ½ ∫ q (log q − log m) ∇ log q.
 * What else the product rule gives is a multiple of ∫ ∇q, which is 0. ∇ log q = (t/sd, t² − 1) at x = mean + t·sd.
 * @returns {[number, number]}
 */
export function gradient(name, pSpec, qSpec) {
  const [p, q] = [density(pSpec), density(qSpec)];
  const { mean, sd } = qSpec;
  const points = cuts(union(p, q), p, q);
  const against = (score) =>
    integrate((x) => {
      const weight = OBJECTIVES[name].weight(p.logp(x), q.logp(x));
      return weight === 0 ? 0 : weight * score((x - mean) / sd);
    }, points);
  return [against((t) => t / sd), against((t) => t * t - 1)];
}

/**
 * One step of gradient descent in (mean, log sd). The step is halved until the objective falls.
 * @returns {{ q: Spec, value: number, slope: number }} the new q, its objective, and the length of the gradient before
 */
export function descend(name, p, q, rate) {
  const before = objective(name, p, q);
  const [byMean, byLogSd] = gradient(name, p, q);
  const slope = Math.hypot(byMean, byLogSd);
  for (let step = rate; step * slope > 1e-9; step /= 2) {
    const next = { ...q, mean: q.mean - step * byMean, sd: q.sd * Math.exp(-step * byLogSd) };
    const value = objective(name, p, next);
    if (value < before) return { q: next, value, slope };
  }
  return { q, value: before, slope };
}

// ------------------------------------------------------------------- a generator's q against the best discriminator

/** What the generator minimises, and its slope over the logit of D, turned round: how much a sample gains by a rise. */
export const LOSSES = {
  saturating: (logit) => sigmoid(logit), // of log(1 − D)
  "non-saturating": (logit) => sigmoid(-logit), // of −log D
};

/** The logit of D* = p/(p + q) at x, log p − log q, and its slope. Both densities are normals or mixtures of them. */
export const logit = (p, q, x) => p.logp(x) - q.logp(x);
const logitSlope = (p, q, x) => p.score(x) - q.score(x);

/** V(D*, G) = ∫ p log D* + q log(1 − D*), from the best discriminator itself. */
export function value(pSpec, qSpec) {
  const [p, q] = [density(pSpec), density(qSpec)];
  const logD = (logP, logQ) => logP - logAdd(logP, logQ);
  return expectation(p, q, logD) + expectation(q, p, logD);
}

/** −dL/dx at a sample x of the generator: which way, and how strongly, the loss pulls it. D* does not move. */
export const pullAt = (loss, p, q, x) => LOSSES[loss](logit(p, q, x)) * logitSlope(p, q, x);

/**
 * How the loss pulls the whole of q, in its mean and in the logarithm of its scale, while D* does not move:
 * the expectations under q of −dL/dx, and of −dL/dx · (x − mean).
 * @returns {[number, number]}
 */
export function pull(loss, pSpec, qSpec) {
  const [p, q] = [density(pSpec), density(qSpec)];
  const against = (lever) => integrate((x) => Math.exp(q.logp(x)) * pullAt(loss, p, q, x) * lever(x), cuts(q.reach, p, q));
  return [against(() => 1), against((x) => x - qSpec.mean)];
}

/** One step of gradient descent of the generator, in mean and log scale; at most `longest` in each. @returns {Spec} */
export function pulled(loss, p, q, rate, longest) {
  const [shift, growth] = pull(loss, p, q).map((slope) => Math.max(-longest, Math.min(longest, rate * slope)));
  const scaled = Object.fromEntries(["sd", "gap"].filter((field) => field in q).map((field) => [field, q[field] * Math.exp(growth)]));
  return { ...q, ...scaled, mean: q.mean + shift };
}
