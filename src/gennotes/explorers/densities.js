/**
 * Two distributions P and Q under the reader's hand, and what lies between them: KL, JS, entropies, W₁, information.
 *
 * The model's traits, which `densities.py` synchronises: p, q (see measures.js), view, kinds, domain, title, alt. The
 * root element carries all values that are shown in `data-values` (JSON, infinity as "inf"), and P and Q in `data-p` and
 * `data-q`.
 */

import { make, makeButton, clamp, renderer, keepKeys } from "./parts.js";
import { density, compare, missing, massesOf, cumulated, logMiddle, isBars } from "./measures.js";
import { View } from "./view.js";
import { Panel, Grip, shape, slider, figure, follow, followWidth, FIELDS, limits, withField, asKind } from "./curves.js";

const SPEAK_MS = 700; // after so much rest is the view's value said
const KIND_NAMES = { normal: "normal", mixture: "two normals", uniform: "uniform", laplace: "Laplace" };

/** Words in which *x* stands for a letter of mathematics. @returns {Node[]} */
function formula(text) {
  return text.split("*").map((part, i) => (i % 2 ? make("i", {}, part) : document.createTextNode(part)));
}

const VALUES = {
  kl_pq: "KL(*P*‖*Q*)", kl_qp: "KL(*Q*‖*P*)", js: "JS(*P*,*Q*)", w1: "*W*₁(*P*,*Q*)", h_p: "H(*P*)", h_pq: "H(*P*,*Q*)",
  h_x: "H(*X*)", h_y: "H(*Y*)", h_xy: "H(*X*,*Y*)", h_x_y: "H(*X*|*Y*)", h_y_x: "H(*Y*|*X*)", i_xy: "I(*X*;*Y*)",
}; // prettier-ignore

const PAIR = ["kl_pq", "kl_qp", "js", "w1", "h_p", "h_pq"];

/** What each view shows below P and Q: its lines, its own values, and what its area (or its bars) amounts to. */
const VIEWS = {
  kl: {
    values: PAIR,
    own: (swapped) => [swapped ? "kl_qp" : "kl_pq"],
    legend: (swapped) => [["term", swapped ? "*q* log *q*/*p*" : "*p* log *p*/*q*"]],
    lead: { line: "Area above zero minus area below", bars: "Bars above zero minus bars below" },
    result: (v, swapped) => (swapped ? `KL(*Q*‖*P*) = ${figure(v.kl_qp)}` : `KL(*P*‖*Q*) = ${figure(v.kl_pq)}`),
  },
  js: {
    values: PAIR,
    own: () => ["js"],
    legend: () => [["m", "*M* = ½ (*P* + *Q*)"], ["p", "½ *p* log *p*/*m*"], ["q", "½ *q* log *q*/*m*"], ["total", "their sum"]],
    lead: { line: "Area under the sum", bars: "Sum of the grey bars" },
    result: (v) => `½ KL(*P*‖*M*) + ½ KL(*Q*‖*M*) = JS = ${figure(v.js)}, at most log 2 = ${figure(Math.LN2)}`,
  },
  entropy: {
    values: PAIR,
    own: () => ["h_p", "h_pq", "kl_pq"],
    legend: () => [["p", "−*p* log *p*"], ["q", "−*p* log *q*"]],
    lead: { line: "Area between the lines", bars: "Dashed bars minus solid bars" },
    result: (v) => `H(*P*,*Q*) − H(*P*) = ${figure(v.h_pq)} − ${v.h_p < 0 ? `(${figure(v.h_p)})` : figure(v.h_p)} = ${figure(v.kl_pq)} = KL(*P*‖*Q*)`,
  },
  transport: {
    values: PAIR,
    own: () => ["w1"],
    legend: () => [["p", "mass of *P* up to *x*, *F*_P_(*x*)"], ["q", "mass of *Q* up to *x*, *F*_Q_(*x*)"]],
    lead: { line: "Area between the distribution functions", bars: "Area between the distribution functions" },
    result: (v) => `*W*₁ = ${figure(v.w1)}`,
  },
  information: {
    values: ["h_x", "h_y", "h_xy", "h_x_y", "h_y_x", "i_xy"],
    own: () => ["i_xy"],
    legend: () => [["p", "*P*, the table of *x*,*y*"], ["q", "*Q*, the product of its marginals"]],
    lead: { bars: "What *X* and *Y* share" },
    result: (v) => `I(*X*;*Y*) = KL(*P*‖*Q*) = H(*X*) + H(*Y*) − H(*X*,*Y*) = ${figure(v.i_xy)}`,
  },
};

