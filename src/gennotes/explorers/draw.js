/**
 * A sheet to draw on, and what networks make of the drawing while it grows: image-to-image translation under the
 * reader's hand, with the judgement of a discriminator over it, patch by patch.
 *
 * The model's traits, which `draw.py` synchronises: drawn, the pixels of the sheet (whole numbers from 0 to 255), which
 * can be set; and, which stay: side, block, free, widths, ink, generators, names, judge, places, examples, labels,
 * answers, planes, judged, title, alt. The root element carries what is shown in `data-values` (JSON).
 */

import { followStrokes, ERASER } from "./drawing.js";
import { load } from "./onnx.js";
import { clamp, fromBase64, make, makeButton, makePicture, renderer } from "./parts.js";
import { PatchMap } from "./patches.js";
import { Sheet } from "./sheet.js";
import { View } from "./view.js";

const SPEAK_MS = 900; // after so long at rest is it said what is shown
const LEAP = 4; // pixels by which the keys move the pen with Shift
const FINE = 20; // pixels of the stripes to one of the sheet, along each side
const GAP = 1.5; // from stripe to stripe, in pixels of the sheet
const TINT = [0.93, 0.55, 0.25]; // of what a network puts where no pen draws
const WAYS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-1, -1], PageUp: [1, -1], End: [-1, 1], PageDown: [1, 1],
}; // prettier-ignore
const KEYS = [
  ["Arrow keys", "move the pen, with Shift by 4; Home, End, Page Up and Page Down slantwise"],
  ["Space", "lowers and lifts it"],
  ["Delete", "rubs out what is under it"],
  ["E, P", "take the eraser, the pen"],
  ["Ctrl + Z", "undoes, with Shift does again"],
];

class DrawView extends View {
  constructor(model) {
    super(model, ["drawn"]);
    const get = (name) => model.get(name);
    [this.side, this.block, this.labels, this.widths] = ["side", "block", "labels", "widths"].map(get);
    this.examples = get("examples").map(fromBase64);
    this.answers = get("answers").map((text) => Float32Array.from(fromBase64(text), (value) => value / 255));
    this.generators = get("generators").map(load);
    this.judge = get("judge") && load(get("judge"));
    this.sheet = new Sheet(this.side / this.block, get("free") && fromBase64(get("free")));
    this.sheet.now = { pixels: Uint8Array.from(this.drawn), origin: this.originOf(this.drawn) };
    this.pen = { width: this.widths[Math.floor((this.widths.length - 1) / 2)], ink: get("ink"), erases: false };
    this.cursor = this.middle();
    this.lowered = false; // the pen, by key
    this.pointed = null; // the patch that the reader looks at, [row, column]
  }

  start() {
    const unheard = this.listen();
    const resized = new ResizeObserver(() => this.redraw());
    resized.observe(this.field);
    this.draw();
    return () => {
      unheard();
      resized.disconnect();
      clearTimeout(this.speakingLater);
    };
  }

  /** Which of the examples these pixels are; null if none. */
  originOf(pixels) {
    const found = this.examples.findIndex((example) => example.every((ink, i) => ink === pixels[i]));
    return found < 0 ? null : found;
  }

  /** The middle of what can be drawn on, at the middle of a pixel. */
  middle() {
    const { side } = this.sheet;
    const free = [...this.sheet.pixels.keys()].filter((i) => this.sheet.isFree(i));
    const mean = (of) => Math.floor(free.reduce((sum, i) => sum + of(i), 0) / free.length) + 0.5;
    return [mean((i) => i % side), mean((i) => Math.floor(i / side))];
  }

  // --------------------------------------------------------------------------------------------------- the elements

  build() {
    const title = this.model.get("title");
    this.undoButton = makeButton("Undo", () => this.step("undo"));
    this.redoButton = makeButton("Redo", () => this.step("redo"));
    const clear = makeButton("Clear", () => this.put(new Uint8Array(this.sheet.pixels.length), null));
    this.spoken = make("p", { class: "gn-unseen", "aria-live": "polite" });
    return make(
      "div",
      { class: "gn-explorer gn-draw", role: "group", "aria-label": title },
      make("div", { class: "gn-head" }, make("p", { class: "gn-title" }, title), make("div", { class: "gn-actions" }, this.undoButton, this.redoButton, clear)),
      make("div", { class: "gn-desk" }, make("div", {}, this.buildField(), this.buildTools()), this.buildAnswers(), this.buildJudgement()),
      this.buildExamples(),
      this.buildKeys(),
      this.spoken,
    );
  }

