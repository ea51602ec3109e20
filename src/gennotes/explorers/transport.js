/**
 * Two densities P and Q, the cheapest way to carry the mass of one to the other, and what W₁ and JS say as they part.
 *
 * The model's traits, which `transport.py` synchronises: p, q (see measures.js), kinds, domain, title, alt. The root
 * element carries all values that are shown in `data-values`, and P and Q in `data-p` and `data-q` (JSON).
 */

import { make, makeButton, renderer, keepKeys } from "./parts.js";
import { density, meanOf, plan, parted } from "./measures.js";
import { View } from "./view.js";
import { Panel, Grip, shape, slider, figure, followWidth, FIELDS, limits, withField, asKind } from "./curves.js";

const SPEAK_MS = 700; // after so much rest is the sentence said
const PORTIONS = 25; // of the mass, one line each
const DISTANCES = 81; // at which W₁ and JS are drawn
const NUDGE = 1e-3; // either way, for the slopes
const KIND_NAMES = { normal: "normal", mixture: "two normals", uniform: "uniform", laplace: "Laplace" };
const LETTERS = ["p", "q"];

/** W₁(P, Q) or JS(P, Q), as it stands on a page. */
function formula(name) {
  const sign = name === "w1" ? [make("i", {}, "W"), "₁"] : ["JS"];
  return [...sign, "(", make("i", {}, "P"), ", ", make("i", {}, "Q"), ")"];
}

class TransportView extends View {
  constructor(model) {
    super(model, LETTERS);
    this.begin = { p: this.p, q: this.q };
    this.kinds = model.get("kinds");
    this.domain = model.get("domain");
    this.sliders = {};
  }

  start() {
    const unheard = this.listen();
    this.draw();
    const end = followWidth(this.upper.svg.parentElement, (width) => {
      for (const panel of [this.upper, this.middle, this.far.panel, this.apart.panel]) panel.width = width;
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
    this.spoken = make("p", { class: "gn-unseen", "aria-live": "polite" });
    this.columns = Object.fromEntries(LETTERS.map((letter) => [letter, make("div", { class: `gn-column gn-of-${letter}` })]));
    return make(
      "div",
      { class: "gn-explorer gn-densities gn-transport", role: "group", "aria-label": title },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, title), make("div", { class: "gn-actions" }, reset)),
      make("p", { class: "gn-unseen" }, this.model.get("alt")),
      this.buildPanels(),
      this.buildValues(),
      make("div", { class: "gn-columns" }, this.columns.p, this.columns.q),
      this.spoken,
    );
  }

  buildPanels() {
    const upper = new Panel(`${this.model.get("alt")} P and Q; each can be dragged, or moved with the arrow keys at its handles.`, 168);
    const middle = new Panel(`the plan: ${PORTIONS} lines, each from a portion of the mass of P above to one of Q below`, 132);
    middle.svg.classList.add("gn-plan");
    this.fills = { p: upper.path(upper.areas, "gn-fill gn-of-p"), q: upper.path(upper.areas, "gn-fill gn-of-q") };
    this.curves = { p: upper.path(upper.lines, "gn-line gn-of-p"), q: upper.path(upper.lines, "gn-line gn-of-q gn-dashed") };
    this.names = { p: upper.word("gn-name gn-of-p"), q: upper.word("gn-name gn-of-q") };
    this.ways = middle.path(middle.lines, "gn-way");
    this.ends = { p: middle.path(middle.handles, "gn-end gn-of-p"), q: middle.path(middle.handles, "gn-end gn-of-q") };
    this.sides = { p: middle.word("gn-name gn-of-p"), q: middle.word("gn-name gn-of-q") };
    this.grips = LETTERS.map((letter) => new Grip({
      panel: upper, letter, name: letter.toUpperCase(), domain: this.domain,
      get: () => this[letter], set: (spec) => this.set({ [letter]: spec }),
    })); // prettier-ignore
    this.far = this.buildChart("W₁ over the distance d of the means: a straight line, far out", "|d|");
    this.apart = this.buildChart("JS over the distance d of the means: flat, far out", "log 2");
    [this.upper, this.middle] = [upper, middle];
    const heading = (name, unit) => make("p", { class: "gn-legend" }, make("span", {}, ...formula(name), ` ${unit}, over `, make("i", {}, "d"), ", the mean of ", make("i", {}, "Q"), " minus that of ", make("i", {}, "P")));
    return make(
      "div",
      { class: "gn-panels" },
      upper.svg,
      middle.svg,
      make("div", { class: "gn-between" }, this.sentence),
      heading("w1", "in units of x"),
      this.far.panel.svg,
      heading("js", "in nats"),
      this.apart.panel.svg,
    );
  }

