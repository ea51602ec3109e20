/**
 * A generator's density against the data's, the best discriminator between them, and how two losses pull the samples.
 *
 * The model's traits, which `game.py` synchronises: p (the data), q (the generator; both normals or mixtures of two),
 * loss ("saturating" or "non-saturating", which the steps follow), domain, title, alt. The root element carries what is
 * shown in `data-values` (JSON).
 */

import { make, makeButton, clamp, renderer, keepKeys } from "./parts.js";
import { density, js, value, pull, pullAt, pulled, quantile, logit, sigmoid, LOSSES } from "./measures.js";
import { Descent } from "./view.js";
import { Panel, Grip, slider, figure, followWidth, FIELDS, limits, withField, asKind } from "./curves.js";

const STEP_MS = 40; // between two steps while it plays
const RATE = 0.2; // of a step down the gradient
const LONGEST = 0.2; // of a step, in the mean and in the logarithm of the scale
const AT_REST = 2e-3; // the pull below which it stands still
const MOST_STEPS = 600;
const SAMPLES = 9; // of the generator, at equal shares of its mass
const ROW = 74; // pixels of a row of arrows
const APART = 6; // pixels between two arrows
const KINDS = { normal: "normal", mixture: "two normals" };
const NAMES = { p: "the data", q: "the generator" };
const LETTERS = { p: ["p", "data"], q: ["p", "g"] };

/** p with its subscript, as on a page. */
function symbol(letter) {
  const [sign, index] = LETTERS[letter];
  return make("span", {}, make("i", {}, sign), make("sub", {}, index));
}

/** Three decimals; a power of ten where these would be zeros. */
function small(number) {
  const power = Math.floor(Math.log10(Math.abs(number)));
  if (number === 0 || power < -30) return "0";
  if (power >= -3) return figure(number);
  const digits = String(-power).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
  return `${figure(number / 10 ** power, 1)} · 10⁻${digits}`;
}

class GameView extends Descent {
  constructor(model) {
    super(model, ["p", "q", "loss"], STEP_MS);
    this.domain = model.get("domain");
  }

  start() {
    const unheard = this.listen();
    this.draw();
    const end = followWidth(this.upper.svg.parentElement, (width) => {
      for (const panel of [this.upper, this.middle, this.lower]) panel.width = width;
      this.draw();
    });
    return () => {
      unheard();
      end();
      this.pause();
    };
  }

  // --------------------------------------------------------------------------------------------------- the elements