/**
 * The lines below P and Q at the same places, and the area that the view is about, between two lines.
 * @param {number[]} logP logarithms of p, and of q, at each place
 * @param {number[][]} sums the distribution functions
 */
function terms(view, swapped, logP, logQ, sums) {
  const times = (log, other) => log.map((value, i) => (value === -Infinity ? 0 : Math.exp(value) * other(value, i)));
  const zero = logP.map(() => 0);
  if (view === "kl") {
    const [own, other] = swapped ? [logQ, logP] : [logP, logQ];
    const term = times(own, (value, i) => value - other[i]);
    return { lines: { term }, upper: term, lower: zero };
  }
  if (view === "js") {
    const middle = logP.map((value, i) => logMiddle(value, logQ[i]));
    const half = (log) => times(log, (value, i) => 0.5 * (value - middle[i]));
    const [p, q] = [half(logP), half(logQ)];
    const total = p.map((value, i) => value + q[i]);
    return { lines: { p, q, total }, upper: total, lower: zero };
  }
  if (view === "entropy") {
    const p = times(logP, (value) => -value);
    const q = times(logP, (_, i) => -logQ[i]);
    return { lines: { p, q }, upper: q, lower: p };
  }
  const [p, q] = sums;
  return { lines: { p, q }, upper: p.map((value, i) => Math.max(value, q[i])), lower: p.map((value, i) => Math.min(value, q[i])) };
}

class DensitiesView extends View {
  constructor(model) {
    super(model, ["p", "q"]);
    this.begin = { p: this.p, q: this.q };
    this.view = model.get("view");
    this.words = VIEWS[this.view];
    this.kinds = model.get("kinds");
    this.swapped = false; // in the view of KL: whether q log(q/p) is shown
  }

  start() {
    const unheard = this.listen();
    this.draw();
    const end = followWidth(this.stage.element, (width) => {
      this.stage.setWidth(width);
      this.draw();
    });
    return () => {
      unheard();
      end();
      clearTimeout(this.speakingLater);
    };
  }

  // --------------------------------------------------------------------------------------------------- the elements

