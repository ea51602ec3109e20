/** Curves on axes that move under the hand: a panel drawn as SVG, and the handles of a density on it. */

import { make, clamp } from "./parts.js";
import { density } from "./measures.js";

const MARGIN = { left: 38, right: 12, top: 16, bottom: 24 };
const SVG = "http://www.w3.org/2000/svg";

/** An element of SVG. @returns {SVGElement} */
export function shape(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A number with so many decimals, the minus sign of typography, and the sign for infinity. */
export function figure(value, decimals = 3) {
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? (0).toFixed(decimals) : text.replace("-", "\u2212");
}

/** To a tenth of a pixel. */
const tenth = (pixels) => Math.round(10 * pixels) / 10;

/** About `count` round numbers between low and high, and the decimals that they need. */
function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const values = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) values.push(k * step);
  return { values, decimals };
}

/** Axes of a fixed height at the width of the page, with layers for areas, lines, words and handles. */
export class Panel {
  /** @param {string} label what is drawn, for those who do not see it */
  constructor(label, height) {
    this.height = height;
    this.width = 640;
    this.own = `gn-panel-${Math.random().toString(36).slice(2)}`; // names on the page, where other panels stand too
    this.svg = shape("svg", { class: "gn-panel", role: "group", "aria-label": label, height });
    const layer = () => this.svg.appendChild(shape("g", {}));
    this.svg.append(shape("defs", {}, this.hatch(), this.window()));
    [this.grid, this.areas, this.axis, this.lines, this.words, this.handles] = Array.from({ length: 6 }, layer);
    for (const cut of [this.areas, this.lines]) cut.setAttribute("clip-path", `url(#${this.own}-window)`);
  }

