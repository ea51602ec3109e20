/** What the views of explorers have in common: values that reader and kernel both set, drawing, and steps that play. */

const SHARE_MS = 100; // at most so often does the kernel hear of a value that moves

/** A picture of values; `draw` is a subclass's, and sets `drawing` to 0. */
export class View {
  /**
   * @param {object} model as anywidget gives it
   * @param {string[]} shared the traits that follow the reader and can be set; each is a field of the view
   */
  constructor(model, shared) {
    Object.assign(this, { model, shared });
    this.take();
  }

  take() {
    for (const name of this.shared) this[name] = this.model.get(name);
  }

  /** Hears what the kernel sets. Returns the function that ends it, and what waits to be drawn or told. */
  listen() {
    const hear = () => {
      if (this.sharing) return; // what is heard is what was just said
      this.take();
      this.heard();
      this.redraw();
    };
    const events = this.shared.map((name) => `change:${name}`);
    for (const event of events) this.model.on(event, hear);
    return () => {
      for (const event of events) this.model.off(event, hear);
      cancelAnimationFrame(this.drawing);
      clearTimeout(this.sharingLater);
    };
  }

  /** What follows from a value that the kernel has set; for a subclass. */
  heard() {}

  /** Draws before the next frame. */
  redraw() {
    if (!this.drawing) this.drawing = requestAnimationFrame(() => this.draw());
  }

  /** Draws, and tells the kernel. */
  show() {
    this.redraw();
    if (!this.sharingLater) this.sharingLater = setTimeout(() => this.share(), SHARE_MS);
  }

  share() {
    this.sharingLater = 0;
    this.sharing = true;
    for (const name of this.shared) this.model.set(name, this[name]);
    this.sharing = false;
    this.model.save_changes();
  }
}

/** A density q that descends, a step at a time: `step` and `atRest` are a subclass's, and a button `playButton`. */
export class Descent extends View {
  /** @param {number} pace milliseconds between two steps while it plays */
  constructor(model, shared, pace) {
    super(model, shared);
    this.pace = pace;
    this.reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
    this.begin();
  }

  /** A new start: from the q that stands there now. */
  begin() {
    this.origin = this.q;
  }

  heard() {
    this.begin();
  }

  /** The reader changes something. */
  change(changed) {
    this.pause();
    Object.assign(this, changed);
    this.begin();
    this.show();
  }

  /** Steps until it is at rest, anew if it was; in one go for those who prefer reduced motion. */
  play() {
    if (this.atRest()) {
      this.q = this.origin;
      this.begin();
    }
    if (this.reducedMotion.matches) {
      while (!this.atRest()) this.step();
      return;
    }
    this.playing = setInterval(() => {
      if (this.atRest()) this.pause();
      else if (!document.hidden) this.step();
    }, this.pace);
    this.playButton.textContent = "Pause";
  }

  pause() {
    clearInterval(this.playing);
    this.playing = 0;
    this.playButton.textContent = "Play";
  }
}
