/**
 * A walk through the latent space of a generator: z is moved along directions, jumps to draws from the prior, and goes
 * from one kept sample to another. A generator that takes classes too shows z in all of them, and blends of two.
 *
 * The model's traits, which `walk.py` synchronises: those of `code.js`, and directions, kept, classes, called, c, tiles.
 * The root element carries the weights of the classes that are shown in `data-c`.
 *
 * @typedef {{ z: number[], c: number[] }} Sample what the generator is given
 * @typedef {{ button: HTMLButtonElement, draw: (values: ArrayLike<number>) => void, sample: () => Sample }} Tile
 */

import { CodeView } from "./code.js";
import { between, clamp, make, makeButton, makePicture, renderer, spherical, variable } from "./parts.js";

const BUDGET_MS = 8; // of a frame, for tiles; those that do not fit wait for the next one
const SHORT = 2; // letters of a name that has room under a tile on a phone

class WalkView extends CodeView {
  constructor(model) {
    super(model);
    [this.letter, this.kind] = ["a", "direction"];
    this.directions = model.get("directions");
    this.classes = model.get("classes");
    this.called = model.get("called");
    this.c = [...model.get("c")];
    /** @type {Sample[]} */
    this.kept = model.get("kept").map((z) => ({ z, c: this.c }));
    this.mixed = [0, 1]; // the two classes of a blend
    /** @type {Set<Tile>} */
    this.stale = new Set(); // tiles to draw, in this order
  }

  start() {
    const end = super.start();
    const follow = () => {
      if (this.sharing) return;
      this.setClasses(this.model.get("c"));
    };
    this.model.on("change:c", follow);
    this.renew(this.way);
    return () => {
      end();
      this.model.off("change:c", follow);
      cancelAnimationFrame(this.drawingTiles);
    };
  }

  // --------------------------------------------------------------------------------------------------- the elements

  build() {
    const stage = make("div", { class: "gn-stage" }, this.buildPicture(true));
    if (this.up !== undefined) {
      stage.append(make("div", {}, this.buildPlane([1, 2], []), this.buildAxes()));
      this.showAxes();
    }
    return this.buildFrame(
      [this.buildWalk(), ...this.buildRandomAndReset()],
      stage,
      ...this.buildClasses(),
      ...this.buildFoldedSliders(),
      this.buildWay(),
    );
  }

  /** A button with the generator's picture of a sample. @returns {Tile} */
  buildTile(sample, words, press) {
    const [, , height, width] = this.decoder.outputs[0].shape;
    const { canvas, draw } = makePicture(width, height, "");
    canvas.removeAttribute("role");
    canvas.removeAttribute("aria-label");
    canvas.setAttribute("aria-hidden", "true");
    const button = makeButton(canvas, press);
    button.setAttribute("aria-label", words);
    return { button, draw, sample };
  }

  /** z in every class, and a blend of two. */
  buildClasses() {
    if (this.classes.length === 0) return [];
    const alone = (k) => this.classes.map((_, i) => Number(i === k));
    this.row = this.classes.map((name, k) => {
      const tile = this.buildTile(() => ({ z: this.z, c: alone(k) }), `${this.called} ${name}`, () => this.setClasses(alone(k)));
      tile.button.append(make("span", { "aria-hidden": "true" }, name));
      return tile;
    });
    const row = make("div", { class: "gn-row", role: "group", "aria-label": `this z in every ${this.called}` }, ...this.row.map(({ button }) => button));
    row.style.setProperty("--columns", this.classes.length);
    const short = this.classes.every((name) => name.length <= SHORT);
    row.style.setProperty("--narrow", short ? this.classes.length : Math.ceil(this.classes.length / 2));
    return [make("div", {}, make("p", { class: "gn-note" }, "This ", variable("z"), ` in every ${this.called}`), row), this.buildBlend()];
  }

  buildBlend() {
    this.blend = this.buildShare(`share of the second ${this.called}`, (share) => this.setBlend(share));
    this.parts = ["first", "second"].map((which, place) => {
      const select = make("select", { "aria-label": `${which} ${this.called} of the blend` });
      select.append(...this.classes.map((name, k) => make("option", { value: k }, name)));
      select.addEventListener("change", () => this.setPart(place, Number(select.value)));
      return select;
    });
    const [first, second] = this.parts;
    return make("div", { class: "gn-between" }, make("span", { "aria-hidden": "true" }, "Blend"), first, this.blend, second);
  }