  /** A curve over the distance of the means, the line that bounds it, and a dot where the reader stands. */
  buildChart(label, bound) {
    const panel = new Panel(label, 120);
    return {
      panel,
      bound: panel.path(panel.lines, "gn-line gn-bound gn-dashed"),
      curve: panel.path(panel.lines, "gn-line gn-of-term"),
      here: panel.handles.appendChild(shape("circle", { r: 5, class: "gn-here" })),
      name: panel.word("gn-tick"),
      words: bound,
    };
  }

  buildValues() {
    const rows = { w1: formula("w1"), js: formula("js"), distance: ["distance ", make("i", {}, "d")], w1_slope: ["slope of ", make("i", {}, "W"), "₁"], js_slope: ["slope of JS"] };
    this.shown = {};
    const list = Object.entries(rows).map(([name, words]) => {
      this.shown[name] = make("dd", { class: "gn-number" });
      return make("div", {}, make("dt", {}, ...words), this.shown[name]);
    });
    const unit = make("p", {}, "W₁ and distances in units of x, JS in nats. A slope is the change for each unit by which Q moves to the right.");
    return make("div", { class: "gn-measured" }, make("dl", {}, ...list), unit);
  }

  /** The choice of the kind and the sliders of one density. */
  buildColumn(letter) {
    const spec = this[letter];
    const name = letter.toUpperCase();
    const select = make("select", { "aria-label": `kind of ${name}` });
    for (const kind of new Set([...this.kinds, spec.kind])) select.append(make("option", { value: kind }, KIND_NAMES[kind]));
    select.value = spec.kind;
    select.addEventListener("change", () => {
      this.set({ [letter]: asKind(select.value, this[letter], this.domain) });
      this.draw();
      this.columns[letter].querySelector("select").focus();
    });
    const rows = Object.entries(FIELDS[spec.kind]).map(([field, [words, sign]]) => {
      const [low, high] = limits(field, this.domain);
      const set = (value) => this.set({ [letter]: withField(this[letter], field, value, this.domain) });
      return [field, slider({ words: `${words} of ${name}`, letter: sign, low, high, step: 0.01, set })];
    });
    this.sliders[letter] = { kind: spec.kind, rows: Object.fromEntries(rows) };
    const swatch = make("span", { class: "gn-entry" }, make("span", { class: `gn-swatch gn-swatch-${letter}` }), make("i", {}, name));
    this.columns[letter].replaceChildren(make("div", { class: "gn-column-head" }, swatch, select), ...rows.map(([, { row }]) => row));
    keepKeys(this.columns[letter]);
  }

  // ----------------------------------------------------------------------------------------------- setting, showing

  /** Takes over changed densities. @param {{ p?: object, q?: object }} changed */
  set(changed) {
    Object.assign(this, changed);
    this.show();
    clearTimeout(this.speakingLater);
    this.speakingLater = setTimeout(() => (this.spoken.textContent = this.sentence.textContent), SPEAK_MS);
  }

  draw() {
    this.drawing = 0;
    for (const letter of LETTERS) {
      if (this.sliders[letter]?.kind !== this[letter].kind) this.buildColumn(letter);
      for (const [field, { show }] of Object.entries(this.sliders[letter].rows)) show(this[letter][field]);
    }
    this.drawDensities();
    this.drawPlan();
    const values = this.values();
    this.drawParting(values);
    for (const [name, cell] of Object.entries(this.shown)) cell.textContent = figure(values[name]);
    const share = ((100 * values.js) / Math.LN2).toFixed(0);
    this.sentence.replaceChildren(
      "On the cheapest plan the mass moves ", make("i", {}, "W"), `₁ = ${figure(values.w1)} on average. JS is ${figure(values.js)}, ${share} % of its limit log 2.`,
    ); // prettier-ignore
    this.root.dataset.values = JSON.stringify(values);
    for (const letter of LETTERS) this.root.dataset[letter] = JSON.stringify(this[letter]);
  }

