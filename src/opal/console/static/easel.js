/** The window in which a matte is painted: pointer, pen, fingers and keys become strokes. */

import { Pinch, inside, tellZoom, zoomByKey, zoomByWheel } from "./gestures.js";
import { MatteBuffer } from "./matte-buffer.js";
import { MattePainter } from "./matte-painter.js";
import { View } from "./view.js";

/**
 * @typedef {import("./matte-buffer.js").Point} Point
 * @typedef {import("./matte-buffer.js").Rect} Rect
 */

/** The largest brush's radius is this share of the photo's longer side. */
const LARGEST = 1 / 6;
/** A pen that is barely pressed paints with this share of the radius. */
const LIGHTEST = 0.25;

export class Easel {
  view = new View();
  brush = { radius: 1, hardness: 0.8, value: 255 };
  changed = () => {};
  #pinch = new Pinch();
  /** @type {Point | null} where the stroke under way has come to */
  #last = null;
  /** @type {Point | null} where the last one ended */
  #ended = null;
  /** @type {Point[]} points to come with the next frame */
  #coming = [];
  /** @type {"pointer" | "key" | "pan" | ""} */
  #doing = "";
  #cursor = { x: 0, y: 0 };
  #waiting = false;

  /**
   * @param {HTMLElement} element with a canvas and a ring in it
   * @param {import("./grey-png.js").Grey} grey
   * @param {ImageBitmap} photo small
   * @param {() => Promise<ImageBitmap>} whole fetches the photo at its own size
   */
  constructor(element, grey, photo, whole) {
    this.element = element;
    this.matte = new MatteBuffer(grey);
    this.ring = /** @type {HTMLElement} */ (element.querySelector(".brush-ring"));
    this.painter = new MattePainter(/** @type {HTMLCanvasElement} */ (element.querySelector("canvas")), this.matte, this.view);
    this.painter.small = photo;
    this.whole = whole;
    this.view.width = grey.width;
    this.view.height = grey.height;
    this.#cursor = { x: grey.width / 2, y: grey.height / 2 };
    this.brush.radius = Math.sqrt(this.mostRadius);
    new ResizeObserver(() => {
      this.view.resize(element.clientWidth, element.clientHeight);
      this.paint();
    }).observe(element);
    zoomByWheel(element, this.view, () => this.paint());
    this.#listen();
  }

  /** Pixels of the photo. */
  get mostRadius() {
    return Math.max(8, Math.max(this.matte.width, this.matte.height) * LARGEST);
  }

  get mode() {
    return this.painter.mode;
  }

  /** @param {boolean} whether */
  keep(whether) {
    this.brush.value = whether ? 255 : 0;
    this.element.dataset.brush = whether ? "keep" : "erase";
    this.#tell();
  }

  /** @param {number} radius */
  setRadius(radius) {
    this.brush.radius = Math.min(this.mostRadius, Math.max(1, radius));
    this.#tell();
  }

  /** @param {number} hardness */
  setHardness(hardness) {
    this.brush.hardness = Math.min(1, Math.max(0, hardness));
    this.#tell();
  }

  /** @param {"tint" | "result"} mode */
  show(mode) {
    this.painter.mode = mode;
    this.paint();
    this.#tell();
  }

  /** @param {string} ground `checker`, or a colour */
  onGround(ground) {
    this.painter.ground = ground;
    this.show("result");
  }

  undo() {
    this.#restored(this.matte.undo());
  }

  redo() {
    this.#restored(this.matte.redo());
  }

  /** @param {Rect} [changed] */
  paint(changed) {
    this.painter.paint(changed);
    tellZoom(this.view);
    this.#showRing();
    if (!this.painter.wantsWhole) return;
    const fetch = this.whole;
    // Once: a browser without the memory for it keeps the smaller copy.
    this.whole = () => new Promise(() => {});
    void fetch().then(
      (photo) => {
        this.painter.whole = photo;
        this.paint();
      },
      () => {},
    );
  }

