/**
 * A decoder under the reader's hand: z is moved on a plane, by sliders, and by the codes of known images.
 *
 * The model's traits, which `latent.py` synchronises: those of `code.js`, and anchors, thumbnails, labels, walk, compact.
 */

import { CodeView } from "./code.js";
import { make, makeButton, renderer } from "./parts.js";

class LatentView extends CodeView {
  constructor(model) {
    super(model);
    this.anchors = this.stops = model.get("anchors");
    this.labels = model.get("labels");
    this.compact = model.get("compact");
  }

  /** Begins the walk where it is wanted. */
  start() {
    const end = super.start();
    if (this.model.get("walk") && !this.reducedMotion.matches) this.walk();
    return end;
  }

  build() {
    const stage = make("div", { class: "gn-stage" }, this.buildPicture(!this.compact));
    if (this.up !== undefined) stage.append(this.buildMarkedPlane());
    return this.buildFrame(
      [this.buildWalk(), ...(this.compact ? [] : this.buildRandomAndReset())],
      stage,
      ...this.buildAnchors(),
      ...this.buildFoldedSliders(this.compact),
    );
  }

  buildMarkedPlane() {
    this.marks = this.anchors.map((_, k) => make("span", { class: "gn-mark" }, this.labels[k]));
    const plane = make("div", {}, this.buildPlane([1, 2], this.marks), this.compact ? "" : this.buildAxes());
    this.showAxes();
    return plane;
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

  draw() {
    super.draw();
    this.anchorButtons?.forEach((anchor, k) => {
      const here = this.anchors[k].every((value, d) => Math.abs(value - this.z[d]) < 1e-6);
      anchor.setAttribute("aria-pressed", here);
    });
  }

  showAxes() {
    super.showAxes();
    this.marks.forEach((mark, k) => this.place(mark, this.anchors[k]));
  }
}

const render = renderer(LatentView);

export default { render };
