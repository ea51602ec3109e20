/** What the explorers share: elements, numbers as they stand on a page, and movement. */

/** An element with attributes and children. @returns {HTMLElement} */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function makeButton(content, press) {
  const element = make("button", { type: "button" }, content);
  element.addEventListener("click", press);
  return element;
}

/**
 * A grey picture with one pixel for each number; the style sheet enlarges it.
 * @returns {{ canvas: HTMLCanvasElement, draw: (values: ArrayLike<number>) => void }} `draw` takes numbers in [0, 1]
 */
export function makePicture(width, height, label) {
  const canvas = make("canvas", { class: "gn-picture", width, height, role: "img", "aria-label": label });
  canvas.style.aspectRatio = `${width} / ${height}`;
  const context = canvas.getContext("2d", { willReadFrequently: true }); // it is written by the processor
  const image = context.createImageData(width, height);
  const draw = (values) => {
    for (let i = 0; i < values.length; i++) {
      const grey = Math.round(255 * values[i]);
      image.data.set([grey, grey, grey, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  };
  return { canvas, draw };
}

/** A letter of mathematics. */
export function variable(letter) {
  return make("i", {}, letter);
}

/** z with the dimension's number, which the reader counts from 1, as a subscript. */
export function symbol(d) {
  return "z" + String(d + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
}

export function spokenName(d) {
  return `z ${d + 1}`;
}

/** Two decimals, with the minus sign of typography. */
export function decimal(value) {
  return value.toFixed(2).replace("-", "\u2212");
}

export function clamp(value, low = -1, high = 1) {
  return Math.min(Math.max(value, low), high);
}

/** Starts and ends at rest. */
export function smooth(share) {
  const t = clamp(share, 0, 1);
  return t * t * (3 - 2 * t);
}

export function between(from, to, share) {
  return from.map((value, d) => value + share * (to[d] - value));
}

/** A draw from N(0, 1): Box and Muller 1958. */
export function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