  /**
   * What a key does on the easel; false for any other.
   * @param {KeyboardEvent} event
   */
  press(event) {
    if (zoomByKey(event.key.toLowerCase(), this.view)) {
      this.paint();
      return true;
    }
    if (document.activeElement !== this.element) return false;
    if (event.key === " ") {
      if (!event.repeat) this.#keyDown(event.shiftKey);
      return true;
    }
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!x && !y) return false;
    const step = event.shiftKey ? 1 : Math.max(1, this.brush.radius / 2);
    this.#cursor.x = Math.min(this.matte.width, Math.max(0, this.#cursor.x + x * step));
    this.#cursor.y = Math.min(this.matte.height, Math.max(0, this.#cursor.y + y * step));
    this.view.reveal(this.#cursor.x, this.#cursor.y);
    if (this.#doing === "key") this.#to({ ...this.#cursor, pressure: 1 });
    this.paint();
    this.ring.hidden = false;
    return true;
  }

  #listen() {
    const { element } = this;
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#up(event));
    element.addEventListener("pointercancel", (event) => this.#up(event));
    element.addEventListener("pointerleave", () => (this.ring.hidden = document.activeElement !== element));
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener("keyup", (event) => {
      if (event.key === " " && this.#doing === "key") this.#end();
    });
    element.addEventListener("blur", () => {
      if (this.#doing === "key") this.#end();
    });
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button > 1) return;
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    this.#pinch.down(this.element, event);
    if (this.#pinch.count > 1) {
      // The second finger says that the first one did not mean to paint.
      this.#coming = [];
      const rect = this.#doing === "pointer" ? this.matte.abandon() : null;
      this.#last = null;
      this.#doing = "pan";
      if (rect) this.paint(rect);
      return;
    }
    if (event.button === 1 || event.altKey) {
      this.#doing = "pan";
      return;
    }
    this.#doing = "pointer";
    this.matte.begin();
    this.#coming.push(this.#point(event));
    this.#soon();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const { x, y } = inside(this.element, event);
    this.#cursor = this.view.at(x, y);
    if (this.#pinch.count) {
      const { across, down } = this.#pinch.move(this.element, event, this.view);
      if (this.#doing === "pan" && this.#pinch.count === 1) this.view.pan(across, down);
      if (this.#doing === "pan") this.paint();
    }
    if (this.#doing === "pointer") {
      const all = event.getCoalescedEvents?.() ?? [];
      for (const each of all.length ? all : [event]) this.#coming.push(this.#point(each));
      this.#soon();
    }
    this.ring.hidden = event.pointerType === "touch";
    this.#showRing();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    this.#pinch.up(event);
    if (this.#pinch.count) return;
    if (this.#doing === "pointer") {
      this.#advance();
      this.#end();
    }
    this.#doing = "";
  }

  /** @param {boolean} line whether from where the last stroke ended */
  #keyDown(line) {
    const to = { ...this.#cursor, pressure: 1 };
    const from = line ? this.#ended : null;
    this.#doing = "key";
    this.matte.begin();
    if (from) this.#to(from);
    this.#to(to);
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const { x, y } = inside(this.element, event);
    const pressed = event.pointerType === "pen" && event.pressure > 0;
    return { ...this.view.at(x, y), pressure: pressed ? LIGHTEST + (1 - LIGHTEST) * event.pressure : 1 };
  }

  #soon() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#advance();
    });
  }

  #advance() {
    for (const point of this.#coming.splice(0)) this.#to(point);
  }

  /** @param {Point} point */
  #to(point) {
    const rect = this.matte.draw(this.#last ?? point, point, this.brush);
    this.#last = point;
    if (rect) this.painter.paint(rect);
  }

  #end() {
    this.matte.end();
    this.#ended = this.#last;
    this.#last = null;
    this.#doing = "";
    this.#tell();
  }

  /** @param {Rect | null} rect */
  #restored(rect) {
    if (!rect) return;
    this.paint(rect);
    this.#tell();
  }

  #tell() {
    this.#showRing();
    this.changed();
  }

  #showRing() {
    const radius = this.brush.radius * this.view.scale;
    const { style } = this.ring;
    style.width = style.height = `${2 * radius}px`;
    style.transform = `translate(${this.view.x + this.#cursor.x * this.view.scale - radius}px, ${this.view.y + this.#cursor.y * this.view.scale - radius}px)`;
  }
}
