/**
 * A map of a latent space: the codes of real images, the prior, and a point z to move; the page decodes z, shows the
 * real images whose codes lie nearest, and encodes the reader's own drawing.
 *
 * The model's traits, which `map.py` synchronises: those of `code.js`, and encoder, codes, classes, names, signs,
 * colours, means, samples, sprite, columns.
 */

import { CodeView } from "./code.js";
import { DrawingField, prepare } from "./drawing.js";
import { Glyphs } from "./glyphs.js";
import { Manifold } from "./manifold.js";
import { load } from "./onnx.js";
import { channels, decimal, make, makeButton, makePicture, onTheme, readable, variable, renderer } from "./parts.js";

const NEAREST = 5; // real images beside the decoded one
const REST_MS = 700; // after so long at rest is the place of z spoken

class MapView extends CodeView {
  constructor(model) {
    super(model);
    const get = (name) => model.get(name);
    [this.codes, this.classes, this.names, this.signs] = ["codes", "classes", "names", "signs"].map(get);
    this.stops = get("means");
    this.encoder = get("encoder") && load(get("encoder"));
    [, , this.height, this.width] = this.decoder.outputs[0].shape;
    this.sprite = new Image();
    this.sprite.src = get("sprite");
    this.pressed = this.pointed = null; // the class that is looked at: by a press, while pointed at
    this.mine = null; // the code of the reader's drawing
  }

  start() {
    this.showTheme();
    const end = super.start();
    this.sprite.addEventListener("load", () => this.showImages());
    const resized = new ResizeObserver(() => this.drawGlyphs());
    resized.observe(this.plane);
    const endTheme = onTheme(() => this.showTheme());
    return () => {
      end();
      endTheme();
      resized.disconnect();
      this.manifold.stop();
      clearTimeout(this.sayLater);
      cancelAnimationFrame(this.encoding);
    };
  }

  // --------------------------------------------------------------------------------------------------- the elements

  build() {
    const stage = make("div", { class: "gn-map" }, this.buildMap(), this.buildAside());
    this.showAxes();
    const actions = [this.buildWalk(), ...this.buildRandomAndReset()];
    return this.buildFrame(actions, stage, ...this.buildFoldedSliders(), ...this.buildDrawing());
  }

  buildMap() {
    this.manifold = new Manifold((z) => this.decode(z), this.width, this.height);
    this.glyphs = new Glyphs(this.classes, this.signs);
    this.near = Array.from({ length: Math.min(NEAREST, this.codes.length) }, () => make("span", { class: "gn-near" }));
    this.yours = make("span", { class: "gn-yours", hidden: "" }, make("span", {}, "yours"));
    const plane = this.buildPlane([1, 2, 3], [...this.near, this.yours]);
    plane.prepend(this.manifold.canvas, this.glyphs.canvas);
    this.backdrop = make("input", { type: "checkbox", role: "switch" });
    this.backdrop.addEventListener("change", () => this.showBackdrop());
    const options = make("div", { class: "gn-options" }, make("label", {}, this.backdrop, " Decode the whole plane"));
    if (this.order.length > 2) options.append(this.buildAxes());
    this.beyond = make("p", { class: "gn-note" });
    return make("div", {}, plane, this.buildLegend(), options, this.beyond);
  }