  buildField() {
    const { side, free } = this.sheet;
    this.paper = makePicture(this.side, this.side, "", free ? 3 : 1);
    this.paper.canvas.setAttribute("aria-hidden", "true");
    this.nib = make("span", { class: "gn-nib" });
    this.field = make("div", { class: "gn-field", tabindex: 0, role: "application", "aria-roledescription": "sheet to draw on" }, this.paper.canvas, this.buildStripes(), this.nib);
    this.field.classList.toggle("gn-blocks", this.block > 1);
    const placed = ([across, down]) => [across * side, down * side];
    followStrokes(this.field, {
      begin: (place, { button }) => {
        this.field.focus({ preventScroll: true });
        this.lift();
        this.turned = button === ERASER;
        this.sheet.begin();
        this.cursor = placed(place);
        this.drawTo([this.cursor]);
      },
      move: (places) => this.drawTo(places.map(placed)),
      end: () => {
        this.turned = false;
        this.sheet.end();
        this.redraw();
      },
    });
    this.field.addEventListener("pointermove", (event) => event.pointerType === "mouse" && this.hover(event));
    this.field.addEventListener("keydown", (event) => this.byKey(event));
    this.field.addEventListener("blur", () => this.lift());
    return this.field;
  }

  /** Stripes over the pixels that cannot be drawn on. */
  buildStripes() {
    const { side, free } = this.sheet;
    if (!free) return "";
    const stripes = make("canvas", { class: "gn-stripes", width: side * FINE, height: side * FINE, "aria-hidden": "true" });
    const context = stripes.getContext("2d");
    context.scale(FINE, FINE);
    context.beginPath();
    free.forEach((isFree, i) => isFree || context.rect(i % side, Math.floor(i / side), 1, 1));
    context.clip();
    context.beginPath();
    for (let start = -side; start < side; start += GAP) {
      context.moveTo(start, side);
      context.lineTo(start + side, 0);
    }
    Object.assign(context, { strokeStyle: "#9aa4b0", lineWidth: GAP / 4 });
    context.stroke();
    return stripes;
  }

  buildTools() {
    this.tools = [false, true].map((erases) => [erases, makeButton(erases ? "Eraser" : "Pen", () => this.hold({ erases }))]);
    this.sizes = this.widths.map((width) => {
      const dot = make("span", { class: "gn-dot" });
      dot.style.setProperty("--width", (width * this.block) / this.side);
      const button = makeButton(dot, () => this.hold({ width }));
      button.setAttribute("aria-label", `stroke of ${width} pixels`);
      return [width, button];
    });
    const group = (words, buttons) => make("div", { class: "gn-choice", role: "group", "aria-label": words }, ...buttons.map(([, button]) => button));
    return make("div", { class: "gn-tools" }, group("tool", this.tools), group("width of the stroke", this.sizes));
  }

  /** The translations, and the true answer where there is one. */
  buildAnswers() {
    const names = this.model.get("names");
    const planes = this.model.get("planes");
    const alt = this.model.get("alt");
    this.shown = this.generators.map((generator, k) => {
      const words = names.length > 1 ? `${alt} by ${names[k]}` : alt;
      return Object.assign(this.buildAnswer(words, names[k], planes), { generator });
    });
    if (this.answers.length) {
      this.truth = this.buildAnswer("the true answer of the example", "true answer", planes);
      this.truth.element.classList.add("gn-truth");
    }
    const all = [...this.shown, ...(this.truth ? [this.truth] : [])];
    const grid = make("div", { class: "gn-answers" }, ...all.map(({ element }) => element));
    grid.classList.toggle("gn-several", this.shown.length > 1);
    return grid;
  }

  buildAnswer(words, name, planes) {
    const picture = makePicture(this.side, this.side, words, planes);
    const frame = make("div", { class: "gn-frame" }, picture.canvas);
    const share = make("span", { class: "gn-number" });
    const caption = make("span", {}, `${name} `);
    const element = make("div", { class: "gn-answer" }, frame, make("p", { class: "gn-note" }, caption, share));
    const answer = { picture, frame, caption, share, element, name };
    if (this.judge) this.addPatches(answer);
    return answer;
  }