  build() {
    const title = this.model.get("title");
    const reset = makeButton("Reset", () => this.set(this.begin));
    this.sentence = make("p", { class: "gn-sentence gn-number" });
    this.stage = new (isBars(this.p) ? BarStage : LineStage)(this);
    this.spoken = make("p", { class: "gn-unseen", "aria-live": "polite" });
    return make(
      "div",
      { class: "gn-explorer gn-densities", role: "group", "aria-label": title },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, title), make("div", { class: "gn-actions" }, reset)),
      make("p", { class: "gn-unseen" }, this.model.get("alt")),
      this.stage.element,
      this.buildValues(),
      this.stage.controls,
      this.spoken,
    );
  }

  buildValues() {
    this.shown = this.words.values
      .filter((name) => !(name === "w1" && this.p.shape))
      .map((name) => {
        const value = make("dd", { class: "gn-number" });
        const term = make("div", {}, make("dt", {}, ...formula(VALUES[name])), value);
        return { name, term, value };
      });
    this.unit = this.p.shape ? "In nats." : "In nats; W₁ in units of x.";
    this.note = make("p", { role: "status" }); // the units, or why a value is infinite
    return make("div", { class: "gn-measured" }, make("dl", {}, ...this.shown.map(({ term }) => term)), this.note);
  }

  /** The line between the two panels: what the lower one shows, and in the view of KL which of the two integrands. */
  buildLegend() {
    this.legend = make("p", { class: "gn-legend" });
    if (this.view !== "kl") return make("div", { class: "gn-between" }, this.sentence, this.legend);
    this.sides = [false, true].map((swapped) => {
      const button = makeButton("", () => {
        this.swapped = swapped;
        this.show();
      });
      button.append(...formula(VIEWS.kl.legend(swapped)[0][1]));
      return button;
    });
    const choice = make("div", { class: "gn-choice", role: "group", "aria-label": "integrand" }, ...this.sides);
    return make("div", { class: "gn-between" }, this.sentence, choice);
  }

  // ----------------------------------------------------------------------------------------------- setting, showing

  /** Takes over changed densities. @param {{ p?: object, q?: object }} changed */
  set(changed) {
    Object.assign(this, changed);
    this.show();
  }

  /** Draws, tells the kernel, and after a rest says what it comes to. */
  show() {
    super.show();
    clearTimeout(this.speakingLater);
    this.speakingLater = setTimeout(() => (this.spoken.textContent = this.sentence.textContent), SPEAK_MS);
  }

  draw() {
    this.drawing = 0;
    const values = compare(this.p, this.q);
    this.stage.draw(values);
    this.showValues(values);
    this.root.dataset.values = JSON.stringify(values, (_, value) => (value === Infinity ? "inf" : value));
    this.root.dataset.p = JSON.stringify(this.p);
    this.root.dataset.q = JSON.stringify(this.q);
  }

  showValues(values) {
    const own = this.words.own(this.swapped);
    for (const { name, term, value } of this.shown) {
      value.textContent = figure(values[name]);
      term.classList.toggle("gn-own", own.includes(name));
    }
    const lead = this.words.lead[isBars(this.p) ? "bars" : "line"];
    this.sentence.replaceChildren(...marked(`${lead}: ${this.words.result(values, this.swapped)}`));
    this.legend.replaceChildren(...this.words.legend(this.swapped).map(([line, words]) => swatch(line, words)));
    this.sides?.forEach((button, i) => button.setAttribute("aria-pressed", this.swapped === Boolean(i)));
    const reasons = [
      values.kl_pq === Infinity && `KL(P‖Q) = +∞: Q has no mass where P has, ${this.stage.where("p", "q")}.`,
      values.kl_qp === Infinity && `KL(Q‖P) = +∞: P has no mass where Q has, ${this.stage.where("q", "p")}.`,
    ];
    const text = reasons.filter(Boolean).join(" ") || this.unit;
    if (this.note.textContent !== text) this.note.textContent = text;
  }
}

/** Formula with subscripts between underscores. */
function marked(text) {
  return text.split("_").flatMap((part, i) => (i % 2 ? [make("sub", {}, part)] : formula(part)));
}

function swatch(line, words) {
  return make("span", { class: "gn-entry" }, make("span", { class: `gn-swatch gn-swatch-${line}` }), make("span", {}, ...marked(words)));
}

/** Where the logarithms of two densities or masses meet, and how the lower panel looks: the same for lines and bars. */
class Stage {
  constructor(view, height) {
    this.view = view;
    this.upper = new Panel(`${view.model.get("alt")} P and Q; each can be dragged, or moved with the arrow keys at its handles.`, height);
    this.lower = new Panel("what lies between them", 0.75 * height);
  }

  setWidth(width) {
    this.upper.width = this.lower.width = width;
  }

  /** The range of the lower panel: all finite values, and never so narrow that rounding would fill it. */
  range(lines) {
    if (this.view.view === "transport") return [0, 1.05];
    const values = Object.values(lines).flat().filter(Number.isFinite);
    const [low, high] = [Math.min(...values), Math.max(...values, 0.04)];
    return [low < -1e-3 ? Math.min(1.2 * low, -0.02) : 0, 1.12 * high];
  }

