/**
 * A training scrubber: one slider through the recorded steps of a run, and with it move the samples over the modes, the
 * surface of the discriminator, the modes found, the share of samples of high quality and the losses.
 *
 * The model's traits, which `training.py` synchronises: runs (condition -> one recording a seed), conditions, seeds,
 * steps, modes, std, total, extent, block, condition, seed, frame, title, alt. The root element carries what is shown in
 * `data-values` (JSON).
 */

import { Panel, figure, followWidth } from "./curves.js";
import { between, channels, make, makeButton, onTheme, renderer } from "./parts.js";
import { Recording } from "./recording.js";
import { View } from "./view.js";

const FRAME_MS = 130; // how long a frame stands while it plays
const REST_MS = 700; // after so long at rest is the state spoken
const HEIGHT = 110; // of a chart, in pixels
const RING = 7; // the least radius of a mode's ring, in pixels
const PLAYERS = { discriminator: "gn-of-d", generator: "gn-of-q gn-dashed" }; // whose losses, and their look
const DOT = 2.1; // the radius of a sample

/** A line that keeps each value until the next one is recorded. */
const held = (xs, ys) => ({ xs: xs.flatMap((x, i) => (i ? [x, x] : [x])), ys: ys.flatMap((y, i) => (i ? [ys[i - 1], y] : [y])) });

/** "1 sample", "2 samples". */
const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

class TrainingView extends View {
  constructor(model) {
    super(model, ["condition", "seed", "frame"]);
    for (const name of ["conditions", "seeds", "steps", "modes", "std", "total", "extent", "block"]) this[name] = model.get(name);
    const runs = model.get("runs");
    this.recordings = Object.fromEntries(this.conditions.map((name) => [name, runs[name].map((run) => new Recording(run, this.extent))]));
    this.reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
  }

  get run() {
    return this.recordings[this.condition][this.seed];
  }

  heard() {
    this.pause();
  }

  start() {
    const unheard = this.listen();
    this.draw();
    const ends = [
      followWidth(this.charts, (width) => {
        for (const { panel } of this.rows) panel.width = width;
        this.redraw();
      }),
      followWidth(this.canvas.parentElement, () => this.redraw()),
      onTheme(() => this.redraw()),
    ];
    return () => {
      unheard();
      for (const end of ends) end();
      this.pause();
      clearTimeout(this.sayLater);
    };
  }

  // --------------------------------------------------------------------------------------------------- the elements

