/**
 * A code z under the reader's hand: what the explorers of a decoder have in common. z is moved on a plane of two of its
 * coordinates, by sliders, by codes to move to and by a walk; the decoded picture and the kernel follow. The coordinates
 * are the dimensions of z; a view that has others writes `at` and `put` anew.
 *
 * The model's traits that are read here: network, z, order, spread, title, alt. The root element carries the z that is
 * shown in `data-z`.
 *
 * @typedef {{ get: (name: string) => any, set: (name: string, value: any) => void, save_changes: () => void,
 *             on: (event: string, listener: () => void) => void, off: (event: string, listener: () => void) => void }} Model
 */

import { load } from "./onnx.js";
import { make, makeButton, makePicture, variable, symbol, spokenName, decimal, clamp, smooth, between, normal } from "./parts.js";

const IN_SIGHT = 6; // sliders that are not folded away
const EASE_MS = 450; // from where z is to the code of a pressed picture
const STRIDE_MS = 2400; // of a walk, from one code to the next
const REST_MS = 800; // of a walk, at each code
const SHARE_MS = 100; // at most so often does the kernel hear of a moving z

export class CodeView {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.decoder = load(model.get("network"));
    this.z = [...model.get("z")];
    this.order = model.get("order");
    this.spread = model.get("spread");
    [this.letter, this.kind] = ["z", "dimension"]; // of a coordinate: its letter, and what it is called
    this.across = this.order[0]; // the coordinate that the plane shows from left to right
    this.up = this.order[1]; // undefined where there is only one
    this.stops = []; // the codes of a walk; draws from the prior where there are none
    this.reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
    this.motion = 0; // the request for the next step of a walk or an ease; 0 while z rests
    this.drawing = 0; // the request for the next drawing; 0 if none is due
  }

  /** Shows z and follows the kernel. Returns the function that ends all of it. */
  start() {
    const follow = () => {
      if (this.sharing) return; // what is heard is what was just said
      this.stop();
      this.z = [...this.model.get("z")];
      this.show();
    };
    this.model.on("change:z", follow);
    this.draw();
    return () => {
      this.model.off("change:z", follow);
      this.stop();
      cancelAnimationFrame(this.drawing);
      clearTimeout(this.sharingLater);
    };
  }

  // --------------------------------------------------------------------------------------------------- the elements

  /** The frame of an explorer: title and words to press above, the children below, and what is spoken. */
  buildFrame(actions, ...children) {
    const title = this.model.get("title");
    this.spoken = make("p", { class: "gn-unseen", "aria-live": "polite" });
    return make(
      "div",
      { class: "gn-explorer", role: "group", "aria-label": title },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, title), make("div", { class: "gn-actions" }, ...actions)),
      ...children,
      this.spoken,
    );
  }

  buildWalk() {
    this.walkButton = makeButton("Walk", () => (this.walking ? this.stop() : this.walk()));
    return this.walkButton;
  }

  buildRandomAndReset() {
    return [
      makeButton("Random", () => this.moveTo(this.z.map(normal))),
      makeButton("Reset", () => this.moveTo(this.z.map(() => 0))),
    ];
  }

  /** The decoded picture, with the line below it if `noted`. */
  buildPicture(noted) {
    const [, , height, width] = this.decoder.outputs[0].shape;
    this.picture = makePicture(width, height, this.model.get("alt"));
    this.length = make("span", { class: "gn-number" });
    const note = make("p", { class: "gn-note" }, "‖", variable("z"), "‖ = ", this.length);
    return make("div", {}, this.picture.canvas, noted ? note : "");
  }

  /**
   * The plane with the movable point.
   * @param {number[]} sigmas the rings of the prior
   * @param {HTMLElement[]} marks what lies between the rings and the point
   */
  buildPlane(sigmas, marks) {
    this.point = make("span", { class: "gn-point" });
    this.rings = sigmas.map((sigma) => ({ sigma, ring: make("span", { class: "gn-ring" }, make("span", {}, `${sigma}σ`)) }));
    this.plane = make(
      "div",
      { class: "gn-plane", tabindex: 0, role: "application", "aria-roledescription": "plane with a movable point" },
      ...this.rings.map(({ ring }) => ring),
      ...marks,
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
    return this.plane;
  }

  /** Which coordinates the plane shows. */
  buildAxes() {
    const axis = (arrow, words, own) => {
      const select = make("select", { "aria-label": words });
      select.append(...this.order.map((d) => make("option", { value: d }, symbol(d, this.letter))));
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
    note.append(axis("→", `${this.kind} across the plane`, "across"), axis("↑", `${this.kind} up the plane`, "up"));
    return note;
  }

  /** One slider for each coordinate, in their order. */
  buildSliders() {
    this.sliders = new Map(); // coordinate -> its input and its value in words
    return this.order.map((d) => {
      const reach = this.spread[d];
      const input = make("input", { type: "range", min: -reach, max: reach, step: 0.05, "aria-label": spokenName(d, this.letter) });
      const value = make("span", { class: "gn-number", "aria-hidden": "true" });
      input.addEventListener("input", () => {
        this.stop();
        this.put(d, Number(input.value));
        this.show();
      });
      this.sliders.set(d, { input, value });
      return make("label", { class: "gn-slider" }, make("span", { "aria-hidden": "true" }, variable(this.letter), make("sub", {}, d + 1)), input, value);
    });
  }

  /** The sliders, the first of them in sight unless all are to be folded away. */
  buildFoldedSliders(allFolded = false) {
    const rows = this.buildSliders();
    const grid = (children) => make("div", { class: "gn-sliders" }, ...children);
    const folded = (words, children) => make("details", {}, make("summary", {}, words), grid(children));
    if (allFolded) return [folded(`All ${rows.length} ${this.kind}s`, rows)];
    if (rows.length <= IN_SIGHT) return [grid(rows)];
    return [grid(rows.slice(0, IN_SIGHT)), folded(`The other ${rows.length - IN_SIGHT} ${this.kind}s`, rows.slice(IN_SIGHT))];
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
    this.picture.draw(this.decode(this.z));
    this.length.textContent = decimal(Math.hypot(...this.z));
    this.root.dataset.z = JSON.stringify(this.z);
    this.showSliders();
    this.showPoint();
  }

  /** The pixels of a code. */
  decode(z) {
    const [[input], [output]] = [this.decoder.inputs, this.decoder.outputs];
    return this.decoder.run({ [input.name]: z })[output.name];
  }

  showSliders() {
    for (const [d, { input, value }] of this.sliders) {
      const here = this.at(d);
      input.value = here;
      input.style.setProperty("--share", (1 + clamp(here / this.spread[d])) / 2);
      input.setAttribute("aria-valuetext", this.coordinateText(d));
      value.textContent = decimal(here);
    }
  }

  showPoint() {
    if (this.up === undefined) return;
    this.place(this.point, this.z);
    this.plane.setAttribute("aria-label", `${this.planeText()}. Arrow keys move the point, with Shift in larger steps.`);
  }

  /** After the coordinates of the plane have changed, and once before they are first seen. */
  showAxes() {
    for (const own of ["across", "up"]) if (this.selects) this.selects[own].value = this[own];
    for (const { sigma, ring } of this.rings) {
      ring.style.width = `${(100 * sigma) / this.spread[this.across]}%`;
      ring.style.height = `${(100 * sigma) / this.spread[this.up]}%`;
    }
    this.showPoint();
  }

  /** Puts an element of the plane where z lies; what lies outside stands at the edge. */
  place(element, z) {
    element.style.left = `${50 * (1 + clamp(this.at(this.across, z) / this.spread[this.across]))}%`;
    element.style.top = `${50 * (1 - clamp(this.at(this.up, z) / this.spread[this.up]))}%`;
  }

  planeText() {
    return `${this.coordinateText(this.across)}, ${this.coordinateText(this.up)}`;
  }

  coordinateText(d) {
    return `${spokenName(d, this.letter)} = ${this.at(d).toFixed(2)}`;
  }

  // -------------------------------------------------------------------------------------------------------- moving z

  /** One coordinate of a code. */
  at(d, z = this.z) {
    return z[d];
  }

  /** Gives one coordinate of z another value. */
  put(d, value) {
    this.z[d] = value;
  }

  /** A code on the way from one to another. */
  between(from, to, share) {
    return between(from, to, share);
  }

  pointAt(event) {
    const box = this.plane.getBoundingClientRect();
    this.stop();
    this.put(this.across, this.spread[this.across] * clamp((2 * (event.clientX - box.left)) / box.width - 1));
    this.put(this.up, this.spread[this.up] * clamp(1 - (2 * (event.clientY - box.top)) / box.height));
    this.show();
  }

  pointByKey(event) {
    const [right, above] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (!right && !above) return;
    event.preventDefault();
    this.stop();
    const step = event.shiftKey ? 0.5 : 0.1;
    const moved = (d, by) => this.spread[d] * clamp((this.at(d) + by * step) / this.spread[d]);
    if (right) this.put(this.across, moved(this.across, right));
    if (above) this.put(this.up, moved(this.up, above));
    this.show();
    this.say();
  }

  /** Tells those who do not see it where the point is. */
  say() {
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
      this.z = this.between(from, code, smooth(ms / EASE_MS));
      if (ms >= EASE_MS) this.stop();
    });
  }

  /** Walks from code to code without end: through the stops, or through draws from the prior where there are none. */
  walk() {
    this.stop();
    let next = this.stops.findIndex((code) => code.every((value, d) => Math.abs(value - this.z[d]) < 1e-6));
    const target = () => (this.stops.length ? this.stops[(next = (next + 1) % this.stops.length)] : this.z.map(normal));
    let [from, to, begin] = [[...this.z], target(), 0];
    this.walking = true;
    this.walkButton.textContent = "Pause";
    this.animate((ms) => {
      if (ms - begin > STRIDE_MS + REST_MS) [from, to, begin] = [to, target(), ms];
      this.z = this.between(from, to, smooth((ms - begin) / STRIDE_MS));
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