  /** A plus and a minus in the middle of where the area is high (above `near` of its largest height), if there is room. */
  showSigns(xs, upper, lower, near = 0.6) {
    if (this.view.view === "transport" || this.view.view === "js") return;
    for (const [word, sign] of [[this.plus, 1], [this.minus, -1]]) {
      const sizes = upper.map((value, i) => (Number.isFinite(value) ? sign * (value - lower[i]) : 0));
      const largest = Math.max(...sizes);
      let [first, last] = [sizes.indexOf(largest), sizes.indexOf(largest)];
      while (sizes[first - 1] > near * largest) first -= 1; // the middle of what is high
      while (sizes[last + 1] > near * largest) last += 1;
      const middle = Math.round((first + last) / 2);
      const pixels = Math.abs(this.lower.y(largest) - this.lower.y(0));
      if (!(largest > 0) || pixels < 18) word.textContent = "";
      else this.lower.say(word, sign > 0 ? "+" : "\u2212", xs[middle], (upper[middle] + lower[middle]) / 2, { dy: 6 });
    }
  }
}

// -------------------------------------------------------------------------------------------------- densities on a line

class LineStage extends Stage {
  constructor(view) {
    super(view, 232);
    this.domain = view.model.get("domain");
    const { upper, lower } = this;
    this.fills = { p: upper.path(upper.areas, "gn-fill gn-of-p"), q: upper.path(upper.areas, "gn-fill gn-of-q") };
    if (view.view === "js") this.middle = [upper.path(upper.lines, "gn-line gn-edge"), upper.path(upper.lines, "gn-line gn-of-m")];
    this.curves = { p: upper.path(upper.lines, "gn-line gn-of-p"), q: upper.path(upper.lines, "gn-line gn-of-q gn-dashed") };
    this.names = { p: upper.word("gn-name gn-of-p"), q: upper.word("gn-name gn-of-q"), m: upper.word("gn-name gn-of-m") };
    this.above = lower.path(lower.areas, `gn-area gn-area-${view.view}`);
    this.below = lower.path(lower.areas, "gn-area gn-hatched");
    this.endless = lower.path(lower.areas, "gn-area gn-endless");
    this.lines = {};
    for (const name of Object.keys(terms(view.view, false, [0], [0], [[0], [0]]).lines)) {
      this.lines[name] = lower.path(lower.lines, `gn-line gn-of-${name}${name === "q" ? " gn-dashed" : ""}`);
    }
    [this.plus, this.minus, this.infinite] = ["gn-sign", "gn-sign", "gn-sign"].map((look) => lower.word(look));
    this.grips = ["p", "q"].map((letter) => new Grip({
      panel: upper, letter, name: letter.toUpperCase(), domain: this.domain,
      get: () => view[letter], set: (spec) => view.set({ [letter]: spec }),
    })); // prettier-ignore
    this.element = make("div", { class: "gn-panels" }, upper.svg, view.buildLegend(), lower.svg);
    this.columns = { p: make("div", { class: "gn-column gn-of-p" }), q: make("div", { class: "gn-column gn-of-q" }) };
    this.controls = make("div", { class: "gn-columns" }, this.columns.p, this.columns.q);
    this.sliders = {};
  }

  /** The choice of the kind and the sliders of one density. */
  buildColumn(letter) {
    const { view, domain } = this;
    const spec = view[letter];
    const name = letter.toUpperCase();
    const kinds = [...new Set([...view.kinds, spec.kind])];
    const select = make("select", { "aria-label": `kind of ${name}` });
    select.append(...kinds.map((kind) => make("option", { value: kind }, KIND_NAMES[kind])));
    select.value = spec.kind;
    select.addEventListener("change", () => {
      view.set({ [letter]: asKind(select.value, view[letter], domain) });
      view.draw();
      this.columns[letter].querySelector("select").focus();
    });
    const rows = Object.entries(FIELDS[spec.kind]).map(([field, [words, sign]]) => {
      const [low, high] = limits(field, domain);
      const set = (value) => view.set({ [letter]: withField(view[letter], field, value, domain) });
      return [field, slider({ words: `${words} of ${name}`, letter: sign, low, high, step: 0.01, set })];
    });
    this.sliders[letter] = { kind: spec.kind, rows: Object.fromEntries(rows) };
    const heading = make("p", { class: "gn-column-head" }, swatch(letter, `*${name}*`), kinds.length > 1 ? select : KIND_NAMES[spec.kind]);
    this.columns[letter].replaceChildren(heading, ...rows.map(([, { row }]) => row));
    keepKeys(this.columns[letter]);
  }