  addPatches(answer) {
    const { frame, name } = answer;
    answer.map = new PatchMap(this.model.get("places"));
    frame.append(answer.map.canvas);
    frame.tabIndex = -1;
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-roledescription", "map of patches");
    frame.setAttribute("aria-label", `what D says of ${name}; arrow keys move from patch to patch`);
    const look = (event) => {
      const box = frame.getBoundingClientRect();
      this.point(answer, answer.map.at([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]));
    };
    frame.addEventListener("pointermove", look);
    frame.addEventListener("pointerdown", look); // a finger that taps does not move, and what it tapped stays
    frame.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.point(answer, null));
    frame.addEventListener("focus", () => frame.matches(":focus-visible") && this.point(answer, this.pointed ?? [0, 0]));
    frame.addEventListener("blur", () => this.point(answer, null));
    frame.addEventListener("keydown", (event) => {
      const way = WAYS[event.key];
      if (!way || !this.judged) return;
      event.preventDefault();
      const [row, column] = this.pointed ?? [0, 0];
      const { rows, columns } = answer.map;
      this.point(answer, [clamp(row + way[1], 0, rows.fields.length - 1), clamp(column + way[0], 0, columns.fields.length - 1)]);
      this.speakLater();
    });
  }

  /** The switch of the patch maps, their legend, and the sentence. */
  buildJudgement() {
    this.sentence = make("p", { class: "gn-sentence gn-number" });
    if (!this.judge) return make("div", { class: "gn-judgement" }, this.sentence);
    this.judgedSwitch = make("input", { type: "checkbox", role: "switch" });
    this.judgedSwitch.checked = this.model.get("judged");
    this.judgedSwitch.addEventListener("change", () => this.redraw());
    const sign = (kind, words) => make("span", { class: "gn-entry" }, make("span", { class: `gn-sign gn-${kind}`, "aria-hidden": "true" }), words);
    this.legend = make("p", { class: "gn-legend" }, sign("real", "taken for real"), sign("made", "taken for made"), "the surer, the stronger");
    return make("div", { class: "gn-judgement" }, make("label", {}, this.judgedSwitch, " What D says, patch by patch"), this.legend, this.sentence);
  }

  buildExamples() {
    this.exampleButtons = this.examples.map((example, k) => {
      const { side } = this.sheet;
      const picture = makePicture(side, side, "");
      picture.canvas.setAttribute("aria-hidden", "true");
      picture.draw(Float32Array.from(example, (ink) => ink / 255));
      const button = makeButton(picture.canvas, () => this.put(example, k));
      button.setAttribute("aria-label", `put the example ${this.labels[k]} on the sheet`);
      return button;
    });
    const row = make("div", { class: "gn-examples", role: "group", "aria-label": "examples" }, ...this.exampleButtons);
    row.classList.toggle("gn-blocks", this.block > 1);
    return make("div", {}, make("p", { class: "gn-note" }, "Examples"), row);
  }

  buildKeys() {
    const rows = KEYS.map(([keys, words]) => make("div", {}, make("dt", {}, keys), make("dd", {}, words)));
    return make("details", {}, make("summary", {}, "Drawing by keyboard"), make("dl", { class: "gn-keys" }, ...rows));
  }

  // -------------------------------------------------------------------------------------------------------- drawing

  get judged() {
    return Boolean(this.judgedSwitch?.checked);
  }

  get penNow() {
    return { ...this.pen, erases: this.pen.erases || Boolean(this.turned) };
  }

  /** Draws lines from where the pen is to these places, one after the other. */
  drawTo(places) {
    for (const place of places) {
      this.sheet.line(this.cursor, place, this.penNow);
      this.cursor = place;
    }
    this.changed();
  }

  hover(event) {
    if (event.buttons) return;
    const box = this.field.getBoundingClientRect();
    const { side } = this.sheet;
    if (this.lowered) return;
    this.cursor = [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side];
    this.showNib();
  }

  byKey(event) {
    const way = WAYS[event.key];
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key !== "z" && key !== "y") return;
      this.step(key === "y" || event.shiftKey ? "redo" : "undo");
    } else if (event.altKey) return;
    else if (way) this.moveBy(way, event.shiftKey ? LEAP : 1);
    else if (key === " " || key === "enter") {
      if (event.repeat) return event.preventDefault();
      if (this.lowered) this.lift();
      else this.lower();
    } else if (key === "delete" || key === "backspace") this.rubOut();
    else if (key === "e" || key === "p") this.hold({ erases: key === "e" });
    else if (key === "escape" && this.lowered) this.lift();
    else return;
    event.preventDefault();
  }

  moveBy([right, down], pixels) {
    const { side } = this.sheet;
    const moved = (from, by) => clamp(Math.floor(from) + 0.5 + by * pixels, 0.5, side - 0.5);
    const place = [moved(this.cursor[0], right), moved(this.cursor[1], down)];
    if (this.lowered) return this.drawTo([place]);
    this.cursor = place;
    this.showNib();
    this.speakLater();
  }

  lower() {
    this.turned = false;
    this.cursor = this.cursor.map((at) => clamp(Math.floor(at), 0, this.sheet.side - 1) + 0.5);
    this.sheet.begin();
    this.lowered = true;
    this.drawTo([this.cursor]);
    this.spoken.textContent = `${this.pen.erases ? "eraser" : "pen"} lowered, ${this.whereText()}`;
  }

  lift() {
    if (!this.lowered) return;
    this.sheet.end();
    this.lowered = false;
    this.show();
    this.spoken.textContent = `lifted, ${this.whereText()}`;
  }

  rubOut() {
    const open = this.lowered;
    if (!open) this.sheet.begin();
    this.sheet.line(this.cursor, this.cursor, { ...this.pen, erases: true });
    if (!open) this.sheet.end();
    this.changed();
  }

  hold(change) {
    this.lift();
    Object.assign(this.pen, change);
    this.redraw();
  }

  put(pixels, origin) {
    this.lift();
    this.sheet.put(pixels, origin);
    this.changed();
  }

  /** One step of undo or redo. */
  step(way) {
    this.lift();
    if (this.sheet[way]()) this.changed();
  }

  changed() {
    this.drawn = Array.from(this.sheet.pixels);
    this.show();
    this.speakLater();
  }

  heard() {
    this.lift();
    this.sheet.put(this.drawn, this.originOf(this.drawn));
  }

  point(answer, patch) {
    if (patch && !this.judged) return;
    this.pointed = patch;
    this.pointedAt = patch && answer;
    this.redraw();
  }

  // --------------------------------------------------------------------------------------------------------- showing

  draw() {
    this.drawing = 0;
    const x = this.sheet.values(this.block);
    for (const answer of this.shown) {
      const { inputs: [input], outputs: [output], run } = answer.generator; // prettier-ignore
      answer.pixels = run({ [input.name]: x })[output.name];
      answer.picture.draw(answer.pixels);
    }
    this.paper.draw(this.sheet.free ? this.completed(x) : x);
    this.showTruth();
    this.showJudgement(x);
    this.showControls();
    this.showNib();
    this.showSentence();
  }

  /** The drawing x and, where no pen draws, the first translation in the colour of what is made. */
  completed(x) {
    const [{ pixels }] = this.shown;
    const size = x.length;
    const grey = pixels.length === size;
    return Float32Array.from({ length: 3 * size }, (_, i) => {
      const [plane, place] = [Math.floor(i / size), i % size];
      if (this.sheet.isFree(this.sheet.under(place, this.block))) return x[place];
      return grey ? TINT[plane] * pixels[place] : pixels[i];
    });
  }

  showTruth() {
    if (!this.truth) return;
    const { origin } = this.sheet.now;
    this.truth.pixels = origin === null ? null : this.answers[origin];
    this.truth.element.classList.toggle("gn-none", origin === null);
    this.truth.caption.textContent = origin === null ? "true answer: choose an example " : "true answer ";
    if (origin !== null) this.truth.picture.draw(this.truth.pixels);
  }

  /** The patch maps: σ of the logits of D, for each picture beside the drawing. */
  showJudgement(x) {
    if (!this.judge) return;
    this.legend.hidden = !this.judged;
    for (const answer of [...this.shown, ...(this.truth ? [this.truth] : [])]) {
      const judged = this.judged && answer.pixels !== null;
      answer.map.canvas.hidden = !judged;
      answer.frame.tabIndex = judged ? 0 : -1;
      answer.chances = judged ? this.judgeOf(x, answer.pixels) : null;
      answer.real = judged ? answer.chances.filter((chance) => chance > 0.5).length / answer.chances.length : null;
      answer.share.textContent = judged ? `${Math.round(100 * answer.real)} % real` : "";
      if (judged) answer.map.draw(answer.chances, this.pointed);
    }
  }

  judgeOf(x, y) {
    const [drawing, picture] = this.judge.inputs;
    const { [this.judge.outputs[0].name]: logits } = this.judge.run({ [drawing.name]: x, [picture.name]: y });
    return logits.map((logit) => 1 / (1 + Math.exp(-logit)));
  }

  showControls() {
    const { past, future, before, now } = this.sheet;
    this.undoButton.setAttribute("aria-disabled", past.length === 0 && !before);
    this.redoButton.setAttribute("aria-disabled", future.length === 0);
    for (const [erases, button] of this.tools) button.setAttribute("aria-pressed", erases === this.penNow.erases);
    for (const [width, button] of this.sizes) button.setAttribute("aria-pressed", width === this.pen.width);
    this.exampleButtons.forEach((button, k) => button.setAttribute("aria-pressed", now.origin === k));
    this.root.dataset.values = JSON.stringify({
      inked: this.sheet.inked,
      origin: now.origin,
      steps: [past.length, future.length],
      pen: this.penNow,
      chances: this.judged ? this.shown.map(({ chances }) => Array.from(chances)) : null,
    });
  }

  /** The ring around the pen: what it will draw on. */
  showNib() {
    const { side } = this.sheet;
    const [x, y] = this.cursor;
    this.nib.style.left = `${(100 * x) / side}%`;
    this.nib.style.top = `${(100 * y) / side}%`;
    this.nib.style.width = this.nib.style.height = `${(100 * (this.pen.width + 0.5)) / side}%`;
    this.nib.classList.toggle("gn-lowered", this.lowered);
    this.nib.classList.toggle("gn-erases", this.penNow.erases);
    this.field.setAttribute("aria-label", `${this.whereText()}, ${this.lowered ? "lowered" : "lifted"}. Arrow keys move it, Space lowers and lifts it, Delete rubs out.`);
  }

  whereText() {
    const [column, row] = this.cursor.map((at) => clamp(Math.floor(at), 0, this.sheet.side - 1));
    const tool = this.penNow.erases ? "eraser" : "pen";
    const place = row * this.sheet.side + column;
    const ground = this.sheet.isFree(place) ? `ink ${Math.round((100 * this.sheet.pixels[place]) / 255)} %` : "not to be drawn on";
    return `${tool} in row ${row + 1}, column ${column + 1}, ${ground}`;
  }

  showSentence() {
    const { inked } = this.sheet;
    const words = [`${inked} ${inked === 1 ? "pixel" : "pixels"} inked`];
    if (this.judged && this.shown.length === 1) words.push(`${Math.round(100 * this.shown[0].real)} % of the patches taken for real`);
    if (this.judged && this.pointedAt?.chances) words.push(this.patchText());
    this.sentence.textContent = `${words.join("; ")}.`;
  }

  patchText() {
    const [row, column] = this.pointed;
    const { map, chances, name } = this.pointedAt;
    const chance = chances[row * map.columns.fields.length + column];
    const length = ([low, high]) => Math.min(high, this.side) - Math.max(low, 0);
    const field = `${length(map.rows.fields[row])} × ${length(map.columns.fields[column])}`;
    return `patch ${row + 1}, ${column + 1} of ${name}: real with probability ${chance.toFixed(2)}, says D of the ${field} pixels in the frame`;
  }

  /** Says what is shown once all has come to rest. */
  speakLater() {
    clearTimeout(this.speakingLater);
    this.speakingLater = setTimeout(() => {
      const where = this.field.matches(":focus-visible") ? `${this.whereText()}. ` : "";
      this.spoken.textContent = where + this.sentence.textContent;
    }, SPEAK_MS);
  }
}

const render = renderer(DrawView);

export default { render };
