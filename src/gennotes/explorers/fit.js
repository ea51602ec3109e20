/**
 * One normal q fitted to a density p with two modes by gradient descent in (mean, log sd), in front of the reader.
 *
 * The model's traits, which `fit.py` synchronises: p (a mixture), q (a normal), objective ("forward", "reverse", "js"),
 * rate, domain, title, alt. The root element carries step, objective, value, slope and q in `data-values` (JSON).
 */

import { make, makeButton, renderer } from "./parts.js";
import { density, descend, objective, gradient } from "./measures.js";
import { Descent } from "./view.js";
import { Panel, Grip, slider, figure, followWidth, limits, withField } from "./curves.js";

const STEP_MS = 30; // between two steps while it plays
const AT_REST = 2e-4; // the length of the gradient below which the descent stops
const MOST_STEPS = 2000;
const OBJECTIVES = { forward: ["KL", "p", "‖", "q", "forward KL"], reverse: ["KL", "q", "‖", "p", "reverse KL"], js: ["JS", "p", ",", "q", "JS"] };

/** KL(p‖q), as it stands on a page. */
function formula(name) {
  const [sign, first, between, second] = OBJECTIVES[name];
  return [`${sign}(`, make("i", {}, first), between, make("i", {}, second), ")"];
}

class FitView extends Descent {
  constructor(model) {
    super(model, ["p", "q", "objective"], STEP_MS);
    this.domain = model.get("domain");
  }

  start() {
    const unheard = this.listen();
    this.draw();
    const end = followWidth(this.upper.svg.parentElement, (width) => {
      this.upper.width = this.lower.width = width;
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
    const restart = makeButton("Restart", () => {
      this.pause();
      this.q = this.origin;
      this.begin();
      this.show();
    });
    this.choices = Object.keys(OBJECTIVES).map((name) => {
      const button = makeButton("", () => this.change({ objective: name, q: this.origin }));
      button.append(...formula(name));
      button.setAttribute("aria-label", OBJECTIVES[name][4]);
      return [name, button];
    });
    this.sentence = make("p", { class: "gn-sentence gn-number", role: "status" });
    return make(
      "div",
      { class: "gn-explorer gn-densities gn-fit", role: "group", "aria-label": title },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, title), make("div", { class: "gn-actions" }, this.playButton, step, restart)),
      make("p", { class: "gn-unseen" }, this.model.get("alt")),
      make("div", { class: "gn-choice", role: "group", "aria-label": "what is minimised" }, make("span", {}, "Minimise"), ...this.choices.map(([, button]) => button)),
      this.buildPanels(),
      this.buildSliders(),
    );
  }

  buildPanels() {
    const upper = new Panel(`${this.model.get("alt")} The normal q can be dragged, or moved with the arrow keys at its handles.`, 248);
    const lower = new Panel("the objective after each step", 128);
    this.fills = { p: upper.path(upper.areas, "gn-fill gn-of-p"), q: upper.path(upper.areas, "gn-fill gn-of-q") };
    this.ghost = upper.path(upper.lines, "gn-line gn-ghost gn-dashed");
    this.curves = { p: upper.path(upper.lines, "gn-line gn-of-p"), q: upper.path(upper.lines, "gn-line gn-of-q gn-dashed") };
    this.names = { p: upper.word("gn-name gn-of-p"), q: upper.word("gn-name gn-of-q"), start: upper.word("gn-tick") };
    this.course = lower.path(lower.lines, "gn-line gn-of-q");
    this.here = lower.path(lower.handles, "gn-knob gn-of-q");
    this.unit = lower.word("gn-tick");
    this.grip = new Grip({
      panel: upper, letter: "q", name: "q", domain: this.domain,
      get: () => this.q, set: (q) => this.change({ q }),
    }); // prettier-ignore
    [this.upper, this.lower] = [upper, lower];
    return make("div", { class: "gn-panels" }, upper.svg, make("div", { class: "gn-between" }, this.sentence), lower.svg);
  }