  draw() {
    const { view, upper, lower, domain } = this;
    const [p, q] = [density(view.p), density(view.q)];
    const xs = upper.samples(domain, ...p.breaks, ...q.breaks);
    const [logP, logQ] = [xs.map(p.logp), xs.map(q.logp)];
    const [ps, qs] = [logP.map(Math.exp), logQ.map(Math.exp)];
    upper.frame(domain, [0, 1.14 * Math.max(...ps, ...qs)]);
    const paths = { p: upper.trace(xs, ps), q: upper.trace(xs, qs) };
    for (const letter of ["p", "q"]) {
      this.curves[letter].setAttribute("d", paths[letter]);
      this.fills[letter].setAttribute("d", upper.under(paths[letter]));
    }
    if (this.middle) {
      const middle = upper.trace(xs, ps.map((value, i) => (value + qs[i]) / 2));
      for (const line of this.middle) line.setAttribute("d", middle);
    }
    this.showNames(p, q);
    this.drawLower(xs, terms(view.view, view.swapped, logP, logQ, view.view === "transport" ? [xs.map(p.cdf), xs.map(q.cdf)] : []));
    this.grips[0].show(xs, ps);
    this.grips[1].show(xs, qs);
    for (const letter of ["p", "q"]) {
      if (this.sliders[letter]?.kind !== view[letter].kind) this.buildColumn(letter);
      for (const [field, { show }] of Object.entries(this.sliders[letter].rows)) show(view[letter][field]);
    }
  }

  drawLower(xs, { lines, upper, lower }) {
    const panel = this.lower;
    panel.frame(this.domain, this.range(lines));
    for (const [name, path] of Object.entries(this.lines)) path.setAttribute("d", panel.trace(xs, lines[name]));
    this.above.setAttribute("d", panel.area(xs, upper.map((value, i) => Math.max(value, lower[i])), lower));
    this.below.setAttribute("d", panel.area(xs, lower, upper.map((value, i) => Math.min(value, lower[i]))));
    this.showEndless();
    this.showSigns(xs, upper, lower);
  }

  /** Where the integrand is infinite, a band from the axis to the top. */
  showEndless() {
    const { view, lower } = this;
    const order = view.view === "kl" || view.view === "entropy" ? (view.swapped ? ["q", "p"] : ["p", "q"]) : null;
    const gaps = order ? this.gaps(...order).map(([a, b]) => [Math.max(a, lower.left), Math.min(b, lower.right)]).filter(([a, b]) => a < b) : [];
    this.endless.setAttribute("d", gaps.map(([a, b]) => `M${lower.x(a)} ${lower.y(0)}V0H${lower.x(b)}V${lower.y(0)}Z`).join(""));
    const widest = gaps.sort(([a, b], [c, d]) => d - c - (b - a))[0];
    if (widest) lower.say(this.infinite, "+∞", (widest[0] + widest[1]) / 2, lower.high, { dy: 14 });
    else this.infinite.textContent = "";
  }

  gaps(own, other) {
    return missing(density(this.view[own]), density(this.view[other]));
  }

  /** "between −1.2 and 0.4", for the parts of one support outside of the other. */
  where(own, other) {
    const words = this.gaps(own, other).map(([a, b]) => {
      if (a === -Infinity) return `below ${figure(b, 2)}`;
      if (b === Infinity) return `above ${figure(a, 2)}`;
      return `between ${figure(a, 2)} and ${figure(b, 2)}`;
    });
    return words.join(" and ");
  }

