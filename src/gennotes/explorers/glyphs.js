/** Codes of images as letters on a plane: each the sign of its class, in the colour of its class. */

import { make } from "./parts.js";

const LETTER = 0.024; // height of a letter, in widths of the plane, within these limits in CSS pixels
const [SMALLEST, LARGEST] = [9, 12];
const FADED = 0.1; // how opaque letters of other classes are while one class is looked at

export class Glyphs {
  /** @param {number[]} classes the class of each code @param {string[]} signs one for each class */
  constructor(classes, signs) {
    this.classes = classes;
    this.signs = signs;
    this.canvas = make("canvas", { class: "gn-glyphs", "aria-hidden": "true" });
    this.context = this.canvas.getContext("2d");
  }

  /**
   * Draws at the resolution of the device.
   * @param {([number, number] | null)[]} places of the codes, in widths and heights of the plane; null is not drawn
   * @param {{ colours: string[], halo: string, family: string, only: number | null }} look colours of the classes, the
   *     colour of the edge that sets letters off from what is under them, and the class that is looked at
   */
  draw(places, { colours, halo, family, only }) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const scale = window.devicePixelRatio;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const letter = Math.min(Math.max(LETTER * width, SMALLEST), LARGEST);
    Object.assign(this.context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 2.5 });
    this.context.font = `600 ${letter}px ${family}`;
    this.context.scale(scale, scale);
    this.context.strokeStyle = halo;
    const drawn = (wanted) => {
      places.forEach((place, i) => {
        if (!place || wanted !== (only === null || this.classes[i] === only)) return;
        const [x, y] = [place[0] * width, place[1] * height];
        this.context.globalAlpha = wanted ? 1 : FADED;
        if (wanted) this.context.strokeText(this.signs[this.classes[i]], x, y);
        this.context.fillStyle = colours[this.classes[i]];
        this.context.fillText(this.signs[this.classes[i]], x, y);
      });
    };
    drawn(false); // what is faded lies below
    drawn(true);
  }
}
