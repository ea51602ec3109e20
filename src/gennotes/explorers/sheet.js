/**
 * A sheet of few pixels to draw on, as a network takes it: a round pen with soft edges, an eraser, undo and redo.
 *
 * A pixel holds a whole number from 0, the ground, to 255, full ink: what is shown is to the last bit what a network
 * sees. The middle of the pixel in column x and row y lies at (x + ½, y + ½).
 */

const FULL = 255;
const MOST = 200; // states that undo can lead back to

/**
 * @typedef {[number, number]} Place
 * @typedef {{ width: number, ink: number, erases: boolean }} Pen width in pixels, ink from 0 to 1
 * @typedef {{ pixels: Uint8Array, origin: number | null }} State what stands there, and which example it began with
 */

export class Sheet {
  /** @param {number} side @param {ArrayLike<number> | null} free one number for each pixel, 0 where no pen draws; null: all are free */
  constructor(side, free = null) {
    Object.assign(this, { side, free });
    this.now = { pixels: new Uint8Array(side * side), origin: null };
    [this.past, this.future] = [[], []];
  }

  get pixels() {
    return this.now.pixels;
  }

  /** How many pixels, of those that can be drawn on, hold ink. */
  get inked() {
    return this.pixels.reduce((sum, ink, i) => sum + (ink > 0 && this.isFree(i)), 0);
  }

  isFree(i) {
    return !this.free || this.free[i] !== 0;
  }

  /** Opens a change, which is one step for undo, and is seen at once; one that is still open is closed. */
  begin() {
    this.end();
    this.before = this.now;
    this.now = { ...this.now, pixels: this.now.pixels.slice() };
  }

  /** Closes the change; it counts only if a pixel has changed. */
  end() {
    if (!this.before) return;
    const changed = this.before.origin !== this.now.origin || this.pixels.some((ink, i) => ink !== this.before.pixels[i]);
    if (changed) {
      this.past = [...this.past.slice(1 - MOST), this.before];
      this.future = [];
    }
    this.before = null;
  }

  /** Takes back the last change, or, from `future` to `past`, does it again. Returns whether there was one. */
  undo(from = this.past, to = this.future) {
    this.end();
    if (from.length === 0) return false;
    to.push(this.now);
    this.now = from.pop();
    return true;
  }

  redo() {
    return this.undo(this.future, this.past);
  }

  /** Puts down other pixels in place of all. @param {ArrayLike<number>} pixels @param {number | null} origin of which example */
  put(pixels, origin = null) {
    this.begin();
    this.now = { pixels: Uint8Array.from(pixels), origin };
    this.end();
  }

  /**
   * Draws from one place to another, both of which may lie outside. A pixel takes as much ink as the pen covers of it,
   * reckoned by the distance of its middle from the line, and keeps what it had if that is more: a line that crosses
   * itself is no darker there, and many short lines are equal to a long one.
   * @param {Place} from @param {Place} to @param {Pen} pen
   */
  line([x0, y0], [x1, y1], { width, ink, erases }) {
    const { side, pixels } = this;
    const reach = (width + 1) / 2; // farther away is no ink
    const [dx, dy] = [x1 - x0, y1 - y0];
    const squared = dx * dx + dy * dy;
    const within = (value) => Math.min(Math.max(value, 0), side - 1);
    const first = (a, b) => within(Math.floor(Math.min(a, b) - reach));
    const last = (a, b) => within(Math.ceil(Math.max(a, b) + reach));
    for (let y = first(y0, y1); y <= last(y0, y1); y++) {
      for (let x = first(x0, x1); x <= last(x0, x1); x++) {
        const i = y * side + x;
        if (!this.isFree(i)) continue;
        const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
        const share = squared && Math.min(Math.max((px * dx + py * dy) / squared, 0), 1); // the nearest place of the line
        const covered = Math.min(Math.max(reach - Math.hypot(px - share * dx, py - share * dy), 0), 1);
        if (erases) pixels[i] = Math.min(pixels[i], Math.round(FULL * (1 - covered)));
        else pixels[i] = Math.max(pixels[i], Math.round(FULL * ink * covered));
      }
    }
  }

  /** Which pixel of the sheet lies under a pixel of what networks see, where each is a square of `block` × `block`. */
  under(i, block) {
    const wide = this.side * block;
    return Math.floor(i / wide / block) * this.side + Math.floor((i % wide) / block);
  }

  /** What a network takes: numbers in [0, 1]. */
  values(block = 1) {
    return Float32Array.from({ length: (this.side * block) ** 2 }, (_, i) => this.pixels[this.under(i, block)] / FULL);
  }
}