  /** The letters beside their curves: the left one at a left flank, the right one at a right flank. */
  showNames(p, q) {
    const { view, upper } = this;
    const leftmost = view.p.mean <= view.q.mean ? "p" : "q";
    for (const [letter, { logp }] of [["p", p], ["q", q]]) {
      const spec = view[letter];
      const side = letter === leftmost ? -1 : 1;
      const half = 0.62 * (spec.sd ?? spec.scale ?? spec.width * 0.5);
      const x = spec.mean + side * ((spec.gap ?? 0) / 2 + half);
      upper.say(this.names[letter], letter.toUpperCase(), x, Math.exp(logp(x)), { dx: 14 * side, dy: spec.width ? -8 : 0 });
    }
    if (!this.middle) return;
    const x = (view.p.mean + view.q.mean) / 2;
    const height = Math.exp(logMiddle(p.logp(x), q.logp(x)));
    upper.say(this.names.m, "M", x, height, { dy: upper.y(0) - upper.y(height) > 44 ? 22 : -9 });
  }
}

// ---------------------------------------------------------------------------------------------------------------- bars

const BAR_WIDTH = 0.36; // of the place that an outcome has
const HOLD = 14; // pixels above and below the top of a bar that take hold of it

class BarStage extends Stage {
  constructor(view) {
    super(view, 220);
    const { upper, lower } = this;
    const [, columns] = view.p.shape ?? [1, view.p.masses.length];
    this.places = view.p.masses.map((_, k) => k + 0.7 * Math.floor(k / columns)); // rows of a table stand apart
    this.domain = [-0.65, this.places.at(-1) + 0.65];
    this.fixed = view.q.kind === "product";
    this.bars = { p: upper.path(upper.areas, "gn-bar gn-of-p"), q: upper.path(upper.areas, "gn-bar gn-of-q gn-dashed") };
    if (view.view === "js") this.middle = [upper.path(upper.lines, "gn-line gn-edge"), upper.path(upper.lines, "gn-line gn-of-m")];
    this.outcomes = view.p.masses.map((_, k) => [upper.word("gn-tick"), lower.word("gn-tick"), lower.word("gn-sign"), k]);
    this.names = { p: upper.word("gn-name gn-of-p"), q: upper.word("gn-name gn-of-q"), m: upper.word("gn-name gn-of-m") };
    this.scale = 0;
    this.handles = [...this.buildHandles("p"), ...(this.fixed ? [] : this.buildHandles("q"))];
    const between = view.buildLegend();
    if (view.view === "information") this.strips = new Strips();
    else this.buildLower();
    this.element = make("div", { class: "gn-panels" }, upper.svg, between, this.strips?.element ?? lower.svg);
    this.controls = this.buildSliders();
  }

  buildLower() {
    const { view, lower } = this;
    this.above = lower.path(lower.areas, `gn-area gn-area-${view.view}`);
    this.below = lower.path(lower.areas, "gn-area gn-hatched");
    this.lines = {};
    for (const name of Object.keys(terms(view.view, false, [0], [0], [[0], [0]]).lines)) {
      const look = view.view === "transport" ? `gn-line gn-of-${name}` : `gn-bar gn-of-${name}`;
      this.lines[name] = lower.path(lower.lines, `${look}${name === "q" ? " gn-dashed" : ""}`);
    }
    [this.plus, this.minus] = [lower.word("gn-sign"), lower.word("gn-sign")];
  }

  /** What an outcome is called: its number, or row and column in a table. */
  outcome(k) {
    const { shape, labels } = this.view.p;
    if (labels) return labels[k];
    return shape ? `${Math.floor(k / shape[1]) + 1},${(k % shape[1]) + 1}` : String(k + 1);
  }

  masses(letter) {
    return letter === "p" ? this.view.p.masses : massesOf(this.view.q, this.view.p);
  }

  /** Changes one mass; the others keep their proportions to each other. */
  change(letter, k, value) {
    const masses = this.masses(letter);
    const mass = clamp(value, 0, 1);
    const rest = 1 - masses[k];
    const others = (other) => (rest > 1e-12 ? (other * (1 - mass)) / rest : (1 - mass) / (masses.length - 1));
    this.view.set({ [letter]: { ...this.view[letter], masses: masses.map((other, i) => (i === k ? mass : others(other))) } });
  }