  /** W₁ and JS where the reader stands, and their slopes when Q moves. */
  values() {
    const distance = meanOf(this.q) - meanOf(this.p);
    const [left, here, right] = [-NUDGE, 0, NUDGE].map((nudge) => parted(this.p, this.q, distance + nudge));
    const slope = (name) => (right[name] - left[name]) / (2 * NUDGE);
    return { distance, ...here, w1_slope: slope("w1"), js_slope: slope("js") };
  }

  drawDensities() {
    const { upper, domain } = this;
    const densities = LETTERS.map((letter) => density(this[letter]));
    const xs = upper.samples(domain, ...densities.flatMap(({ breaks }) => breaks));
    const heights = densities.map(({ logp }) => xs.map((x) => Math.exp(logp(x))));
    upper.frame(domain, [0, 1.2 * Math.max(...heights.flat())]);
    LETTERS.forEach((letter, i) => {
      const path = upper.trace(xs, heights[i]);
      this.curves[letter].setAttribute("d", path);
      this.fills[letter].setAttribute("d", upper.under(path));
      const spec = this[letter];
      const side = letter === (meanOf(this.p) <= meanOf(this.q) ? "p" : "q") ? -1 : 1;
      const x = spec.mean + side * ((spec.gap ?? 0) / 2 + 0.62 * (spec.sd ?? spec.scale ?? 0.5 * spec.width));
      upper.say(this.names[letter], letter.toUpperCase(), x, Math.exp(densities[i].logp(x)), { dx: 14 * side, dy: spec.width ? -8 : 0 });
      this.grips[i].show(xs, heights[i]);
    });
  }

  /** A line for each portion of the mass, from its place under P to its place under Q. */
  drawPlan() {
    const { middle, domain } = this;
    middle.frame(domain, [0, 1]);
    const ways = plan(this.p, this.q, PORTIONS);
    const [top, bottom] = [middle.y(1), middle.y(0)];
    const tenth = (x) => middle.x(x).toFixed(1);
    this.ways.setAttribute("d", ways.map(([a, b]) => `M${tenth(a)} ${top}L${tenth(b)} ${bottom}`).join(""));
    const dots = (places, y) => places.map((x) => `M${tenth(x)} ${y - 3}v6`).join("");
    this.ends.p.setAttribute("d", dots(ways.map(([a]) => a), top));
    this.ends.q.setAttribute("d", dots(ways.map(([, b]) => b), bottom));
    middle.say(this.sides.p, "P", domain[0], 1, { dx: 6, dy: 5, anchor: "start" });
    middle.say(this.sides.q, "Q", domain[0], 0, { dx: 6, dy: -6, anchor: "start" });
  }

  /** W₁ and JS at all distances, for the shapes as they are; they are computed anew only when a shape changes. */
  drawParting({ distance, w1, js }) {
    const span = this.domain[1] - this.domain[0];
    const shapes = JSON.stringify(LETTERS.map((letter) => ({ ...this[letter], mean: 0 })));
    if (shapes !== this.shapes) {
      this.shapes = shapes;
      const places = Array.from({ length: DISTANCES }, (_, k) => span * ((2 * k) / (DISTANCES - 1) - 1));
      this.course = places.map((place) => ({ place, ...parted(this.p, this.q, place) }));
    }
    const places = this.course.map(({ place }) => place);
    const charts = [
      { chart: this.far, name: "w1", value: w1, most: 1.05 * span, bound: places.map(Math.abs) },
      { chart: this.apart, name: "js", value: js, most: 0.9, bound: places.map(() => Math.LN2) },
    ];
    for (const { chart, name, value, most, bound } of charts) {
      const { panel } = chart;
      panel.frame([-span, span], [0, most]);
      chart.bound.setAttribute("d", panel.trace(places, bound));
      chart.curve.setAttribute("d", panel.trace(places, this.course.map((row) => row[name])));
      chart.here.setAttribute("cx", panel.x(distance));
      chart.here.setAttribute("cy", panel.y(value));
      panel.say(chart.name, chart.words, -span, bound[0], { dx: 4, dy: name === "js" ? -6 : 20, anchor: "start" });
    }
  }
}

const render = renderer(TransportView);

export default { render };
