/**
 * A field to draw on, and what becomes of a drawing before a network sees it: the preparation of MNIST.
 *
 * The field holds light ink on dark ground, as MNIST does: 0 is ground, 1 is ink.
 */

import { make } from "./parts.js";

const SIDE = 280; // pixels of the field, ten for each pixel of an MNIST digit
const PEN = 24; // width of a stroke in these pixels: two to three of MNIST's, once a drawing is scaled
const INK = 0.1; // a pixel below this is ground

export const ERASER = 5; // the button that a pen's other end is

const inField = ([across, down]) => [across * SIDE, down * SIDE];

/**
 * Follows strokes on an element by mouse, pen or finger, one at a time. Places are [across, down] in widths and heights
 * of the element, from its top left; a stroke may leave it.
 * @param {HTMLElement} element it should have `touch-action: none`
 * @param {{ begin: (place: [number, number], event: PointerEvent) => void,
 *           move: (places: [number, number][], event: PointerEvent) => void, end?: () => void }} heard
 */
export function followStrokes(element, { begin, move, end = () => {} }) {
  let pointer = null; // the one that draws; other fingers and a palm do not
  const placeOf = ({ clientX, clientY }) => {
    const box = element.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  };
  element.addEventListener("pointerdown", (event) => {
    const draws = event.button === 0 || event.button === ERASER;
    if (pointer !== null || !draws) return;
    pointer = event.pointerId;
    element.setPointerCapture(pointer);
    begin(placeOf(event), event);
  });
  element.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    // A fast hand moves through several places between two frames.
    const events = event.getCoalescedEvents?.() ?? [];
    move((events.length ? events : [event]).map(placeOf), event);
  });
  element.addEventListener("lostpointercapture", (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    end();
  });
}

/** A canvas that takes strokes by pointer or finger, and pictures by `put`. */
export class DrawingField {
  /**
   * @param {string} label what the field is for, in words
   * @param {() => void} changed is called after each change
   */
  constructor(label, changed) {
    this.changed = changed;
    this.layers = []; // what was put down, in its order: strokes, as lists of [x, y], and pictures
    this.canvas = make("canvas", { class: "gn-field", width: SIDE, height: SIDE, role: "img", "aria-label": label });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    Object.assign(this.context, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#fff", fillStyle: "#000" });
    followStrokes(this.canvas, {
      begin: (place) => {
        this.layers.push([inField(place)]);
        this.redraw();
      },
      move: (places) => {
        this.layers.at(-1).push(...places.map(inField));
        this.redraw();
      },
    });
    this.context.fillRect(0, 0, SIDE, SIDE);
  }

  get isEmpty() {
    return this.layers.length === 0;
  }

  clear() {
    this.layers = [];
    this.redraw();
  }

  undo() {
    this.layers.pop();
    this.redraw();
  }

  /** Puts a picture (a canvas) over the whole field, in place of what was there. */
  put(picture) {
    this.layers = [picture];
    this.redraw();
  }

  /** The field's pixels in [0, 1], row by row. */
  pixels() {
    const { data } = this.context.getImageData(0, 0, SIDE, SIDE);
    return Float32Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i] / 255);
  }

  redraw() {
    this.context.fillRect(0, 0, SIDE, SIDE);
    for (const layer of this.layers) {
      if (layer instanceof HTMLCanvasElement) this.context.drawImage(layer, 0, 0, SIDE, SIDE);
      else this.stroke(layer);
    }
    this.changed();
  }

  stroke([[x, y], ...rest]) {
    this.context.beginPath();
    this.context.moveTo(x, y);
    this.context.lineTo(x + 0.01, y); // a touch alone leaves a dot: a line of no length would leave nothing
    for (const place of rest) this.context.lineTo(...place);
    this.context.stroke();
  }
}

/**
 * A drawing as MNIST holds digits (LeCun et al. 1998): its ink is scaled, without distortion, into a box of 20 of 28
 * pixels, greys being means over areas, and moved so that its centre of mass lies where MNIST's digits have theirs, in
 * the middle of pixel number 14, counted from 0.
 * @param {Float32Array} drawing in [0, 1], row by row, square
 * @param {number} side of the prepared image
 * @returns {Float32Array | null} side × side numbers in [0, 1], row by row; null where there is no ink
 */
export function prepare(drawing, side) {
  const length = Math.sqrt(drawing.length);
  let [left, right, top, bottom] = [length, -1, length, -1];
  let [mass, massX, massY] = [0, 0, 0];
  for (let y = 0; y < length; y++) {
    for (let x = 0; x < length; x++) {
      const ink = drawing[y * length + x];
      if (ink < INK) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
      mass += ink;
      massX += ink * (x + 0.5);
      massY += ink * (y + 0.5);
    }
  }
  if (mass === 0) return null;
  const step = Math.max(right + 1 - left, bottom + 1 - top) / ((20 / 28) * side); // drawn pixels to a prepared one
  const middle = side / 2 + 0.5;
  const columns = overlaps(massX / mass - middle * step, step, side, length);
  const rows = overlaps(massY / mass - middle * step, step, side, length);
  const prepared = new Float32Array(side * side);
  rows.forEach((row, i) => {
    columns.forEach((column, j) => {
      let sum = 0;
      for (const [y, high] of row) for (const [x, wide] of column) sum += high * wide * drawing[y * length + x];
      prepared[i * side + j] = sum / (step * step);
    });
  });
  return prepared;
}

/** Which pixels of a line of `length` the interval [start + k·step, start + (k + 1)·step] meets, and how much of each. */
function overlaps(start, step, count, length) {
  return Array.from({ length: count }, (_, k) => {
    const [from, to] = [start + k * step, start + (k + 1) * step];
    const met = [];
    for (let x = Math.max(0, Math.floor(from)); x < Math.min(length, to); x++) {
      met.push([x, Math.min(to, x + 1) - Math.max(from, x)]);
    }
    return met;
  });
}
