/** The plane in which a GAN plays: the modes of the data, what G makes of its codes, and what D says, as a shade. */

import { channels, make } from "./parts.js";

const CELLS = 40; // of the shade, along each side
const DOT = 2.75; // the radius of a sample with its edge, in pixels of the page

/** A square canvas for a world. */
export class Arena {
  /** @param {string} label what is drawn, for those who do not see it */
  constructor(label) {
    this.canvas = make("canvas", { class: "gn-arena", role: "img", "aria-label": label });
    this.shade = new OffscreenCanvas(CELLS, CELLS);
    this.size = 400;
  }

  /** A sample, with a thin edge that keeps it apart from the shade: drawn once, then copied. */
  makeDot(sharp) {
    const [radius, edge] = [DOT * sharp, 0.8 * sharp];
    const dot = new OffscreenCanvas(Math.ceil(2 * radius), Math.ceil(2 * radius));
    const context = dot.getContext("2d");
    for (const [colour, r] of [[this.colours.ground, radius], [this.colours.made, radius - edge]]) {
      context.fillStyle = colour;
      context.beginPath();
      context.arc(radius, radius, r, 0, 2 * Math.PI);
      context.fill();
    }
    return dot;
  }

  /** The colours of the page as it is now. */
  takeColours() {
    const style = getComputedStyle(this.canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.colours = { ground: colour("--gn-ground"), data: colour("--gn-p"), made: colour("--gn-q") };
    this.ends = [colour("--gn-ground"), colour("--gn-d")].map(channels);
    this.dot = null;
  }

  /** The centres of the cells of the shade in a world that reaches so far from 0, a column each: (2, CELLS²). */
  static cells(reach) {
    const x = new Float32Array(2 * CELLS * CELLS);
    for (let i = 0; i < CELLS * CELLS; i++) {
      x[i] = reach * ((2 * (i % CELLS) + 1) / CELLS - 1);
      x[CELLS * CELLS + i] = reach * (1 - (2 * Math.floor(i / CELLS) + 1) / CELLS);
    }
    return x;
  }

  /** Shades each cell by a number in [0, 1]: 0 as the page, 1 in D's colour. */
  setShade(numbers) {
    const [ground, says] = this.ends;
    const context = this.shade.getContext("2d");
    const image = context.createImageData(CELLS, CELLS);
    numbers.forEach((number, i) => {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = ground[c] + 0.6 * number * (says[c] - ground[c]);
      image.data[4 * i + 3] = 255;
    });
    context.putImageData(image, 0, 0);
  }

  /**
   * Draws all of it. `counts` has the samples of high quality at each mode.
   * @param {{ means: number[][], std: number, reach: number }} world
   */
  draw({ means, std, reach }, samples, counts) {
    const { canvas, size, colours } = this;
    const sharp = Math.min(3, devicePixelRatio || 1);
    const pixels = Math.round(size * sharp);
    if (canvas.width !== pixels) {
      canvas.width = canvas.height = pixels;
      this.dot = null;
    }
    const context = canvas.getContext("2d");
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.shade, 0, 0, size, size);
    const scale = size / (2 * reach);
    const place = (a, b) => [size / 2 + scale * a, size / 2 - scale * b];
    const count = samples.length / 2;
    const dot = (this.dot ??= this.makeDot(sharp));
    for (let i = 0; i < count; i++) {
      const [x, y] = place(samples[i], samples[count + i]);
      context.drawImage(dot, x - DOT, y - DOT, dot.width / sharp, dot.width / sharp);
    }
    context.strokeStyle = colours.data;
    means.forEach(([a, b], k) => {
      const found = counts[k] > 0;
      context.setLineDash(found ? [] : [3, 3]);
      context.lineWidth = found ? 2.5 : 1.5;
      context.beginPath();
      context.arc(...place(a, b), Math.max(3, 3 * std * scale), 0, 2 * Math.PI);
      context.stroke();
    });
  }
}