  buildSliders() {
    const made = (field, words, letter) => {
      const [low, high] = limits(field, this.domain);
      return [field, slider({ words, letter, low, high, step: 0.01, set: (value) => this.change({ p: withField(this.p, field, value, this.domain), q: this.origin }) })];
    };
    const rows = [made("gap", "parting of the modes of p", "parting"), made("weight", "weight of the left mode of p", "weight")];
    this.sliders = Object.fromEntries(rows);
    return make("div", { class: "gn-columns gn-of-p" }, ...rows.map(([, { row }]) => make("div", { class: "gn-column gn-of-p" }, row)));
  }

  // ------------------------------------------------------------------------------------------------------ the descent

  begin() {
    super.begin();
    this.values = [objective(this.objective, this.p, this.q)];
    this.slope = Math.hypot(...gradient(this.objective, this.p, this.q));
  }

  atRest() {
    return this.slope < AT_REST || this.values.length > MOST_STEPS;
  }

  step() {
    const { q, value } = descend(this.objective, this.p, this.q, this.model.get("rate"));
    this.q = q;
    this.values.push(value);
    this.slope = Math.hypot(...gradient(this.objective, this.p, q));
    this.show();
  }

  // ---------------------------------------------------------------------------------------------------------- showing

  draw() {
    this.drawing = 0;
    this.drawDensities();
    this.drawCourse();
    for (const [field, { show }] of Object.entries(this.sliders)) show(this.p[field]);
    for (const [name, button] of this.choices) button.setAttribute("aria-pressed", name === this.objective);
    const steps = this.values.length - 1;
    const rest = this.atRest() ? ", at rest" : "";
    const [value, mean, sd] = [this.values.at(-1), this.q.mean, this.q.sd].map((number) => figure(number));
    this.sentence.replaceChildren(...formula(this.objective), ` = ${value} nats after ${steps} ${steps === 1 ? "step" : "steps"}${rest}: `, make("i", {}, "q"), ` has mean ${mean} and standard deviation ${sd}`);
    const values = { step: steps, objective: this.objective, value: this.values.at(-1), slope: this.slope, mean: this.q.mean, sd: this.q.sd };
    this.root.dataset.values = JSON.stringify({ ...values, p: this.p, rest: this.atRest() });
  }

  drawDensities() {
    const { upper, domain } = this;
    const [p, q, origin] = [this.p, this.q, this.origin].map(density);
    const xs = upper.samples(domain, ...p.breaks, ...q.breaks);
    const [ps, qs, starts] = [p, q, origin].map(({ logp }) => xs.map((x) => Math.exp(logp(x))));
    upper.frame(domain, [0, 1.15 * Math.max(...ps, ...qs, 0.4)]);
    for (const [letter, heights] of [["p", ps], ["q", qs]]) {
      const path = upper.trace(xs, heights);
      this.curves[letter].setAttribute("d", path);
      this.fills[letter].setAttribute("d", upper.under(path));
    }
    this.ghost.setAttribute("d", this.values.length > 1 ? upper.trace(xs, starts) : "");
    const left = this.p.mean - this.p.gap / 2 - 0.62 * this.p.sd;
    upper.say(this.names.p, "p", left, Math.exp(p.logp(left)), { dx: -12 });
    const flank = this.q.mean + 0.62 * this.q.sd;
    upper.say(this.names.q, "q", flank, Math.exp(q.logp(flank)), { dx: 14 });
    upper.say(this.names.start, this.values.length > 1 ? "start" : "", this.origin.mean, Math.exp(origin.logp(this.origin.mean)), { dy: -6 });
    this.grip.show(xs, qs);
  }

  drawCourse() {
    const { lower, values } = this;
    const steps = values.map((_, step) => step);
    lower.frame([0, Math.max(100, 1.05 * values.length)], [0, 1.15 * Math.max(...values, 0.01)]);
    this.course.setAttribute("d", lower.trace(steps, values));
    const [x, y] = [lower.x(values.length - 1), lower.y(values.at(-1))];
    this.here.setAttribute("d", `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0`);
    lower.say(this.unit, "steps", lower.right, 0, { dy: -8, anchor: "end" });
  }
}

const render = renderer(FitView);

export default { render };