  buildHandles(letter) {
    const { upper } = this;
    const name = letter.toUpperCase();
    return this.masses(letter).map((_, k) => {
      const said = { role: "slider", tabindex: 0, "aria-label": `${name}, outcome ${this.outcome(k)}`, "aria-orientation": "vertical" };
      const look = { class: `gn-top gn-of-${letter}`, "aria-valuemin": 0, "aria-valuemax": 1 };
      const mark = upper.handles.appendChild(shape("g", { ...said, ...look }, shape("path", { class: "gn-hold" }), shape("path", { class: "gn-edge-of-bar" })));
      const begin = (event) => {
        mark.focus({ preventScroll: true });
        this.held = true; // the scale rests while a bar is held
        const offset = this.masses(letter)[k] - upper.heightAt(event);
        return (later) => this.change(letter, k, Number((upper.heightAt(later) + offset).toFixed(3)));
      };
      const end = () => {
        this.held = false;
        this.view.show();
      };
      follow(mark, begin, end);
      mark.addEventListener("keydown", (event) => {
        const step = { ArrowUp: 0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowLeft: -0.01 }[event.key];
        const mass = this.masses(letter)[k];
        if (step) this.change(letter, k, mass + step * (event.shiftKey ? 5 : 1));
        else if (event.key === "Home") this.change(letter, k, 0);
        else if (event.key === "End") this.change(letter, k, 1);
        else return;
        event.preventDefault();
      });
      return { letter, k, mark };
    });
  }

  buildSliders() {
    this.sliders = [];
    const column = (letter) => {
      const name = letter.toUpperCase();
      const rows = this.masses(letter).map((_, k) => {
        const made = slider({ words: `${name}, outcome ${this.outcome(k)}`, letter: this.outcome(k), low: 0, high: 1, step: 0.01, set: (value) => this.change(letter, k, value) });
        this.sliders.push({ letter, k, show: made.show });
        return made.row;
      });
      return make("div", { class: `gn-column gn-of-${letter}` }, make("p", { class: "gn-column-head" }, swatch(letter, `*${name}*`)), ...rows);
    };
    const columns = make("div", { class: "gn-columns" }, column("p"), ...(this.fixed ? [] : [column("q")]));
    return make("details", {}, make("summary", {}, "Masses as sliders"), columns);
  }

  draw() {
    const { view, upper, places } = this;
    const [ps, qs] = [this.masses("p"), this.masses("q")];
    const peak = Math.max(...ps, ...qs);
    if (!this.held || !this.scale) this.scale = [0.3, 0.4, 0.6, 0.8, 1].find((top) => top >= 1.2 * peak) ?? 1;
    upper.frame(this.domain, [0, this.scale * 1.04], false);
    const sides = { p: places.map((at) => at - BAR_WIDTH / 2 - 0.02), q: places.map((at) => at + BAR_WIDTH / 2 + 0.02) };
    this.bars.p.setAttribute("d", upper.bars(sides.p, BAR_WIDTH, ps));
    this.bars.q.setAttribute("d", upper.bars(sides.q, BAR_WIDTH, qs));
    for (const { letter, k, mark } of this.handles) {
      const mass = this.masses(letter)[k];
      const [at, y] = [sides[letter][k], upper.y(mass)];
      const [a, b] = [upper.x(at - BAR_WIDTH / 2), upper.x(at + BAR_WIDTH / 2)];
      const [hold, edge] = mark.children;
      hold.setAttribute("d", `M${a} ${y - HOLD}H${b}V${y + HOLD}H${a}Z`);
      edge.setAttribute("d", `M${a} ${y}H${b}`);
      mark.setAttribute("aria-valuenow", mass.toFixed(3));
      mark.setAttribute("aria-valuetext", `${mass.toFixed(3)}`);
    }
    if (this.middle) {
      const path = places.map((at, k) => `M${upper.x(at - 0.44)} ${upper.y((ps[k] + qs[k]) / 2)}H${upper.x(at + 0.44)}`).join("");
      for (const line of this.middle) line.setAttribute("d", path);
      upper.say(this.names.m, "M", places[0] - 0.44, (ps[0] + qs[0]) / 2, { dx: 2, dy: -6, anchor: "start" });
    }
    for (const [letter, masses] of [["p", ps], ["q", qs]]) {
      const k = masses.indexOf(Math.max(...masses));
      upper.say(this.names[letter], letter.toUpperCase(), sides[letter][k], masses[k], { dy: -8 });
    }
    for (const [word, , , k] of this.outcomes) {
      upper.say(word, this.outcome(k), places[k], 0);
      word.setAttribute("y", upper.height - 6);
    }
    for (const { letter, k, show } of this.sliders) show(this.masses(letter)[k]);
    if (this.strips) this.strips.show(compare(view.p, view.q));
    else this.drawLower(ps, qs);
  }

