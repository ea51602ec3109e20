/**
 * A decoder under the reader's hand: z is moved on a plane, by sliders, and by the codes of known images.
 *
 * The model's traits, which `latent.py` synchronises: network, z, order, spread, anchors, thumbnails, labels, title, alt,
 * walk, compact. The canvas has one pixel for each number that the decoder gives; the style sheet enlarges it. The root
 * element carries the z that is shown in `data-z`.
 *
 * @typedef {{ get: (name: string) => any, set: (name: string, value: any) => void, save_changes: () => void,
 *             on: (event: string, listener: () => void) => void, off: (event: string, listener: () => void) => void }} Model
 */

import { load } from "./onnx.js";
import { make, makeButton, variable, symbol, spokenName, decimal, clamp, smooth, between, normal } from "./parts.js";

const IN_SIGHT = 6; // sliders that are not folded away
const EASE_MS = 450; // from where z is to the code of a pressed picture
const STRIDE_MS = 2400; // of a walk, from one code to the next
const REST_MS = 800; // of a walk, at each code
const SHARE_MS = 100; // at most so often does the kernel hear of a moving z

export default { render };

/**
 * @param {{ model: Model, el: HTMLElement }} context as anywidget gives it
 * @returns {() => void} stops what runs, when the view is closed
 */
function render({ model, el }) {
  try {
    const view = new LatentView(model);
    el.replaceChildren(view.root);
    return view.start();
  } catch (error) {
    el.replaceChildren(make("p", { class: "gn-explorer" }, `this explorer could not start: ${error.message}`));
    throw error;
  }
}