  /** From A to B: what the reader keeps, and what lies between. */
  buildWay() {
    const count = this.model.get("tiles");
    this.way = Array.from({ length: count }, (_, i) => {
      const share = i / (count - 1);
      const words = i === 0 ? "A" : i === count - 1 ? "B" : `${i} of ${count - 1} from A to B`;
      return this.buildTile(() => this.onWay(share), words, () => this.goWay(share));
    });
    const keep = ["A", "B"].map((name, place) => makeButton(`Keep as ${name}`, () => this.keep(place)));
    const tiles = make("div", { class: "gn-row", role: "group", "aria-label": "from A to B" }, ...this.way.map(({ button }) => button));
    tiles.style.setProperty("--columns", count);
    tiles.style.setProperty("--narrow", count);
    this.wayInput = this.buildShare("share of B", (share) => this.goWay(share, true));
    this.showShare(this.wayInput, 0);
    return make(
      "div",
      { class: "gn-way", role: "group", "aria-label": "from one kept sample to another" },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, "From A to B"), make("div", { class: "gn-actions" }, ...keep)),
      tiles,
      make("div", { class: "gn-between" }, make("span", { "aria-hidden": "true" }, "A"), this.wayInput, make("span", { "aria-hidden": "true" }, "B")),
    );
  }

  /** A slider from 0 to 1. */
  buildShare(words, move) {
    const input = make("input", { type: "range", class: "gn-share", min: 0, max: 1, step: 0.01, value: 0, "aria-label": words });
    input.addEventListener("input", () => {
      this.stop();
      move(Number(input.value));
    });
    return input;
  }

  showShare(input, share) {
    input.value = share;
    input.style.setProperty("--share", share);
    input.setAttribute("aria-valuetext", `${Math.round(100 * share)} %`);
  }

  // ------------------------------------------------------------------------------------------------------- showing it

  draw() {
    super.draw();
    this.root.dataset.c = JSON.stringify(this.c);
    if (this.row) this.showClasses();
    for (const { button, sample } of this.way) button.setAttribute("aria-pressed", this.isHere(sample()));
  }

  showClasses() {
    this.row.forEach(({ button }, k) => button.setAttribute("aria-pressed", this.c[k] > 0.999));
    this.parts.forEach((select, place) => (select.value = this.mixed[place]));
    const [first, second] = this.mixed.map((k) => this.c[k]);
    this.showShare(this.blend, first + second > 0 ? second / (first + second) : 0);
    const shown = JSON.stringify(this.z);
    if (shown !== this.shownInRow) this.renew(this.row);
    this.shownInRow = shown;
  }

  isHere({ z, c }) {
    const near = (a, b) => a.every((value, d) => Math.abs(value - b[d]) < 1e-6);
    return near(z, this.z) && near(c, this.c);
  }

  /** Draws tiles anew, as many as fit into a frame; the others follow, so that a moving z never waits for them. */
  renew(tiles) {
    for (const tile of tiles) this.stale.add(tile);
    const work = () => {
      this.drawingTiles = 0;
      const begin = performance.now();
      for (const tile of this.stale) {
        const { z, c } = tile.sample();
        tile.draw(this.decode(z, c));
        this.stale.delete(tile);
        if (performance.now() - begin > BUDGET_MS) break;
      }
      if (this.stale.size > 0) this.drawingTiles = requestAnimationFrame(work);
    };
    if (!this.drawingTiles) work();
  }

  decode(z, c = this.c) {
    const [code, weights] = this.decoder.inputs;
    const given = { [code.name]: z, ...(weights && { [weights.name]: c }) };
    return this.decoder.run(given)[this.decoder.outputs[0].name];
  }

  share() {
    this.sharing = true;
    this.model.set("c", [...this.c]);
    this.sharing = false;
    super.share();
  }

  // -------------------------------------------------------------------------------------------------------- moving z

  /** The place of a code on a direction. */
  at(d, z = this.z) {
    return this.directions[d].reduce((sum, value, i) => sum + value * z[i], 0);
  }

  put(d, value) {
    const by = value - this.at(d);
    this.z = this.z.map((old, i) => old + by * this.directions[d][i]);
  }

  between(from, to, share) {
    return spherical(from, to, share);
  }

  /** The sample at a share of the way from A to B: its code on an arc, its class by a blend. @returns {Sample} */
  onWay(share) {
    const [a, b] = this.kept;
    return { z: spherical(a.z, b.z, share), c: between(a.c, b.c, share) };
  }

  /** Goes there, at once while a slider is moved. */
  goWay(share, atOnce = false) {
    const { z, c } = this.onWay(share);
    this.showShare(this.wayInput, share);
    this.setClasses(c);
    if (!atOnce) return this.moveTo(z);
    this.z = z;
    this.show();
  }

  keep(place) {
    this.stop();
    this.kept[place] = { z: [...this.z], c: [...this.c] };
    this.showShare(this.wayInput, place);
    this.renew(this.way);
    this.show();
    this.spoken.textContent = `kept as ${"AB"[place]}`;
  }

  // ------------------------------------------------------------------------------------------------- moving the class

  /** Sets the weights of the classes; the blend shows the two that have most, where there are two. */
  setClasses(c) {
    this.c = [...c];
    const held = [...c.keys()].filter((k) => c[k] > 0).sort((j, k) => c[k] - c[j]);
    const missing = held.slice(0, 2).filter((k) => !this.mixed.includes(k));
    for (const k of missing) {
      const place = held.includes(this.mixed[0]) ? 1 : 0;
      this.mixed[place] = k;
    }
    this.show();
  }

  setBlend(share) {
    const [first, second] = this.mixed;
    this.c = this.classes.map((_, k) => (k === first ? 1 - share : 0) + (k === second ? share : 0));
    this.show();
  }

  /** Another class in one place of the blend; if it stands in the other place, the two change places. */
  setPart(place, k) {
    const share = clamp(Number(this.blend.value), 0, 1);
    if (this.mixed[1 - place] === k) this.mixed[1 - place] = this.mixed[place];
    this.mixed[place] = k;
    this.setBlend(share);
  }
}

const render = renderer(WalkView);

export default { render };