  drawLower(ps, qs) {
    const { view, lower: panel, places } = this;
    const sums = [cumulated(ps), cumulated(qs)];
    const { lines, upper, lower } = terms(view.view, view.swapped, ps.map(Math.log), qs.map(Math.log), sums);
    panel.frame(this.domain, this.range(lines), false);
    const names = Object.keys(lines);
    const width = 0.8 / names.length;
    names.forEach((name, i) => {
      const at = places.map((place) => place + (i - (names.length - 1) / 2) * width);
      const path = view.view === "transport" ? this.steps(lines[name]) : panel.bars(at, width * 0.9, lines[name]);
      this.lines[name].setAttribute("d", path);
    });
    const between = (a, b) => places.map((at, k) => (k === places.length - 1 ? "" : `M${panel.x(at)} ${panel.y(a[k])}H${panel.x(at + 1)}V${panel.y(b[k])}H${panel.x(at)}Z`)).join("");
    this.above.setAttribute("d", view.view === "transport" ? between(upper, lower) : view.view === "kl" ? panel.bars(places, width * 0.9, upper.map((value) => Math.max(value, 0))) : "");
    this.below.setAttribute("d", view.view === "kl" ? panel.bars(places, width * 0.9, upper.map((value) => Math.min(value, 0))) : "");
    for (const [, word, infinite, k] of this.outcomes) {
      panel.say(word, this.outcome(k), places[k], 0);
      word.setAttribute("y", panel.height - 6);
      panel.say(infinite, names.some((name) => lines[name][k] === Infinity) ? "+∞" : "", places[k], panel.high, { dy: 14 });
    }
    if (view.view === "kl") this.showSigns(places, upper, lower, 1);
  }

  /** A distribution function of outcomes: a step up at each. */
  steps(sums) {
    const { lower: panel, places, domain } = this;
    const rises = places.map((at, k) => `H${panel.x(at)}V${panel.y(sums[k])}`).join("");
    return `M${panel.x(domain[0])} ${panel.y(0)}${rises}H${panel.x(domain[1])}`;
  }

  where(own, other) {
    const [masses, others] = [this.masses(own), this.masses(other)];
    const places = masses.flatMap((mass, k) => (mass > 0 && others[k] === 0 ? [this.outcome(k)] : []));
    return `at ${places.length > 1 ? "the outcomes" : "outcome"} ${places.join(", ")}`;
  }
}

/** Entropies of X and Y as lengths that overlap by their mutual information. */
class Strips {
  constructor() {
    const rows = [["h_xy"], ["h_x"], ["h_y"], ["h_x_y", "i_xy", "h_y_x"]];
    this.strips = rows.flat().map((name) => [name, make("span", { class: `gn-strip gn-strip-${name}` }, make("span", {}, ...formula(VALUES[name])))]);
    const byName = Object.fromEntries(this.strips);
    this.element = make("div", { class: "gn-strips", "aria-hidden": "true" }, ...rows.map((names) => make("div", {}, ...names.map((name) => byName[name]))));
  }

  show(values) {
    const start = { h_y: values.h_x_y, i_xy: values.h_x_y, h_y_x: values.h_x };
    for (const [name, strip] of this.strips) {
      strip.style.left = `${(100 * (start[name] ?? 0)) / values.h_xy}%`;
      strip.style.width = `${(100 * Math.max(values[name], 0)) / values.h_xy}%`;
    }
  }
}

const render = renderer(DensitiesView);

export default { render };