  hatch() {
    const size = { width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
    this.hatching = shape("pattern", { id: `${this.own}-hatch`, ...size }, shape("path", { d: "M0 0V6", class: "gn-hatch" }));
    return this.hatching;
  }

  window() {
    this.opening = shape("rect", { x: MARGIN.left, y: 0 });
    return shape("clipPath", { id: `${this.own}-window` }, this.opening);
  }

  /** A path in one of the layers; set its `d` to draw it. */
  path(layer, className) {
    const path = shape("path", { class: className });
    if (className.includes("gn-hatched")) path.style.fill = `url(#${this.own}-hatch)`;
    return layer.appendChild(path);
  }

  /** Words on the panel; `say` sets and places them. */
  word(className) {
    return this.words.appendChild(shape("text", { class: className }));
  }

  /** The ranges that are shown, and the axes with them. `across`, `upward`: whether that axis carries numbers. */
  frame([left, right], [low, high], across = true, upward = true) {
    const same = [left, right, low, high, this.width].join();
    if (same === this.framed) return;
    this.framed = same;
    [this.left, this.right, this.low, this.high] = [left, right, low, high];
    this.svg.setAttribute("width", this.width);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.opening.setAttribute("width", Math.max(0, this.width - MARGIN.left - MARGIN.right));
    this.opening.setAttribute("height", this.height - MARGIN.bottom + 2);
    const [begin, end] = [MARGIN.left, this.width - MARGIN.right];
    const grid = [];
    const marks = [];
    const up = ticks(low, high, 4);
    for (const value of upward ? up.values : []) {
      const y = this.y(value);
      grid.push(shape("path", { d: `M${begin} ${y}H${end}`, class: "gn-grid" }));
      marks.push(this.mark(begin - 6, y + 4, "end", value, up.decimals));
    }
    if (across) {
      const along = ticks(left, right, this.width < 480 ? 6 : 12);
      for (const value of along.values) {
        const half = 3.7 * figure(value, along.decimals).length; // a long number at the right end moves in, to stay whole
        marks.push(this.mark(Math.min(this.x(value), this.width - half), this.height - 6, "middle", value, along.decimals));
      }
    }
    this.grid.replaceChildren(...grid);
    this.axis.replaceChildren(shape("path", { d: `M${begin} ${this.y(0)}H${end}`, class: "gn-axis" }), ...marks);
  }

  mark(x, y, anchor, value, decimals) {
    return shape("text", { x, y, "text-anchor": anchor, class: "gn-tick" }, figure(value, decimals));
  }

  x(value) {
    return MARGIN.left + ((value - this.left) / (this.right - this.left)) * (this.width - MARGIN.left - MARGIN.right);
  }

  y(value) {
    return this.height - MARGIN.bottom - ((value - this.low) / (this.high - this.low)) * (this.height - MARGIN.top - MARGIN.bottom);
  }

  /** The value on the horizontal axis under a pointer. */
  valueAt(event) {
    const share = (event.clientX - this.svg.getBoundingClientRect().left - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right);
    return this.left + clamp(share, 0, 1) * (this.right - this.left);
  }

  /** The value on the vertical axis under a pointer. */
  heightAt(event) {
    const share = (this.height - MARGIN.bottom - event.clientY + this.svg.getBoundingClientRect().top) / (this.height - MARGIN.top - MARGIN.bottom);
    return this.low + clamp(share, 0, 1) * (this.high - this.low);
  }

  /** Where to sample the horizontal axis: about every second pixel, and on both sides of each jump or kink. */
  samples([left, right], ...breaks) {
    const count = Math.round(this.width / 2);
    const even = Array.from({ length: count + 1 }, (_, i) => left + ((right - left) * i) / count);
    const near = breaks.flatMap((at) => [at - 1e-9, at, at + 1e-9]).filter((x) => x > left && x < right);
    return [...even, ...near].sort((a, b) => a - b);
  }

  /** A line through the points, interrupted where a value is not finite. */
  trace(xs, ys) {
    let text = "";
    let pen = "M";
    for (let i = 0; i < xs.length; i++) {
      if (!Number.isFinite(ys[i])) {
        pen = "M";
        continue;
      }
      text += `${pen}${tenth(this.x(xs[i]))} ${tenth(this.y(ys[i]))}`;
      pen = "L";
    }
    return text;
  }

  /** The area under a line without interruptions, whose path is given. */
  under(path) {
    return `${path}V${tenth(this.y(0))}H${tenth(this.x(this.left))}Z`;
  }

  /** The area between two lines; where a value is not finite there is none. */
  area(xs, ys, base = 0) {
    const lower = typeof base === "number" ? ys.map(() => base) : base;
    const [top, bottom, whole] = [[], [], xs.map((_, i) => Number.isFinite(ys[i]) && Number.isFinite(lower[i]))];
    for (let i = 0; i < xs.length; i++) {
      const x = tenth(this.x(xs[i]));
      top.push(`${x} ${tenth(this.y(whole[i] ? ys[i] : 0))}`);
      bottom.push(`${x} ${tenth(this.y(whole[i] ? lower[i] : 0))}`);
    }
    return `M${top.join("L")}L${bottom.reverse().join("L")}Z`;
  }

  /** Bars that stand on zero, each around its place on the horizontal axis. */
  bars(places, width, heights) {
    const bar = (at, i) => {
      if (!Number.isFinite(heights[i])) return "";
      const [a, b] = [tenth(this.x(at - width / 2)), tenth(this.x(at + width / 2))];
      return `M${a} ${tenth(this.y(0))}V${tenth(this.y(heights[i]))}H${b}V${tenth(this.y(0))}`;
    };
    return places.map(bar).join("");
  }

  /** Sets and places words: dx, dy in pixels from the point. Words stay inside of the panel. */
  say(word, text, x, y, { dx = 0, dy = 0, anchor = "middle" } = {}) {
    word.textContent = text;
    word.setAttribute("x", clamp(this.x(x) + dx, MARGIN.left + 4, this.width - 4));
    word.setAttribute("y", clamp(this.y(y) + dy, 12, this.height - MARGIN.bottom - 4));
    word.setAttribute("text-anchor", anchor);
  }
}

/**
 * Passes the events of a pointer to `move` from where it is put down until it is let go, then calls `end`. A finger on the
 * element does not scroll the page: `touch-action` alone does not keep browsers from it inside of an SVG.
 * @param {(event: PointerEvent) => ((later: PointerEvent) => void)} begin called when the pointer is put down; gives `move`
 */
export function follow(element, begin, end = () => {}) {
  element.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  element.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    const move = begin(event);
    const release = () => {
      element.removeEventListener("pointermove", move);
      end();
    };
    element.addEventListener("pointermove", move);
    element.addEventListener("lostpointercapture", release, { once: true });
  });
}

/** Calls `draw` with the width of an element, now and when it changes. Returns the function that ends it. */
export function followWidth(element, draw) {
  const observer = new ResizeObserver(([entry]) => entry.contentRect.width > 0 && draw(entry.contentRect.width));
  observer.observe(element);
  return () => observer.disconnect();
}