  build() {
    const title = this.model.get("title");
    this.playButton = makeButton("Play", () => (this.playing ? this.pause() : this.play()));
    const step = makeButton("Step", () => {
      this.pause();
      this.step();
    });
    const restart = makeButton("Restart", () => this.change({ q: this.origin }));
    this.columns = { p: make("div", { class: "gn-column gn-of-p" }), q: make("div", { class: "gn-column gn-of-q" }) };
    this.sliders = {};
    return make(
      "div",
      { class: "gn-explorer gn-densities gn-game", role: "group", "aria-label": title },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, title), make("div", { class: "gn-actions" }, this.playButton, step, restart)),
      make("p", { class: "gn-unseen" }, this.model.get("alt")),
      this.buildPanels(),
      this.buildValues(),
      make("div", { class: "gn-columns" }, this.columns.p, this.columns.q),
    );
  }

  buildPanels() {
    const upper = new Panel("the densities of the data and of the generator; each can be dragged, or moved with the arrow keys at its handles", 196);
    const middle = new Panel("the best discriminator, between 0 and 1, and its values at nine samples of the generator", 112);
    const lower = new Panel("how the two losses pull nine samples of the generator, as arrows", 2 * ROW + 26);
    this.fills = { p: upper.path(upper.areas, "gn-fill gn-of-p"), q: upper.path(upper.areas, "gn-fill gn-of-q") };
    this.curves = { p: upper.path(upper.lines, "gn-line gn-of-p"), q: upper.path(upper.lines, "gn-line gn-of-q gn-dashed") };
    this.grips = ["p", "q"].map((letter) => new Grip({
      panel: upper, letter, name: NAMES[letter], domain: this.domain,
      get: () => this[letter], set: (spec) => this.change({ [letter]: spec }),
    })); // prettier-ignore
    this.half = middle.path(middle.lines, "gn-ghost gn-dashed");
    this.best = middle.path(middle.lines, "gn-line gn-of-d");
    this.seen = middle.path(middle.words, "gn-dots gn-of-q");
    this.arrows = Object.keys(LOSSES).map((loss) => {
      const row = { loss, word: lower.word("gn-row"), dots: lower.path(lower.lines, "gn-dots gn-of-q") };
      return { ...row, stems: lower.path(lower.lines, "gn-stems gn-of-q"), heads: lower.path(lower.lines, "gn-dots gn-of-q") };
    });
    [this.upper, this.middle, this.lower] = [upper, middle, lower];
    return make("div", { class: "gn-panels" }, upper.svg, this.buildLegend(), middle.svg, this.buildChoice(), lower.svg);
  }

  buildLegend() {
    const entry = (look, ...words) => make("span", { class: "gn-entry" }, make("span", { class: `gn-swatch gn-swatch-${look}` }), make("span", {}, ...words));
    const best = [make("i", {}, "D"), "* = ", symbol("p"), " / (", symbol("p"), " + ", symbol("q"), "), below"];
    return make("p", { class: "gn-legend" }, entry("p", symbol("p"), ", the data"), entry("q", symbol("q"), ", the generator"), entry("d", ...best));
  }

  buildChoice() {
    this.choices = Object.keys(LOSSES).map((loss) => [loss, makeButton(loss, () => this.change({ loss }))]);
    const choice = make("span", { class: "gn-choice", role: "group", "aria-label": "the loss that the steps follow" }, make("span", {}, "Steps follow"), ...this.choices.map(([, button]) => button));
    this.sentence = make("span", { class: "gn-number", role: "status" });
    return make("div", { class: "gn-between" }, choice, this.sentence);
  }

  buildValues() {
    const entry = (...words) => {
      const shown = make("dd", { class: "gn-number" });
      return [make("div", {}, make("dt", {}, ...words), shown), shown];
    };
    const named = {
      value: entry(make("i", {}, "V"), "(", make("i", {}, "D"), "*, ", make("i", {}, "G"), ")"),
      bound: entry("2 JS − log 4"),
      saturating: entry("pull, saturating"),
      "non-saturating": entry("pull, non-saturating"),
    };
    this.shown = Object.fromEntries(Object.entries(named).map(([name, [, shown]]) => [name, shown]));
    const note = "V in nats. A pull is minus the slope of the loss over the mean of the generator: what a gradient step follows. An arrow is the same for one sample.";
    return make("div", { class: "gn-measured" }, make("dl", {}, ...Object.values(named).map(([row]) => row)), make("p", {}, note));
  }

  /** The choice of the kind and the sliders of one density. */
  buildColumn(letter) {
    const spec = this[letter];
    const select = make("select", { "aria-label": `kind of ${NAMES[letter]}` });
    select.append(...Object.entries(KINDS).map(([kind, words]) => make("option", { value: kind }, words)));
    select.value = spec.kind;
    select.addEventListener("change", () => {
      this.change({ [letter]: asKind(select.value, this[letter], this.domain) });
      this.draw();
      this.columns[letter].querySelector("select").focus();
    });
    const rows = Object.entries(FIELDS[spec.kind]).map(([field, [words, sign]]) => {
      const [low, high] = limits(field, this.domain);
      const set = (number) => this.change({ [letter]: withField(this[letter], field, number, this.domain) });
      return [field, slider({ words: `${words} of ${NAMES[letter]}`, letter: sign, low, high, step: 0.01, set })];
    });
    this.sliders[letter] = { kind: spec.kind, rows: Object.fromEntries(rows) };
    const heading = make("p", { class: "gn-column-head" }, symbol(letter), select);
    this.columns[letter].replaceChildren(heading, ...rows.map(([, { row }]) => row));
    keepKeys(this.columns[letter]);
  }

  // -------------------------------------------------------------------------------------------------------- the steps

  begin() {
    super.begin();
    this.steps = 0;
  }

  atRest() {
    return this.steps >= MOST_STEPS || Math.max(...pull(this.loss, this.p, this.q).map(Math.abs)) < AT_REST;
  }

  /** One step of the generator down the gradient of its loss; the discriminator is the best one again afterwards. */
  step() {
    const next = pulled(this.loss, this.p, this.q, RATE, LONGEST);
    for (const field of ["mean", "sd", "gap"]) {
      if (field in next) next[field] = clamp(next[field], ...limits(field, this.domain));
    }
    this.q = next;
    this.steps += 1;
    this.show();
  }

  // ---------------------------------------------------------------------------------------------------------- showing

  draw() {
    this.drawing = 0;
    const [p, q] = [density(this.p), density(this.q)];
    const drawn = [...Array(SAMPLES).keys()].map((i) => quantile(q, (i + 0.5) / SAMPLES));
    this.drawDensities(p, q);
    this.drawBest(p, q, drawn);
    for (const [i, row] of this.arrows.entries()) this.drawPulls(row, i, p, q, drawn);
    this.drawControls();
    this.showValues();
  }

  drawDensities(p, q) {
    const { upper, domain } = this;
    const xs = upper.samples(domain, ...p.breaks, ...q.breaks);
    const heights = [p, q].map(({ logp }) => xs.map((x) => Math.exp(logp(x))));
    upper.frame(domain, [0, 1.14 * Math.max(...heights.flat(), 0.3)]);
    for (const [i, letter] of ["p", "q"].entries()) {
      const path = upper.trace(xs, heights[i]);
      this.curves[letter].setAttribute("d", path);
      this.fills[letter].setAttribute("d", upper.under(path));
      this.grips[i].show(xs, heights[i]);
    }
  }

  drawBest(p, q, drawn) {
    const { middle, domain } = this;
    const xs = middle.samples(domain, ...p.breaks, ...q.breaks);
    const best = (x) => sigmoid(logit(p, q, x));
    middle.frame(domain, [0, 1]);
    this.best.setAttribute("d", middle.trace(xs, xs.map(best)));
    this.half.setAttribute("d", middle.trace(domain, [0.5, 0.5]));
    this.seen.setAttribute("d", drawn.map((x) => dot(middle.x(x), middle.y(best(x)))).join(""));
  }

  /** Each sample as a dot, and an arrow to where a step of the size of the slope would take it. */
  drawPulls({ loss, word, dots, stems, heads }, i, p, q, drawn) {
    const { lower, domain } = this;
    lower.frame(domain, [0, 1], true, false);
    const [edge, end] = domain.map((x) => lower.x(x));
    const paths = { dots: "", stems: "", heads: "" };
    for (const [k, x] of drawn.entries()) {
      const y = i * ROW + 20 + k * APART;
      const [from, to] = [lower.x(x), clamp(lower.x(x + pullAt(loss, p, q, x)), edge, end)];
      paths.dots += dot(from, y, 2.25);
      if (Math.abs(to - from) < 5) continue;
      paths.stems += `M${from.toFixed(1)} ${y}H${to.toFixed(1)}`;
      paths.heads += `M${to.toFixed(1)} ${y}l${to > from ? -6 : 6} -3.25v6.5Z`;
    }
    for (const [name, path] of Object.entries({ dots, stems, heads })) path.setAttribute("d", paths[name]);
    const chosen = loss === this.loss;
    word.classList.toggle("gn-chosen", chosen);
    word.textContent = `${loss} loss`;
    word.setAttribute("x", edge + 2);
    word.setAttribute("y", i * ROW + 11);
  }

  drawControls() {
    for (const letter of ["p", "q"]) {
      if (this.sliders[letter]?.kind !== this[letter].kind) this.buildColumn(letter);
      for (const [field, { show }] of Object.entries(this.sliders[letter].rows)) show(this[letter][field]);
    }
    for (const [loss, button] of this.choices) button.setAttribute("aria-pressed", loss === this.loss);
  }

  showValues() {
    const { p, q, loss, steps } = this;
    const values = { value: value(p, q), bound: 2 * js(density(p), density(q)) - Math.log(4) };
    for (const name of Object.keys(LOSSES)) values[name] = pull(name, p, q)[0];
    for (const [name, shown] of Object.entries(this.shown)) shown.textContent = name in LOSSES ? small(values[name]) : figure(values[name]);
    const still = this.atRest();
    this.sentence.textContent = `${steps} ${steps === 1 ? "step" : "steps"}${still ? ": it stands still" : ""}`;
    this.root.dataset.values = JSON.stringify({ ...values, p, q, loss, steps, still });
  }
}

/** A dot, as a path. */
function dot(x, y, radius = 3.5) {
  return `M${(x - radius).toFixed(1)} ${y.toFixed(1)}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;
}

const render = renderer(GameView);

export default { render };
