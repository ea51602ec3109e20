/**
 * A GAN that trains in front of the reader, who can make it collapse and cure it while it runs.
 *
 * The model's traits, which `live.py` synchronises: settings (what `players.js` calls rules, with pack and seed), world;
 * and, which stay: worlds, presets, shape, title, alt. The root element carries what is shown in `data-values` (JSON).
 */

import { Arena } from "./arena.js";
import { Panel, figure, followWidth, slider } from "./curves.js";
import { make, makeButton, onTheme, renderer } from "./parts.js";
import { Game, LOSSES, Random, coverage } from "./players.js";

const SLICE_MS = 12; // of training in a frame, which has about 16
const DRAW_MS = 50; // between two drawings of the samples, or more
const ALL_MS = 300; // between two drawings of all: of the curves and D's shade too
const SHARE = 4; // so many times as long as a drawing takes is there none
const CALM_MS = 2000; // and of anything, for those who prefer reduced motion
const TELL_MS = 150; // before the kernel is told
const SAMPLES = 1000; // that are shown and counted, of the same codes all along
const EVERY = 50; // updates between two points of the curves
const MOST_POINTS = 400; // of a curve; beyond, every second one goes
const COMPANIES = 4; // draws of data in whose company D sees a point, where it sees packs

const NAMES = {
  loss: Object.fromEntries(Object.keys(LOSSES).map((name) => [name, name])),
  penalty: { none: "none", r1: "R1", gradient: "gradient" },
  pack: { 1: "1 point", 2: "2 points", 4: "4 points" },
};
const OF_LOGITS = ["minimax", "non-saturating"]; // losses whose score is the logit of D(x)
const LEAST_SPAN = 0.05; // of the values that are shaded: less is not told from noise

/** A number with two digits that count, such as 0.0010. */
const twoDigits = (number) => Number(number).toPrecision(2);

/** A whole number with its thousands apart. */
const whole = (number) => number.toLocaleString("en");

class LiveView {
  constructor(model) {
    this.model = model;
    [this.settings, this.world] = [model.get("settings"), model.get("world")];
    [this.worlds, this.presets, this.shape] = ["worlds", "presets", "shape"].map((name) => model.get(name));
    this.reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
    this.playing = false;
    this.inSight = true;
  }

  start() {
    const hear = () => {
      if (!this.telling) this.change({ ...this.model.get("settings") }, this.model.get("world"), false);
    };
    for (const event of ["change:settings", "change:world"]) this.model.on(event, hear);
    const theme = () => {
      this.arena.takeColours();
      this.drawAll();
    };
    this.arena.takeColours();
    this.restart();
    const ends = [
      onTheme(theme),
      followWidth(this.arena.canvas.parentElement, (width) => {
        this.arena.size = width;
        this.drawAll();
      }),
      followWidth(this.panels.losses.svg.parentElement, (width) => {
        for (const panel of Object.values(this.panels)) panel.width = width;
        this.drawAll();
      }),
    ];
    const sight = new IntersectionObserver(([entry]) => {
      this.inSight = entry.isIntersecting;
      this.goOn();
    });
    sight.observe(this.arena.canvas);
    return () => {
      this.playing = false;
      for (const event of ["change:settings", "change:world"]) this.model.off(event, hear);
      for (const end of ends) end();
      sight.disconnect();
      cancelAnimationFrame(this.ticking);
      clearTimeout(this.tellingLater);
    };
  }

  // --------------------------------------------------------------------------------------------------- the elements