// ---------------------------------------------------------------------------------------- what can be set in a density

/** The numbers of each kind: their names and, in brackets, the letters that stand on the page. */
export const FIELDS = {
  normal: { mean: ["mean", "μ"], sd: ["standard deviation", "σ"] },
  mixture: { mean: ["centre", "μ"], sd: ["standard deviation of each part", "σ"], gap: ["distance of the parts", "d"], weight: ["weight of the left part", "w"] },
  uniform: { mean: ["centre", "μ"], width: ["width", "w"] },
  laplace: { mean: ["mean", "μ"], scale: ["scale", "b"] },
};

/** How far the reader can set a number, where [low, high] is in sight. */
export function limits(field, [low, high]) {
  const span = high - low;
  return { mean: [low + 0.04 * span, high - 0.04 * span], sd: [0.2, span / 4], gap: [0, 0.7 * span], weight: [0.02, 0.98], width: [0.4, 0.9 * span], scale: [0.2, span / 6] }[field];
}

/** `spec` with one number changed, in its limits and to two decimals. */
export function withField(spec, field, value, domain) {
  const [low, high] = limits(field, domain);
  return { ...spec, [field]: Number(clamp(value, low, high).toFixed(2)) };
}

/** The same mean and about the same spread in another kind. */
export function asKind(kind, spec, domain) {
  const { mean } = spec;
  const spread = { normal: spec.sd, mixture: Math.hypot(spec.sd, spec.gap / 2), uniform: spec.width / Math.sqrt(12), laplace: spec.scale * Math.SQRT2 }[spec.kind];
  const values = { normal: { sd: spread }, mixture: { sd: 0.5 * spread, gap: 1.73 * spread, weight: 0.5 }, uniform: { width: spread * Math.sqrt(12) }, laplace: { scale: spread / Math.SQRT2 } }[kind];
  return Object.entries({ mean, ...values }).reduce((made, [field, value]) => withField(made, field, value, domain), { kind });
}

/** The handles of each kind: the number, where its handle stands, and the number's value with the handle at x. */
const HANDLES = {
  normal: [
    { field: "mean", place: (s) => s.mean, value: (s, x) => x },
    { field: "sd", place: (s) => s.mean + s.sd, value: (s, x) => x - s.mean },
  ],
  mixture: [
    { field: "mean", place: (s) => s.mean - s.gap / 2, value: (s, x) => x + s.gap / 2 },
    { field: "gap", place: (s) => s.mean + s.gap / 2, value: (s, x) => 2 * (x - s.mean) },
    { field: "sd", place: (s) => s.mean + s.gap / 2 + s.sd, value: (s, x) => x - s.mean - s.gap / 2 },
  ],
  uniform: [
    { field: "mean", place: (s) => s.mean, value: (s, x) => x },
    { field: "width", place: (s) => s.mean + s.width / 2, value: (s, x) => 2 * (x - s.mean), height: (s) => 0.5 / s.width },
  ],
  laplace: [
    { field: "mean", place: (s) => s.mean, value: (s, x) => x },
    { field: "scale", place: (s) => s.mean + s.scale, value: (s, x) => x - s.mean },
  ],
};

/**
 * A density's curve that can be taken: by its top it moves, by its flank it widens; the same by handles and by keys.
 * `get` gives the density as it stands, `set` takes the changed one.
 */
export class Grip {
  /** @param {{ panel: Panel, name: string, get: () => object, set: (spec: object) => void, domain: [number, number] }} given */
  constructor({ panel, name, letter, get, set, domain }) {
    Object.assign(this, { panel, name, get, set, domain });
    this.group = panel.handles.appendChild(shape("g", { class: `gn-grip gn-of-${letter}` }));
    this.curve = this.group.appendChild(shape("path", { class: "gn-hold" }));
    follow(this.curve, (event) => this.takeCurve(event));
    this.curve.addEventListener("pointermove", (event) => event.buttons || this.showWhat(event));
    this.build();
  }

