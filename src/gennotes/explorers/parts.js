/** What the explorers share: elements, numbers as they stand on a page, and movement. */

/** An element with attributes and children. @returns {HTMLElement} */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * The `render` of an explorer as anywidget calls it, for one class of view. What it returns stops what runs, when the
 * view is closed.
 * @param {new (model: object) => object} View a class with the methods `build`, which returns its root element, and `start`
 * @returns {(context: { model: object, el: HTMLElement }) => () => void}
 */
export function renderer(View) {
  return ({ model, el }) => {
    try {
      const view = new View(model);
      view.root = view.build();
      keepKeys(view.root);
      el.replaceChildren(view.root);
      return view.start();
    } catch (error) {
      el.replaceChildren(make("p", { class: "gn-explorer" }, `this explorer could not start: ${error.message}`));
      throw error;
    }
  };
}

/** Keeps JupyterLab's own shortcuts, arrow keys among them, off what the reader operates. */
export function keepKeys(element) {
  for (const control of element.querySelectorAll("input, select, button, summary, [tabindex]")) {
    control.dataset.lmSuppressShortcuts = "true";
  }
}

export function makeButton(content, press) {
  const element = make("button", { type: "button" }, content);
  element.addEventListener("click", press);
  return element;
}

/**
 * A picture with one pixel for each number, or for each three of them; the style sheet enlarges it.
 * @param {1 | 3} planes one of grey, or three: red, green and blue, one after the other
 * @returns {{ canvas: HTMLCanvasElement, draw: (values: ArrayLike<number>) => void }} `draw` takes numbers in [0, 1]
 */
export function makePicture(width, height, label, planes = 1) {
  const canvas = make("canvas", { class: "gn-picture", width, height, role: "img", "aria-label": label });
  canvas.style.aspectRatio = `${width} / ${height}`;
  const context = canvas.getContext("2d", { willReadFrequently: true }); // it is written by the processor
  const image = context.createImageData(width, height);
  image.data.fill(255);
  const size = width * height;
  const draw = (values) => {
    for (let i = 0; i < size; i++) {
      for (let colour = 0; colour < 3; colour++) {
        image.data[4 * i + colour] = Math.round(255 * values[planes === 1 ? i : colour * size + i]);
      }
    }
    context.putImageData(image, 0, 0);
  };
  return { canvas, draw };
}

/** A letter of mathematics. */
export function variable(letter) {
  return make("i", {}, letter);
}

/** A letter with a coordinate's number, which the reader counts from 1, as a subscript. */
export function symbol(d, letter = "z") {
  return letter + String(d + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
}

export function spokenName(d, letter = "z") {
  return `${letter} ${d + 1}`;
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

/**
 * From one vector to another with a steady change of direction and of length: `slerp` for vectors of one length, which
 * draws from a normal prior nearly are. Where a direction is missing, or they are opposite, on the straight line.
 */
export function spherical(from, to, share) {
  const [start, end] = [Math.hypot(...from), Math.hypot(...to)];
  const cosine = from.reduce((sum, value, d) => sum + value * to[d], 0) / (start * end);
  const angle = Math.acos(clamp(cosine));
  if (!(Math.sin(angle) > 1e-6)) return between(from, to, share);
  const length = start + share * (end - start);
  const [a, b] = [Math.sin((1 - share) * angle), Math.sin(share * angle)].map((sine) => (length * sine) / Math.sin(angle));
  return from.map((value, d) => (a * value) / start + (b * to[d]) / end);
}

/** A draw from N(0, 1): Box and Muller 1958. */
export function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

/** Calls `change` after the page has turned dark or light. Returns the function that ends it. */
export function onTheme(change) {
  const later = () => requestAnimationFrame(change);
  const observer = new MutationObserver(later); // the book's theme and JupyterLab's stand in attributes
  for (const element of [document.documentElement, document.body]) observer.observe(element, { attributes: true });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", later);
  return () => {
    observer.disconnect();
    dark.removeEventListener("change", later);
  };
}

/** Red, green and blue of any colour of CSS, 0 to 255. */
export function channels(colour) {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}

/** A colour for letters: moved from `colour` towards the ink until it has the contrast of WCAG 2.1, 1.4.3, with the ground. */
export function readable(colour, ground, ink, contrast = 4.5) {
  const [start, paper, end] = [colour, ground, ink].map(channels);
  for (let share = 0; share <= 1; share += 0.05) {
    const mixed = between(start, end, share).map(Math.round);
    const [low, high] = [luminance(mixed), luminance(paper)].sort((a, b) => a - b);
    if ((high + 0.05) / (low + 0.05) >= contrast) return `rgb(${mixed})`;
  }
  return ink;
}

/** Relative luminance of WCAG 2.1. */
function luminance(rgb) {
  const [red, green, blue] = rgb.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The bytes that a text in base64 stands for. Browsers before 2025 lack the method. */
export function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}