  buildLegend() {
    this.legend = this.names.map((name, k) => {
      const words = this.signs[k] === name ? name : `${this.signs[k]} ${name}`;
      const button = makeButton(words, () => this.lookAt({ pressed: this.pressed === k ? null : k }));
      button.setAttribute("aria-label", `show only ${name}`);
      button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.lookAt({ pointed: k }));
      button.addEventListener("pointerleave", () => this.lookAt({ pointed: null }));
      button.addEventListener("focus", () => button.matches(":focus-visible") && this.lookAt({ pointed: k }));
      button.addEventListener("blur", () => this.lookAt({ pointed: null }));
      return button;
    });
    return make("div", { class: "gn-legend", role: "group", "aria-label": "classes" }, ...this.legend);
  }

  /** Beside the map: what z decodes to, and the nearest real images. */
  buildAside() {
    this.neighbours = this.near.map(() => {
      const tile = this.makeTile();
      const name = make("span", { "aria-hidden": "true" });
      const button = makeButton(tile, () => this.moveTo(this.codes[button.dataset.index]));
      button.append(name);
      return { button, tile, name };
    });
    const row = make("div", { class: "gn-tiles" }, ...this.neighbours.map(({ button }) => button));
    const words = make("p", { class: "gn-note" }, "Real images nearest to it");
    return make("div", { class: "gn-aside" }, this.buildPicture(true), make("div", {}, words, row));
  }

  buildDrawing() {
    if (!this.encoder) return [];
    this.field = new DrawingField("your drawing", () => {
      cancelAnimationFrame(this.encoding);
      this.encoding = requestAnimationFrame(() => this.encode());
    });
    this.prepared = makePicture(this.width, this.height, "your drawing as the encoder takes it");
    this.copy = makePicture(this.width, this.height, "what the decoder makes of the code of your drawing");
    this.samples = this.model.get("samples").map((index, k) => {
      const tile = this.makeTile();
      const button = makeButton(tile, () => this.field.put(tile));
      button.setAttribute("aria-label", `put a real ${this.names[k]} on the field`);
      return { tile, index, button };
    });
    const caption = (picture, words) => make("div", {}, picture, make("p", { class: "gn-note" }, words));
    const press = [makeButton("Undo", () => this.field.undo()), makeButton("Clear", () => this.field.clear())];
    const section = make(
      "div",
      { class: "gn-drawing", role: "group", "aria-label": "draw one yourself" },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, "Draw one yourself"), make("div", { class: "gn-actions" }, ...press)),
      this.field.canvas,
      make(
        "div",
        { class: "gn-copies" },
        caption(this.prepared.canvas, "prepared"),
        caption(this.copy.canvas, "decoded"),
      ),
      make(
        "div",
        { class: "gn-samples" },
        make("p", { class: "gn-note" }, "Or put a real one on the field"),
        make("div", { class: "gn-tiles" }, ...this.samples.map(({ button }) => button)),
        make("p", { class: "gn-note" }, "What stands there is scaled, centred and encoded, and ", variable("z"), " moves to its code."),
      ),
    );
    this.clearCopies();
    return [section];
  }

  /** A canvas for one of the real images. */
  makeTile() {
    return make("canvas", { class: "gn-tile", width: this.width, height: this.height, "aria-hidden": "true" });
  }

  drawTile(tile, index) {
    const columns = this.model.get("columns");
    const [left, top] = [(index % columns) * this.width, Math.floor(index / columns) * this.height];
    tile.getContext("2d").drawImage(this.sprite, left, top, this.width, this.height, 0, 0, this.width, this.height);
  }

  // ------------------------------------------------------------------------------------------------------- showing z

  draw() {
    super.draw();
    this.showNearest();
    this.showBackdrop();
    if (this.seen && !this.walking) this.say();
    this.seen = true;
  }

  /** The images whose codes lie nearest to z, the nearest first. */
  nearest() {
    const distances = this.codes.map((code) => Math.hypot(...code.map((value, d) => value - this.z[d])));
    const indices = distances.map((_, i) => i).sort((a, b) => distances[a] - distances[b]);
    return indices.slice(0, this.near.length).map((index) => ({ index, distance: distances[index] }));
  }

  showNearest() {
    this.nearest().forEach(({ index, distance }, k) => {
      const { button, tile, name } = this.neighbours[k];
      const label = this.names[this.classes[index]];
      this.place(this.near[k], this.codes[index]);
      button.setAttribute("aria-label", `move z to the code of this real ${label}, ${decimal(distance)} away`);
      if (button.dataset.index === String(index)) return;
      button.dataset.index = index;
      name.textContent = label;
      this.drawTile(tile, index);
    });
  }

  /** After the real images have arrived. */
  showImages() {
    for (const { button, tile } of this.neighbours) this.drawTile(tile, button.dataset.index);
    for (const { tile, index } of this.samples ?? []) this.drawTile(tile, index);
  }

  /** Speaks once z has come to rest. */
  say() {
    clearTimeout(this.sayLater);
    this.sayLater = setTimeout(() => {
      const labels = this.neighbours.map(({ name }) => name.textContent);
      this.spoken.textContent = `${this.planeText()}. Nearest real images: ${labels.join(", ")}.`;
    }, REST_MS);
  }

  // ------------------------------------------------------------------------------------------------ showing the map

  showAxes() {
    super.showAxes();
    if (this.mine) this.place(this.yours, this.mine);
    this.places = this.codes.map((code) => {
      const [right, above] = [code[this.across] / this.spread[this.across], code[this.up] / this.spread[this.up]];
      return Math.max(Math.abs(right), Math.abs(above)) <= 1 ? [(1 + right) / 2, (1 - above) / 2] : null;
    });
    const outside = this.places.filter((place) => place === null).length;
    this.beyond.textContent = outside ? `${outside} of ${this.codes.length} codes lie beyond the edge.` : "";
    if (this.look) {
      this.drawGlyphs();
      this.showBackdrop();
      this.showNearest();
    }
  }

  /** After dark and light have changed, and once at the start. */
  showTheme() {
    const { color, backgroundColor, fontFamily } = getComputedStyle(this.plane);
    const colours = this.model.get("colours").map((colour) => readable(colour, backgroundColor, color));
    this.look = { colours, halo: backgroundColor, family: fontFamily };
    this.legend.forEach((button, k) => (button.style.color = colours[k]));
    this.drawGlyphs();
    this.manifold.tint(channels(color));
  }

  drawGlyphs() {
    this.glyphs.draw(this.places, { ...this.look, only: this.pointed ?? this.pressed });
  }

  lookAt(change) {
    Object.assign(this, change);
    this.legend.forEach((button, k) => button.setAttribute("aria-pressed", k === this.pressed));
    this.drawGlyphs();
  }

  /** Decodes the plane if the reader wants it, and it is not shown as it is now. */
  showBackdrop() {
    const shown = this.backdrop.checked;
    this.plane.classList.toggle("gn-decoded", shown);
    const rest = [...this.z];
    rest[this.across] = rest[this.up] = 0; // the plane is a slice through z
    const slice = JSON.stringify([this.across, this.up, rest]);
    if (!shown || slice === this.slice) return;
    this.slice = slice;
    const { across, up, spread } = this;
    this.manifold.show((right, above) => {
      rest[across] = right * spread[across];
      rest[up] = above * spread[up];
      return rest;
    });
  }

  // ------------------------------------------------------------------------------------------------------- a drawing

  encode() {
    const image = prepare(this.field.pixels(), this.width);
    this.yours.hidden = image === null;
    if (!image) {
      this.mine = null;
      this.clearCopies();
      return;
    }
    const [[input], [output]] = [this.encoder.inputs, this.encoder.outputs];
    this.mine = Array.from(this.encoder.run({ [input.name]: image })[output.name]);
    this.prepared.draw(image);
    this.copy.draw(this.decode(this.mine));
    this.place(this.yours, this.mine);
    this.root.dataset.drawn = JSON.stringify(this.mine);
    this.stop();
    this.z = [...this.mine];
    this.show();
  }

  clearCopies() {
    const nothing = new Float32Array(this.width * this.height);
    this.prepared.draw(nothing);
    this.copy.draw(nothing);
  }
}

const render = renderer(MapView);

export default { render };