  /** Handles for the kind that the density has now. */
  build() {
    this.kind = this.get().kind;
    this.marks?.forEach(({ mark }) => mark.remove());
    this.marks = HANDLES[this.kind].map((handle) => {
      const [words] = FIELDS[this.kind][handle.field];
      const mark = shape("g", { class: `gn-handle gn-sets-${handle.field}`, role: "slider", tabindex: 0, "aria-label": `${words} of ${this.name}` });
      mark.append(shape("circle", { r: 14, class: "gn-hold" }), shape("circle", { r: 6, class: "gn-knob" }));
      mark.dataset.lmSuppressShortcuts = "true";
      follow(mark, (event) => {
        const offset = handle.place(this.get()) - this.panel.valueAt(event);
        mark.focus({ preventScroll: true });
        return (later) => this.change(handle.field, handle.value(this.get(), this.panel.valueAt(later) + offset));
      });
      mark.addEventListener("keydown", (event) => this.byKey(event, handle));
      this.group.append(mark);
      return { handle, mark };
    });
  }

  change(field, value) {
    this.set(withField(this.get(), field, value, this.domain));
  }

  byKey(event, { field }) {
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    const ends = limits(field, this.domain);
    const step = event.shiftKey ? 0.5 : 0.05;
    if (direction) this.change(field, this.get()[field] + direction * step);
    else if (event.key === "Home") this.change(field, ends[0]);
    else if (event.key === "End") this.change(field, ends[1]);
    else return;
    event.preventDefault();
  }

  /** Where the pointer has the curve: from which middle, how far from it, and whether that is the flank. */
  held(event) {
    const spec = this.get();
    const handles = HANDLES[spec.kind];
    const flank = handles.at(-1);
    const tops = handles.slice(0, -1).map((handle) => handle.place(spec));
    const x = this.panel.valueAt(event);
    const middle = tops.reduce((best, top) => (Math.abs(top - x) < Math.abs(best - x) ? top : best));
    const reach = flank.place(spec) - tops.at(-1);
    return { spec, field: flank.field, x, middle, atFlank: Math.abs(x - middle) > 0.6 * reach };
  }

  /** What moving the pointer does to the density, from where it has the curve. */
  takeCurve(event) {
    const { spec, field, x, middle, atFlank } = this.held(event);
    return (later) => {
      const now = this.panel.valueAt(later);
      if (atFlank) this.change(field, spec[field] * Math.max(0, (now - middle) / (x - middle)));
      else this.change("mean", spec.mean + now - x);
    };
  }

  showWhat(event) {
    this.curve.classList.toggle("gn-at-flank", this.held(event).atFlank);
  }

  /** Puts the handles on the curve through the given points. Its tails are left to the page, which can be scrolled there. */
  show(xs, ys) {
    const spec = this.get();
    if (spec.kind !== this.kind) this.build();
    const { logp } = density(spec);
    const least = 0.03 * Math.max(...ys);
    this.curve.setAttribute("d", this.panel.trace(xs, ys.map((y) => (y < least ? NaN : y))));
    for (const { handle, mark } of this.marks) {
      const [words] = FIELDS[this.kind][handle.field];
      const [low, high] = limits(handle.field, this.domain);
      const x = handle.place(spec);
      const height = handle.height ? handle.height(spec) : Math.exp(logp(x));
      mark.setAttribute("transform", `translate(${this.panel.x(x).toFixed(1)} ${this.panel.y(height).toFixed(1)})`);
      mark.setAttribute("aria-valuemin", low);
      mark.setAttribute("aria-valuemax", high);
      mark.setAttribute("aria-valuenow", spec[handle.field]);
      mark.setAttribute("aria-valuetext", `${words} of ${this.name} is ${figure(spec[handle.field], 2)}`);
    }
  }
}

// ------------------------------------------------------------------------------------------------------------ sliders

/** A row with a letter, a slider and its value, as `say` writes it. `set` is called with the value; returns the row and what shows a value. */
export function slider({ words, letter, low, high, step = 0.05, set, say = (number) => figure(number, 2) }) {
  const input = make("input", { type: "range", min: low, max: high, step, "aria-label": words });
  const value = make("span", { class: "gn-number", "aria-hidden": "true" });
  input.addEventListener("input", () => set(Number(input.value)));
  const sign = make("span", { "aria-hidden": "true" }, make("i", {}, letter));
  const show = (number) => {
    input.value = number;
    input.style.setProperty("--share", clamp((number - low) / (high - low), 0, 1));
    input.setAttribute("aria-valuetext", say(number));
    value.textContent = say(number);
  };
  return { row: make("label", { class: "gn-slider" }, sign, input, value), show };
}