  build() {
    const title = this.model.get("title");
    this.sentence = make("p", { class: "gn-sentence gn-number" });
    this.spoken = make("p", { class: "gn-unseen", role: "status" });
    return make(
      "div",
      { class: "gn-explorer gn-densities gn-training", role: "group", "aria-label": title },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, title)),
      make("p", { class: "gn-unseen" }, this.model.get("alt")),
      make("div", { class: "gn-choices" }, this.buildConditions(), this.buildSeeds()),
      make("div", { class: "gn-scene" }, ...this.buildPlane(), this.buildSlider(), this.sentence, this.buildCharts()),
      this.spoken,
    );
  }

  buildConditions() {
    this.conditionButtons = this.conditions.map((name) => [name, makeButton(name, () => this.show({ condition: name }))]);
    const buttons = this.conditionButtons.map(([, button]) => button);
    return make("div", { class: "gn-choice", role: "group", "aria-label": "setting" }, ...buttons);
  }

  buildSeeds() {
    this.seedButtons = this.seeds.map((name, seed) => {
      const button = makeButton(String(name), () => this.show({ seed }));
      button.setAttribute("aria-label", `seed ${name}`);
      return button;
    });
    return make("div", { class: "gn-choice", role: "group", "aria-label": "seed" }, make("span", {}, "seed"), ...this.seedButtons);
  }

  buildPlane() {
    this.canvas = make("canvas", { class: "gn-view", role: "img", "aria-label": this.model.get("alt") });
    this.surface = make("canvas", {}); // one pixel a cell
    const entry = (look, ...words) => make("span", { class: "gn-entry" }, make("span", { class: look, "aria-hidden": "true" }), ...words);
    this.scale = make("span", { class: "gn-entry gn-scale" });
    const modes = [entry("gn-circle", "mode found"), entry("gn-circle gn-missed", "mode missed")];
    return [make("div", { class: "gn-plane-side" }, this.canvas), make("div", { class: "gn-legend" }, this.scale, entry("gn-dot", "sample"), ...modes)];
  }

  /** The charts: what is drawn, on which axis, and how the reader takes hold of them. */
  buildCharts() {
    const most = this.modes.length;
    const key = (name) => make("span", { class: `gn-key ${PLAYERS[name]}` }, name);
    this.rows = [
      this.buildChart(`modes found, of ${most}`, [["found", "gn-of-p"]]),
      this.buildChart("samples of high quality, %", [["share", "gn-of-q"]]),
      this.buildChart(["losses: ", key("discriminator"), ", ", key("generator")], Object.entries(PLAYERS)),
    ];
    const { panel } = this.rows.at(-1);
    const axis = panel.word("gn-tick"); // left of the numbers on the axis
    for (const [name, value] of Object.entries({ x: 26, y: HEIGHT - 6, "text-anchor": "end" })) axis.setAttribute(name, value);
    axis.textContent = "step";
    this.charts = make("div", { class: "gn-charts" }, ...this.rows.map(({ element }) => element));
    return this.charts;
  }

  buildChart(words, curves) {
    const heading = make("p", { class: "gn-heading" }, ...[words].flat());
    const panel = new Panel(heading.textContent, HEIGHT);
    const paths = Object.fromEntries(curves.map(([name, look]) => [name, panel.path(panel.lines, `gn-line ${look}`)]));
    const cursor = panel.path(panel.handles, "gn-cursor");
    const dots = Object.fromEntries(curves.map(([name, look]) => [name, panel.path(panel.handles, `gn-here ${look.split(" ")[0]}`)]));
    const hold = make("div", { class: "gn-hold-chart" }, panel.svg);
    const to = (event) => this.show({ frame: this.nearest(panel.valueAt(event)) });
    hold.addEventListener("pointerdown", (event) => {
      hold.setPointerCapture(event.pointerId);
      to(event);
    });
    hold.addEventListener("pointermove", (event) => hold.hasPointerCapture(event.pointerId) && to(event));
    return { element: make("div", {}, heading, hold), panel, paths, dots, cursor };
  }

  buildSlider() {
    this.slider = make("input", { type: "range", min: 0, max: this.steps.length - 1, step: 1, "aria-label": "step of training" });
    this.slider.addEventListener("input", () => this.show({ frame: Number(this.slider.value) }));
    this.playButton = makeButton("Play", () => this.press());
    this.nameButton();
    this.reducedMotion.addEventListener("change", () => this.nameButton());
    this.number = make("span", { class: "gn-number", "aria-hidden": "true" });
    return make("div", { class: "gn-scrub" }, make("div", { class: "gn-actions" }, this.playButton), this.slider, this.number);
  }

  // --------------------------------------------------------------------------------------------------------- movement

  /** The recorded frame whose step is nearest. */
  nearest(step) {
    return this.steps.reduce((best, other, i) => (Math.abs(other - step) < Math.abs(this.steps[best] - step) ? i : best), 0);
  }

  /** Without motion the button goes one frame further at each press. */
  nameButton() {
    this.playButton.textContent = this.reducedMotion.matches ? "Next" : this.playing ? "Pause" : "Play";
  }

  press() {
    if (this.playing) return this.pause();
    if (this.reducedMotion.matches) return this.show({ frame: (this.frame + 1) % this.steps.length });
    if (this.frame === this.steps.length - 1) this.frame = 0;
    clearTimeout(this.sayLater);
    this.playing = setInterval(() => !document.hidden && this.advance(), FRAME_MS);
    this.nameButton();
    this.redraw();
  }

  advance() {
    this.frame += 1;
    if (this.frame >= this.steps.length - 1) this.pause();
    super.show();
  }

  pause() {
    clearInterval(this.playing);
    this.playing = 0;
    this.nameButton();
    this.speakSoon();
  }

  /** The reader chooses a frame, a seed or a condition; another run goes on playing. */
  show(changed) {
    if ("frame" in changed) this.pause();
    Object.assign(this, changed);
    super.show();
    this.speakSoon();
  }

  speakSoon() {
    clearTimeout(this.sayLater);
    if (!this.playing) this.sayLater = setTimeout(() => (this.spoken.textContent = this.sentence.textContent), REST_MS);
  }

  // ---------------------------------------------------------------------------------------------------------- showing

  draw() {
    this.drawing = 0;
    const points = this.run.samplesAt(this.frame);
    this.drawPlane(points);
    this.drawCharts();
    const step = this.steps[this.frame];
    const [found, share] = [this.run.foundAt(this.frame), this.shareAt(this.run, this.frame)];
    const outside = this.run.points - points.length;
    const unseen = outside ? ` ${outside} of the ${counted(this.run.points, "sample")} drawn ${outside === 1 ? "lies" : "lie"} outside of the picture.` : "";
    this.sentence.textContent = `After ${counted(step, "step")}: ${found} of ${counted(this.modes.length, "mode")} found; ${figure(100 * share, 1)} % of ${counted(this.total, "sample")} are of high quality.${unseen}`;
    for (const [name, button] of this.conditionButtons) button.setAttribute("aria-pressed", name === this.condition);
    this.seedButtons.forEach((button, seed) => button.setAttribute("aria-pressed", seed === this.seed));
    this.slider.value = this.frame;
    this.slider.style.setProperty("--share", this.frame / Math.max(1, this.steps.length - 1));
    this.slider.setAttribute("aria-valuetext", `step ${step}, ${found} of ${this.modes.length} modes`);
    this.number.textContent = step.toLocaleString("en");
    const { condition, seed, frame } = this;
    this.root.dataset.values = JSON.stringify({ condition, seed, frame, step, found, share, outside, losses: this.lossesAt(frame) });
  }

  /** The share of all samples that are of high quality. */
  shareAt(run, frame) {
    return run.counts[frame].reduce((sum, count) => sum + count, 0) / this.total;
  }

  drawPlane(points) {
    const width = this.canvas.clientWidth;
    if (!width) return;
    const scale = window.devicePixelRatio;
    const side = Math.round(width * scale);
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const look = getComputedStyle(this.root);
    const colour = (name) => look.getPropertyValue(name).trim();
    this.drawSurface(colour);
    const context = this.canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.surface, 0, 0, width, width);
    const place = ([x, y]) => [(0.5 + x / (2 * this.extent)) * width, (0.5 - y / (2 * this.extent)) * width];
    this.drawModes(context, place, colour);
    context.lineWidth = 0.6;
    context.fillStyle = colour("--gn-q");
    context.strokeStyle = colour("--gn-edge-of-dot");
    for (const point of points) {
      context.beginPath();
      context.arc(...place(point), DOT, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
  }

  /** A ring around each mode, three standard deviations wide but never too small to see; dashed where none was found. */
  drawModes(context, place, colour) {
    const pixels = (3 * this.std * this.canvas.clientWidth) / (2 * this.extent);
    const counts = this.run.counts[this.frame];
    context.strokeStyle = colour("--gn-ring");
    this.modes.forEach((mode, k) => {
      context.lineWidth = counts[k] ? 1.75 : 1.25;
      context.setLineDash(counts[k] ? [] : [2.5, 2.5]);
      context.beginPath();
      context.arc(...place(mode), Math.max(RING, pixels), 0, 2 * Math.PI);
      context.stroke();
    });
    context.setLineDash([]);
  }

  /** The surface, one pixel a cell; the upper rows come first in a picture. */
  drawSurface(colour) {
    const { run } = this;
    const [low, high] = [colour("--gn-low"), colour("--gn-high")].map(channels);
    const context = this.surface.getContext("2d");
    this.surface.width = this.surface.height = run.size;
    const image = context.createImageData(run.size, run.size);
    run.surfaceAt(this.frame).forEach((value, i) => {
      const [row, column] = [Math.floor(i / run.size), i % run.size];
      image.data.set([...between(low, high, value / 255), 255], 4 * ((run.size - 1 - row) * run.size + column));
    });
    context.putImageData(image, 0, 0);
    const ends = run.critic ? run.range[this.frame].map((value) => figure(value, 2)) : ["0, made", "1, real"];
    const name = make("span", {}, make("i", {}, run.critic ? "f" : "D"), "(", make("i", {}, "x"), "):");
    this.scale.replaceChildren(name, ends[0], make("span", { class: "gn-ramp", "aria-hidden": "true" }), ends[1]);
  }

  drawCharts() {
    const { run, steps, frame } = this;
    const across = [steps[0], steps.at(-1)];
    const found = steps.map((_, i) => run.foundAt(i));
    const share = steps.map((_, i) => 100 * this.shareAt(run, i));
    const middles = run.losses.generator.map((_, i) => Math.min((i + 0.5) * this.block, across[1]));
    const players = Object.entries(this.lossesAt(frame)).map(([name, now]) => [name, { xs: middles, ys: run.losses[name].map((mean) => mean ?? NaN), now }]);
    const [first, second, third] = this.rows;
    this.drawChart(first, across, [0, this.modes.length], { found: { ...held(steps, found), now: found[frame] } });
    this.drawChart(second, across, [0, 100], { share: { xs: steps, ys: share, now: share[frame] } });
    this.drawChart(third, across, this.reach(), Object.fromEntries(players));
  }

  /** What the axis of the losses spans: the same for all seeds of a condition. */
  reach() {
    const values = this.recordings[this.condition].flatMap(({ losses }) => Object.values(losses).flat()).filter(Number.isFinite);
    const [low, high] = [Math.min(0, ...values), Math.max(0.1, ...values)];
    return [low, high + 0.08 * (high - low)];
  }

  /** The mean loss of each player in the block of updates that led to a frame. */
  lossesAt(frame) {
    const block = Math.max(0, Math.floor((this.steps[frame] - 1) / this.block));
    return Object.fromEntries(Object.entries(this.run.losses).map(([name, means]) => [name, means[Math.min(block, means.length - 1)] ?? NaN]));
  }

  /** Lines, a dot on each at the step that is shown, and the cursor. */
  drawChart({ panel, paths, dots, cursor }, across, up, curves) {
    panel.frame(across, up, panel === this.rows.at(-1).panel);
    const x = panel.x(this.steps[this.frame]);
    cursor.setAttribute("d", `M${x.toFixed(1)} ${panel.y(panel.low)}V4`);
    for (const [name, { xs, ys, now }] of Object.entries(curves)) {
      paths[name].setAttribute("d", panel.trace(xs, ys));
      const y = panel.y(now);
      dots[name].setAttribute("d", Number.isFinite(y) ? `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0` : "");
    }
  }
}

const render = renderer(TrainingView);

export default { render };