class LatentView {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.decoder = load(model.get("network"));
    this.z = [...model.get("z")];
    this.order = model.get("order");
    this.spread = model.get("spread");
    this.anchors = model.get("anchors");
    this.labels = model.get("labels");
    this.across = this.order[0]; // the dimension that the plane shows from left to right
    this.up = this.order[1]; // undefined where there is only one
    this.reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
    this.motion = 0; // the request for the next step of a walk or an ease; 0 while z rests
    this.drawing = 0; // the request for the next drawing; 0 if none is due
    this.root = this.build();
    // Keeps JupyterLab's own shortcuts, arrow keys among them, off what the reader operates.
    for (const control of this.root.querySelectorAll("input, select, button, summary, [tabindex]")) {
      control.dataset.lmSuppressShortcuts = "true";
    }
  }

  /** Shows z, follows the kernel, and begins the walk. Returns the function that ends all of it. */
  start() {
    const follow = () => {
      if (this.sharing) return; // what is heard is what was just said
      this.stop();
      this.z = [...this.model.get("z")];
      this.show();
    };
    this.model.on("change:z", follow);
    this.draw();
    if (this.model.get("walk") && !this.reducedMotion.matches) this.walk();
    return () => {
      this.model.off("change:z", follow);
      this.stop();
      cancelAnimationFrame(this.drawing);
      clearTimeout(this.sharingLater);
    };
  }

  // --------------------------------------------------------------------------------------------------- the elements

  build() {
    const title = this.model.get("title");
    const compact = this.model.get("compact");
    this.walkButton = makeButton("Walk", () => (this.walking ? this.stop() : this.walk()));
    const actions = make("div", { class: "gn-actions" }, this.walkButton);
    if (!compact) {
      actions.append(
        makeButton("Random", () => this.moveTo(this.z.map(normal))),
        makeButton("Reset", () => this.moveTo(this.z.map(() => 0))),
      );
    }
    const stage = make("div", { class: "gn-stage" }, this.buildPicture(compact));
    if (this.up !== undefined) stage.append(this.buildPlane(compact));
    this.spoken = make("p", { class: "gn-unseen", "aria-live": "polite" });
    return make(
      "div",
      { class: "gn-explorer", role: "group", "aria-label": title },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, title), actions),
      stage,
      ...this.buildAnchors(),
      ...this.buildSliders(compact),
      this.spoken,
    );
  }

  buildPicture(compact) {
    const [, , height, width] = this.decoder.outputs[0].shape;
    this.canvas = make("canvas", { class: "gn-picture", width, height, role: "img", "aria-label": this.model.get("alt") });
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    this.context = this.canvas.getContext("2d", { willReadFrequently: true }); // it is written by the processor
    this.image = this.context.createImageData(width, height);
    this.length = make("span", { class: "gn-number" });
    const note = make("p", { class: "gn-note" }, "‖", variable("z"), "‖ = ", this.length);
    return make("div", {}, this.canvas, compact ? "" : note);
  }

  buildPlane(compact) {
    this.point = make("span", { class: "gn-point" });
    this.marks = this.anchors.map((_, k) => make("span", { class: "gn-mark" }, this.labels[k]));
    this.rings = [1, 2].map((sigmas) => make("span", { class: "gn-ring" }, make("span", {}, `${sigmas}σ`)));
    this.plane = make(
      "div",
      { class: "gn-plane", tabindex: 0, role: "application", "aria-roledescription": "plane with a movable point" },
      ...this.rings,
      ...this.marks,
      this.point,
    );
    this.plane.addEventListener("pointerdown", (event) => {
      this.plane.setPointerCapture(event.pointerId);
      this.plane.focus({ preventScroll: true });
      this.pointAt(event);
    });
    this.plane.addEventListener("pointermove", (event) => {
      if (this.plane.hasPointerCapture(event.pointerId)) this.pointAt(event);
    });
    this.plane.addEventListener("keydown", (event) => this.pointByKey(event));
    const axis = (arrow, words, own) => {
      const select = make("select", { "aria-label": words });
      select.append(...this.order.map((d) => make("option", { value: d }, symbol(d))));
      select.value = this[own];
      select.addEventListener("change", () => {
        const other = own === "up" ? "across" : "up";
        if (Number(select.value) === this[other]) this[other] = this[own]; // the two change places
        this[own] = Number(select.value);
        this.showAxes();
      });
      this.selects = { ...this.selects, [own]: select };
      return make("label", {}, `${arrow} `, select);
    };
    const note = make("p", { class: "gn-note" });
    note.append(axis("→", "dimension across the plane", "across"), axis("↑", "dimension up the plane", "up"));
    this.showAxes();
    return make("div", {}, this.plane, compact ? "" : note);
  }

  buildAnchors() {
    if (this.anchors.length === 0) return [];
    this.anchorButtons = this.model.get("thumbnails").map((picture, k) => {
      const button = makeButton("", () => this.moveTo(this.anchors[k]));
      button.setAttribute("aria-label", `move z to the code of ${this.labels[k]}`);
      button.style.backgroundImage = `url(${picture})`;
      return button;
    });
    const rows = Math.ceil(this.anchors.length / 10);
    const grid = make("div", { class: "gn-anchors" }, ...this.anchorButtons);
    grid.style.setProperty("--columns", Math.ceil(this.anchors.length / rows));
    return [grid];
  }

  buildSliders(compact) {
    this.sliders = new Map(); // dimension -> its input and its value in words
    const rows = this.order.map((d) => {
      const reach = this.spread[d];
      const input = make("input", { type: "range", min: -reach, max: reach, step: 0.05, "aria-label": spokenName(d) });
      const value = make("span", { class: "gn-number", "aria-hidden": "true" });
      input.addEventListener("input", () => {
        this.stop();
        this.z[d] = Number(input.value);
        this.show();
      });
      this.sliders.set(d, { input, value });
      return make("label", { class: "gn-slider" }, make("span", { "aria-hidden": "true" }, variable("z"), make("sub", {}, d + 1)), input, value);
    });
    const grid = (children) => make("div", { class: "gn-sliders" }, ...children);
    const folded = (words, children) => make("details", {}, make("summary", {}, words), grid(children));
    if (compact) return [folded(`All ${rows.length} dimensions`, rows)];
    if (rows.length <= IN_SIGHT) return [grid(rows)];
    return [grid(rows.slice(0, IN_SIGHT)), folded(`The other ${rows.length - IN_SIGHT} dimensions`, rows.slice(IN_SIGHT))];
  }

  // ------------------------------------------------------------------------------------------------------- showing z

  /** Draws before the next frame, and tells the kernel. */
  show() {
    if (!this.drawing) this.drawing = requestAnimationFrame(() => this.draw());
    if (!this.sharingLater) this.sharingLater = setTimeout(() => this.share(), SHARE_MS);
  }

  share() {
    this.sharingLater = 0;
    this.sharing = true;
    this.model.set("z", [...this.z]);
    this.sharing = false;
    this.model.save_changes();
  }

  draw() {
    this.drawing = 0;
    const [{ name }] = this.decoder.inputs;
    const values = this.decoder.run({ [name]: this.z })[this.decoder.outputs[0].name];
    for (let i = 0; i < values.length; i++) {
      const grey = Math.round(255 * values[i]);
      this.image.data.set([grey, grey, grey, 255], 4 * i);
    }
    this.context.putImageData(this.image, 0, 0);
    this.length.textContent = decimal(Math.hypot(...this.z));
    this.root.dataset.z = JSON.stringify(this.z);
    this.showSliders();
    this.showPoint();
    this.anchorButtons?.forEach((anchor, k) => {
      const here = this.anchors[k].every((value, d) => Math.abs(value - this.z[d]) < 1e-6);
      anchor.setAttribute("aria-pressed", here);
    });
  }

  showSliders() {
    for (const [d, { input, value }] of this.sliders) {
      input.value = this.z[d];
      input.style.setProperty("--share", (1 + clamp(this.z[d] / this.spread[d])) / 2);
      input.setAttribute("aria-valuetext", `${spokenName(d)} = ${this.z[d].toFixed(2)}`);
      value.textContent = decimal(this.z[d]);
    }
  }

  showPoint() {
    if (this.up === undefined) return;
    this.place(this.point, this.z);
    this.plane.setAttribute("aria-label", `${this.planeText()}. Arrow keys move the point, with Shift in larger steps.`);
  }

  /** After the dimensions of the plane have changed. */
  showAxes() {
    for (const own of ["across", "up"]) this.selects[own].value = this[own];
    this.rings.forEach((ring, i) => {
      ring.style.width = `${(100 * (i + 1)) / this.spread[this.across]}%`;
      ring.style.height = `${(100 * (i + 1)) / this.spread[this.up]}%`;
    });
    this.marks.forEach((mark, k) => this.place(mark, this.anchors[k]));
    this.showPoint();
  }

  /** Puts an element of the plane where z lies; what lies outside stands at the edge. */
  place(element, z) {
    element.style.left = `${50 * (1 + clamp(z[this.across] / this.spread[this.across]))}%`;
    element.style.top = `${50 * (1 - clamp(z[this.up] / this.spread[this.up]))}%`;
  }

  planeText() {
    const value = (d) => `${spokenName(d)} = ${this.z[d].toFixed(2)}`;
    return `${value(this.across)}, ${value(this.up)}`;
  }

  // -------------------------------------------------------------------------------------------------------- moving z

  pointAt(event) {
    const box = this.plane.getBoundingClientRect();
    this.stop();
    this.z[this.across] = this.spread[this.across] * clamp((2 * (event.clientX - box.left)) / box.width - 1);
    this.z[this.up] = this.spread[this.up] * clamp(1 - (2 * (event.clientY - box.top)) / box.height);
    this.show();
  }

  pointByKey(event) {
    const [right, above] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (!right && !above) return;
    event.preventDefault();
    this.stop();
    const step = event.shiftKey ? 0.5 : 0.1;
    const moved = (d, by) => this.spread[d] * clamp((this.z[d] + by * step) / this.spread[d]);
    if (right) this.z[this.across] = moved(this.across, right);
    if (above) this.z[this.up] = moved(this.up, above);
    this.show();
    this.spoken.textContent = this.planeText();
  }

  /** Moves z to a code: in a short movement, or at once for those who prefer reduced motion. */
  moveTo(code) {
    this.stop();
    if (this.reducedMotion.matches) {
      this.z = [...code];
      this.show();
      return;
    }
    const from = [...this.z];
    this.animate((ms) => {
      this.z = between(from, code, smooth(ms / EASE_MS));
      if (ms >= EASE_MS) this.stop();
    });
  }

  /** Walks from code to code without end: through the anchors, or through draws from the prior where there are none. */
  walk() {
    this.stop();
    let next = this.anchors.findIndex((code) => code.every((value, d) => Math.abs(value - this.z[d]) < 1e-6));
    const target = () => (this.anchors.length ? this.anchors[(next = (next + 1) % this.anchors.length)] : this.z.map(normal));
    let [from, to, begin] = [[...this.z], target(), 0];
    this.walking = true;
    this.walkButton.textContent = "Pause";
    this.animate((ms) => {
      if (ms - begin > STRIDE_MS + REST_MS) [from, to, begin] = [to, target(), ms];
      this.z = between(from, to, smooth((ms - begin) / STRIDE_MS));
    });
  }

  /** Calls step(milliseconds of movement) for every frame, until `stop`; frames that the page did not show do not count. */
  animate(step) {
    let elapsed = 0;
    let last = performance.now();
    const frame = (now) => {
      this.motion = requestAnimationFrame(frame);
      elapsed += clamp((now - last) / 50, 0, 1) * 50;
      last = now;
      step(elapsed);
      this.show();
    };
    this.motion = requestAnimationFrame(frame);
  }

  stop() {
    cancelAnimationFrame(this.motion);
    this.motion = 0;
    this.walking = false;
    this.walkButton.textContent = "Walk";
  }
}