  build() {
    const title = this.model.get("title");
    this.playButton = makeButton("Play", () => (this.playing ? this.pause() : this.play()));
    const actions = make("div", { class: "gn-actions" }, this.playButton, makeButton("Restart", () => this.restart()));
    this.status = make("p", { class: "gn-sentence", role: "status" });
    return make(
      "div",
      { class: "gn-explorer gn-densities gn-live", role: "group", "aria-label": title },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, title), actions),
      make("p", { class: "gn-unseen" }, this.model.get("alt")),
      this.buildChoices(),
      make("div", { class: "gn-court" }, this.buildArena(), this.buildCurves()),
      this.buildNumbers(),
      this.status,
      this.buildControls(),
      make("p", { class: "gn-caption" }, this.buildNote()),
    );
  }

  buildChoices() {
    const row = (words, names, choose) => {
      const buttons = names.map(([name, label]) => [name, makeButton(label, () => choose(name))]);
      const group = make("div", { class: "gn-choice", role: "group", "aria-label": words }, make("span", {}, words), ...buttons.map(([, button]) => button));
      return [group, buttons];
    };
    const named = Object.entries(this.presets).map(([name, { title }]) => [name, title]);
    const worlds = Object.entries(this.worlds).map(([name, { title }]) => [name, title]);
    const [presets, worldRow] = [
      row("Settings", named, (name) => this.change({ ...this.settings, ...this.presets[name].settings }, this.world)),
      row("World", worlds, (name) => this.change(this.settings, name)),
    ];
    [this.presetButtons, this.worldButtons] = [presets[1], worldRow[1]];
    return make("div", { class: "gn-choices" }, presets[0], worldRow[0]);
  }

  buildArena() {
    this.arena = new Arena(this.model.get("alt"));
    const entry = (sign, words) => make("span", { class: "gn-entry" }, make("span", { class: `gn-sign-of-${sign}` }), words);
    this.shadeName = entry("says", "");
    const legend = make("div", { class: "gn-legend" }, entry("mode", "mode of the data, 3σ"), entry("found", "found"), entry("made", "made by G"), this.shadeName);
    return make("div", {}, make("div", { class: "gn-square" }, this.arena.canvas), legend);
  }

  buildCurves() {
    const panel = (label, className, words) => {
      const made = new Panel(label, 104);
      made.line = made.path(made.lines, `gn-line ${className}`);
      made.name = make("p", { class: "gn-caption" }, words);
      return made;
    };
    this.panels = {
      found: panel("modes found, over updates", "gn-of-p", "modes found"),
      share: panel("share of samples of high quality, over updates", "gn-of-q", "high quality, %"),
      losses: panel("losses of D and G, over updates", "gn-of-d", ""),
    };
    const { losses } = this.panels;
    this.all = this.panels.found.path(this.panels.found.lines, "gn-line gn-ghost gn-dashed"); // as many modes as there are
    losses.second = losses.path(losses.lines, "gn-line gn-of-q gn-dashed");
    losses.unit = make("span", {}, "losses: ");
    losses.name.append(losses.unit, make("span", { class: "gn-line-of-d" }), " D ", make("span", { class: "gn-line-of-g" }), " G");
    losses.axisName = make("p", { class: "gn-caption gn-across" }, "thousand updates");
    return make("div", { class: "gn-curves" }, ...Object.values(this.panels).flatMap(({ name, svg }) => [name, svg]), losses.axisName);
  }

  buildNumbers() {
    const words = { updates: "updates", speed: "updates a second", found: "modes found", share: "high quality" };
    this.numbers = Object.fromEntries(Object.keys(words).map((name) => [name, make("dd", { class: "gn-number" })]));
    const entries = Object.entries(words).map(([name, label]) => make("div", { class: "gn-own" }, make("dt", {}, label), this.numbers[name]));
    return make("div", { class: "gn-measured" }, make("dl", {}, ...entries));
  }

  buildNote() {
    const { std } = this.worlds[this.world];
    return `A mode is a round normal with σ = ${std}. Counts are over ${whole(SAMPLES)} samples: one within 3σ of a mode is of high quality, and a mode with one of these is found.`;
  }

  buildControls() {
    const set = (name, value) => this.change({ ...this.settings, [name]: value }, this.world);
    const select = (name, words) => {
      const menu = make("select", {}, ...Object.entries(NAMES[name]).map(([value, label]) => make("option", { value }, label)));
      menu.addEventListener("change", () => set(name, name === "pack" ? Number(menu.value) : menu.value));
      return [name, { row: make("label", { class: "gn-menu" }, words, menu), show: (value) => (menu.value = value) }];
    };
    const logarithmic = (name, words, letter, low, high) => {
      const { row, show } = slider({ words, letter, low: Math.log10(low), high: Math.log10(high), step: 0.05, say: (power) => twoDigits(10 ** power), set: (power) => set(name, Number(twoDigits(10 ** power))) });
      return [name, { row, show: (value) => show(Math.log10(value)) }];
    };
    const seed = make("input", { type: "number", min: 0, max: 999, step: 1 });
    seed.addEventListener("change", () => set("seed", Math.round(Math.min(999, Math.max(0, Number(seed.value) || 0)))));
    this.controls = Object.fromEntries([
      select("loss", "Loss"),
      select("penalty", "Penalty on D"),
      select("pack", "D sees"),
      ["seed", { row: make("label", { class: "gn-menu" }, "Seed", seed), show: (value) => (seed.value = value) }],
      logarithmic("d_rate", "learning rate of D", "D’s rate", 1e-5, 1e-2),
      logarithmic("g_rate", "learning rate of G", "G’s rate", 1e-5, 1e-2),
      ["d_steps", slider({ words: "steps of D for one of G", letter: "D’s steps", low: 1, high: 5, step: 1, say: String, set: (value) => set("d_steps", value) })],
      logarithmic("weight", "weight of the penalty", "weight", 0.01, 10),
    ]);
    const rows = Object.values(this.controls).map(({ row }) => row);
    return make("div", {}, make("div", { class: "gn-menus" }, ...rows.slice(0, 4)), make("div", { class: "gn-columns" }, ...rows.slice(4)));
  }

  // ------------------------------------------------------------------------------------------------------- the game

  /** A new game from the settings as they stand; it goes on by itself if the last one was playing. */
  restart() {
    const { seed, pack } = this.settings;
    const world = this.worlds[this.world];
    this.game = new Game(world, { ...this.shape, seed, pack });
    const apart = new Random(seed + 1000); // what is shown takes no draws from the game
    this.codes = apart.codes(this.shape.codes, SAMPLES);
    this.companies = Array.from({ length: COMPANIES }, () => apart.points(world, pack));
    this.measure();
    this.course = { every: EVERY, updates: [0], found: [this.seen.found], share: [100 * this.seen.share], lossD: [NaN], lossG: [NaN] };
    [this.sumD, this.sumG, this.summed] = [0, 0, 0];
    [this.diverged, this.speed] = [false, NaN];
    this.say(this.playing ? "Training, from new weights." : "New weights. Press Play.");
    this.drawAll();
    this.goOn();
  }

  /** Other settings. All of them but pack, seed and world take effect at the next update of the running game. */
  change(settings, world, tell = true) {
    const anew = settings.pack !== this.settings.pack || settings.seed !== this.settings.seed || world !== this.world;
    [this.settings, this.world] = [settings, world];
    if (tell) this.tellingLater ??= setTimeout(() => this.tell(), TELL_MS);
    if (anew) this.restart();
    else this.drawAll();
  }

  /** Tells the kernel. */
  tell() {
    this.tellingLater = null;
    this.telling = true;
    this.model.set("settings", this.settings);
    this.model.set("world", this.world);
    this.telling = false;
    this.model.save_changes();
  }

  /** One update, and from time to time a point of the curves. */
  advance() {
    const { lossD, lossG } = this.game.update(this.settings);
    [this.sumD, this.sumG, this.summed] = [this.sumD + lossD, this.sumG + lossG, this.summed + 1];
    if (!Number.isFinite(lossD + lossG)) this.diverged = true;
    else if (this.game.updates % this.course.every === 0) this.addPoint();
  }

  addPoint() {
    this.measure();
    const { course, seen, summed } = this;
    const point = { updates: this.game.updates, found: seen.found, share: 100 * seen.share, lossD: this.sumD / summed, lossG: this.sumG / summed };
    const names = Object.keys(point);
    for (const name of names) course[name].push(point[name]);
    [this.sumD, this.sumG, this.summed] = [0, 0, 0];
    if (course.updates.length <= MOST_POINTS) return;
    for (const name of names) course[name] = course[name].filter((_, i) => i % 2 === 0);
    course.every *= 2;
  }

  /** What G makes of the codes that are shown, and how it lies over the modes. */
  measure() {
    this.samples = this.game.G.forward(this.codes, SAMPLES);
    this.seen = coverage(this.samples, SAMPLES, this.worlds[this.world]);
  }

  play() {
    if (this.diverged) this.restart();
    this.playing = true;
    this.playButton.textContent = "Pause";
    this.say("Training.");
    this.drawNumbers();
    this.goOn();
  }

  pause() {
    this.playing = false;
    this.playButton.textContent = "Play";
    this.drawAll(); // which counts anew
    const { found, share } = this.seen;
    const modes = this.worlds[this.world].means.length;
    this.say(`Paused after ${whole(this.game.updates)} updates: ${found} of ${modes} modes found, ${Math.round(100 * share)} % of high quality.`);
  }

  /** Asks for the next frame, if the game is playing in the reader's sight. Hidden pages get no frames. */
  goOn() {
    if (!this.playing || !this.inSight || this.ticking) return;
    [this.lastTime, this.lastUpdates] = [performance.now(), this.game.updates];
    [this.drew, this.cost] = [false, 0];
    this.ticking = requestAnimationFrame(() => this.frame());
  }

  /** A slice of training, and a picture of where it led. */
  frame() {
    this.ticking = 0;
    if (!this.playing || !this.inSight) return;
    const begin = performance.now();
    if (this.drew) this.cost = begin - this.trained; // the browser's part of it is done only now
    do this.advance();
    while (!this.diverged && performance.now() - begin < SLICE_MS);
    if (this.diverged) {
      this.playing = false;
      this.playButton.textContent = "Play";
      this.say(`Diverged: after ${whole(this.game.updates)} updates a loss is no longer a finite number. Change the settings and press Restart.`);
    } else {
      this.ticking = requestAnimationFrame(() => this.frame());
    }
    this.trained = performance.now();
    const calm = this.reducedMotion.matches;
    const since = begin - this.drawnAt;
    this.drew = this.diverged || since > Math.max(calm ? CALM_MS : DRAW_MS, SHARE * this.cost);
    if (!this.drew) return;
    if (this.diverged || calm || begin - this.allDrawnAt > Math.max(ALL_MS, 2 * since)) this.drawAll();
    else this.drawArena();
  }

  // -------------------------------------------------------------------------------------------------------- drawing

  say(words) {
    if (this.status.textContent !== words) this.status.textContent = words;
  }

  drawAll() {
    const now = performance.now();
    if (this.game.updates < this.lastUpdates) [this.lastTime, this.lastUpdates] = [now, this.game.updates];
    if (this.ticking && now - this.lastTime > 900) {
      this.speed = (1000 * (this.game.updates - this.lastUpdates)) / (now - this.lastTime);
      [this.lastTime, this.lastUpdates] = [now, this.game.updates];
    }
    this.allDrawnAt = now;
    this.drawShade();
    this.drawArena();
    this.drawCurves();
    this.drawNumbers();
    this.showSettings();
  }

  drawArena() {
    this.drawnAt = performance.now();
    this.measure();
    this.arena.draw(this.worlds[this.world], this.samples, this.seen.counts);
  }

  /** D's score at the middle of each cell; where D sees packs, the mean over packs whose other points are data. */
  scores() {
    const { D, pack } = this.game;
    const cells = Arena.cells(this.worlds[this.world].reach);
    const count = cells.length / 2;
    const sum = new Float32Array(count);
    const companies = pack > 1 ? this.companies : [null];
    for (const company of companies) {
      const packs = new Float32Array(2 * pack * count);
      packs.set(cells);
      for (let row = 2; row < 2 * pack; row++) packs.fill(company[(row % 2) * pack + (row >> 1)], row * count, (row + 1) * count);
      D.forward(packs, count).forEach((score, i) => (sum[i] += score / companies.length));
    }
    return sum;
  }

  drawShade() {
    const { loss } = this.settings;
    const values = OF_LOGITS.includes(loss) ? this.scores().map((s) => 1 / (1 + Math.exp(-s))) : this.scores();
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const lacking = Math.max(0, LEAST_SPAN - (high - low)) / 2;
    [low, high] = [low - lacking, high + lacking];
    this.arena.setShade(values.map((value) => (value - low) / (high - low)));
    this.shadeName.lastChild.textContent = `${loss === "Wasserstein" ? "f" : "D"}(x), ${figure(low, 2)} to ${figure(high, 2)}`;
  }

  drawCurves() {
    const { course, panels } = this;
    const { updates, found, share, lossD, lossG } = course;
    const modes = this.worlds[this.world].means.length;
    let last = 1;
    while (1000 * last < this.game.updates) last *= 2;
    const thousands = updates.map((u) => u / 1000);
    panels.found.frame([0, last], [0, 1.08 * modes], false);
    panels.found.line.setAttribute("d", panels.found.trace(thousands, found));
    this.all.setAttribute("d", panels.found.trace([0, last], [modes, modes]));
    panels.share.frame([0, last], [0, 108], false);
    panels.share.line.setAttribute("d", panels.share.trace(thousands, share));
    const values = [...lossD, ...lossG].filter(Number.isFinite);
    const most = Math.max(1, ...values.map(Math.abs));
    const unit = most < 1000 ? 1 : 10 ** (3 * Math.floor(Math.log10(most) / 3));
    panels.losses.unit.textContent = unit === 1 ? "losses: " : `losses, in ${whole(unit)}: `;
    const lowest = values.some((v) => v < 0) ? -0.5 : 0;
    const [low, high] = [Math.min(lowest, ...values), Math.max(0.5, ...values)].map((v) => rounded(v / unit));
    panels.losses.frame([0, last], [low, high]);
    panels.losses.line.setAttribute("d", panels.losses.trace(thousands, lossD.map((v) => v / unit)));
    panels.losses.second.setAttribute("d", panels.losses.trace(thousands, lossG.map((v) => v / unit)));
  }

  drawNumbers() {
    const { updates } = this.game;
    const { found, share } = this.seen;
    const modes = this.worlds[this.world].means.length;
    const speed = Number.isFinite(this.speed) ? whole(Math.round(this.speed)) : "–";
    const shown = { updates: whole(updates), speed, found: `${found} of ${modes}`, share: `${Math.round(100 * share)} %` };
    for (const [name, text] of Object.entries(shown)) this.numbers[name].textContent = text;
    const values = { updates, speed: this.speed, found, share, playing: this.playing, diverged: this.diverged, lossD: this.course.lossD.at(-1), lossG: this.course.lossG.at(-1) };
    this.root.dataset.values = JSON.stringify({ ...values, settings: this.settings, world: this.world });
  }

  showSettings() {
    const { settings } = this;
    for (const [name, { show }] of Object.entries(this.controls)) show(settings[name]);
    this.controls.weight.row.classList.toggle("gn-idle", settings.penalty === "none");
    for (const [name, button] of this.presetButtons) {
      const wanted = Object.entries(this.presets[name].settings);
      button.setAttribute("aria-pressed", wanted.every(([setting, value]) => settings[setting] === value));
    }
    for (const [name, button] of this.worldButtons) button.setAttribute("aria-pressed", name === this.world);
  }
}

/** The next number away from 0 with one digit that counts and a half, so that axes do not move all the time. */
function rounded(value) {
  if (value === 0) return 0;
  const step = 10 ** Math.floor(Math.log10(Math.abs(value))) / 2;
  return Math.sign(value) * step * Math.ceil(Math.abs(value) / step + 0.1);
}

const render = renderer(LiveView);

export default { render };
