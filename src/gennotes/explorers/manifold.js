/** The decoded manifold as a backdrop: a grid of decoded pictures, each at the place of its code. */

import { make } from "./parts.js";

const COUNT = 20; // pictures across, and as many up
const SLICE_MS = 6; // so long at a time does it decode: the page stays smooth
const later = window.requestIdleCallback ?? ((work) => setTimeout(work, 16)); // Safari has no idle callback
const never = window.cancelIdleCallback ?? clearTimeout;

export class Manifold {
  /** @param {(z: number[]) => Float32Array} decode gives width × height pixels in [0, 1] */
  constructor(decode, width, height) {
    this.decode = decode;
    this.canvas = make("canvas", { class: "gn-manifold", width: COUNT * width, height: COUNT * height, "aria-hidden": "true" });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.tile = this.context.createImageData(width, height);
    this.ink = [0, 0, 0]; // of a pixel of 1; a pixel of 0 is transparent
    this.waiting = []; // cells that are not decoded yet: [column, row]
    this.slice = 0;
  }

  /**
   * Decodes the grid, from the middle outwards; each picture replaces the one that was there. While a grid is still
   * being decoded the next one waits, and the last one that was asked for is the one that comes.
   * @param {(right: number, above: number) => number[]} codeAt the code at a place of the plane, both in [-1, 1]
   */
  show(codeAt) {
    this.next = codeAt;
    delete this.canvas.dataset.ready;
    if (this.waiting.length === 0) this.start();
  }

  start() {
    [this.codeAt, this.next] = [this.next, null];
    const middle = (COUNT - 1) / 2;
    const far = ([column, row]) => Math.hypot(column - middle, row - middle);
    this.waiting = Array.from({ length: COUNT * COUNT }, (_, i) => [i % COUNT, Math.floor(i / COUNT)]);
    this.waiting.sort((a, b) => far(b) - far(a)); // they are taken from the end
    this.slice = later(() => this.work());
  }

  stop() {
    never(this.slice);
  }

  /** Gives every pixel another ink: red, green and blue, 0 to 255. */
  tint(ink) {
    this.ink = ink;
    this.context.globalCompositeOperation = "source-in"; // keeps how opaque each pixel is
    this.context.fillStyle = `rgb(${ink})`;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  work() {
    const end = performance.now() + SLICE_MS;
    do this.drawCell(...this.waiting.pop());
    while (this.waiting.length && performance.now() < end);
    if (this.waiting.length) this.slice = later(() => this.work());
    else if (this.next) this.start();
    else this.canvas.dataset.ready = "true";
  }

  drawCell(column, row) {
    const centre = (cell) => (2 * (cell + 0.5)) / COUNT - 1;
    const pixels = this.decode(this.codeAt(centre(column), -centre(row)));
    for (let i = 0; i < pixels.length; i++) this.tile.data.set([...this.ink, Math.round(255 * pixels[i])], 4 * i);
    this.context.putImageData(this.tile, column * this.tile.width, row * this.tile.height);
  }
}
