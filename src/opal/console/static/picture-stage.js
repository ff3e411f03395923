/** `<picture-stage>`: a photo and what was made of it on top of each other, with a divider, zoomed at will. */

import { Pinch, inside, tellZoom, zoomByKey, zoomByWheel } from "./gestures.js";
import { View, wholeScale } from "./view.js";
import { say } from "./words.js";

/**
 * @typedef {object} Shown what lies on the stage; lengths are its own pixels
 * @property {string} name
 * @property {number} width
 * @property {number} height
 * @property {(side: number) => string} address of the picture with at least so many pixels along its longer side
 * @property {{scale: number, x: number, y: number, degrees: number} | null} lying where the photo lies in it
 */

/**
 * @typedef {object} Photo
 * @property {number} width
 * @property {number} height
 * @property {(side: number) => string} address
 */

const PAN = 64;
/** The sides of the smaller copies that the server is asked for; larger ones are the picture itself. */
const SMALLER = 1600;

export class PictureStage extends HTMLElement {
  view = new View();
  /** The share of the window, from its left, that shows the photo. */
  cut = 0.5;
  #pinch = new Pinch();
  /** @type {Shown | null} */
  #shown = null;
  /** @type {Photo} */
  #photo = { width: 1, height: 1, address: () => "" };
  /** @type {"divider" | "pan" | ""} */
  #dragging = "";

  connectedCallback() {
    new ResizeObserver(() => {
      this.view.resize(this.clientWidth, this.clientHeight);
      this.#paint();
    }).observe(this);
    zoomByWheel(this, this.view, () => this.#paint());
    this.addEventListener("pointerdown", (event) => this.#down(event));
    this.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
      this.addEventListener(name, (event) => this.#up(event));
    }
    this.addEventListener("dblclick", (event) => {
      const { x, y } = inside(this, event);
      if (this.view.fitted) this.view.zoomTo(Math.max(wholeScale(), this.view.fitScale * 2), x, y);
      else this.view.fit();
      this.#paint();
    });
    this.divider.addEventListener("keydown", (event) => this.#slide(event));
    this.addEventListener("dragstart", (event) => event.preventDefault());
  }

  /** @returns {HTMLElement} */
  get divider() {
    return /** @type {HTMLElement} */ (this.querySelector(".divider"));
  }

  /** @param {"before" | "after"} name */
  #image(name) {
    return /** @type {HTMLImageElement} */ (this.querySelector(`.pane.${name} img`));
  }

  /**
   * Show this picture beside the photo. What is seen of the product stays where it is.
   * @param {Shown} shown
   * @param {Photo} photo
   */
  show(shown, photo) {
    const same = this.#shown?.width === shown.width && this.#shown.height === shown.height;
    this.#shown = shown;
    this.#photo = photo;
    this.view.width = shown.width;
    this.view.height = shown.height;
    if (!same || this.view.fitted) this.view.fit();
    const name = this.querySelector("#after-name");
    if (name) name.textContent = shown.name;
    this.#image("after").alt = shown.name;
    for (const image of [this.#image("before"), this.#image("after")]) delete image.dataset.side;
    this.#paint();
  }

  /**
   * How much of the window shows the photo, 0 to 1.
   * @param {number} share
   */
  divide(share) {
    this.cut = Math.min(1, Math.max(0, share));
    this.#paint();
  }

  /** The photo alone, or what was made of it alone. */
  toggle() {
    this.divide(this.cut > 0.5 ? 0 : this.cut === 0 ? 1 : 0);
  }

  /**
   * What a key does that this element knows; false for any other.
   * @param {string} key
   */
  press(key) {
    if (!zoomByKey(key, this.view)) {
      const way = { ArrowLeft: [PAN, 0], ArrowRight: [-PAN, 0], ArrowUp: [0, PAN], ArrowDown: [0, -PAN] }[key];
      if (!way || !this.view.beyond || document.activeElement !== this) return false;
      this.view.pan(way[0] ?? 0, way[1] ?? 0);
    }
    this.#paint();
    return true;
  }

  /** The view was changed from outside. */
  changed() {
    this.#paint();
  }

  /** @param {KeyboardEvent} event */
  #slide(event) {
    const small = event.shiftKey ? 0.1 : 0.02;
    const steps = { ArrowLeft: -small, ArrowDown: -small, ArrowRight: small, ArrowUp: small, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.divide(Math.round((this.cut + step) * 100) / 100);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    this.#pinch.down(this, event);
    this.setPointerCapture(event.pointerId);
    const onDivider = event.target instanceof Node && this.divider.contains(event.target);
    this.#dragging = this.#pinch.count > 1 ? "" : onDivider || !this.view.beyond ? "divider" : "pan";
    this.toggleAttribute("data-dragging", this.#dragging === "pan");
    (onDivider ? this.divider : this).focus({ preventScroll: true });
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.#pinch.count) return;
    const { across, down } = this.#pinch.move(this, event, this.view);
    if (this.#dragging === "divider") this.cut = Math.min(1, Math.max(0, inside(this, event).x / this.clientWidth));
    else if (this.#dragging === "pan") this.view.pan(across, down);
    this.#paint();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    this.#pinch.up(event);
    if (this.#pinch.count) return;
    this.#dragging = "";
    this.removeAttribute("data-dragging");
  }

  #paint() {
    const shown = this.#shown;
    if (!shown) return;
    const { view } = this;
    const zoom = view.zoom;
    this.toggleAttribute("data-beyond", view.beyond);
    this.toggleAttribute("data-pixels", zoom > 2);
    this.style.setProperty("--cut", `${this.cut * 100}%`);
    const frame = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    for (const name of /** @type {const} */ (["before", "after"])) {
      const world = /** @type {HTMLElement} */ (this.querySelector(`.pane.${name} .world`));
      world.style.width = `${shown.width}px`;
      world.style.height = `${shown.height}px`;
      world.style.transform = frame;
      world.style.setProperty("--square", `${Math.max(10 / view.scale, 0.01)}px`);
    }
    this.#lay(this.#image("after"), shown.width, shown.height, "", shown.address, view.scale);
    const { width, height } = this.#photo;
    const lying = shown.lying ?? contained(width, height, shown);
    this.#lay(this.#image("before"), width, height, placed(width, height, lying), this.#photo.address, view.scale * lying.scale);
    const value = Math.round(this.cut * 100);
    this.divider.ariaValueNow = String(value);
    this.divider.ariaValueText = say("judge.share", { percent: value });
    tellZoom(view);
  }

  /**
   * @param {HTMLImageElement} image
   * @param {number} width in its own pixels
   * @param {number} height
   * @param {string} transform
   * @param {(side: number) => string} address
   * @param {number} scale window pixels per pixel of its own
   */
  #lay(image, width, height, transform, address, scale) {
    image.style.width = `${width}px`;
    image.style.height = `${height}px`;
    image.style.transform = transform;
    const longest = Math.max(width, height);
    const needed = longest * Math.min(1, scale / wholeScale());
    const side = needed > SMALLER && longest > SMALLER ? longest : SMALLER;
    if (Number(image.dataset.side ?? 0) >= side) return;
    image.dataset.side = String(side);
    void exchange(image, address(side));
  }
}

/**
 * Show another file in place of what is there, once it can be shown without a gap.
 * @param {HTMLImageElement} image
 * @param {string} address
 */
async function exchange(image, address) {
  if (image.getAttribute("src") === address) return;
  image.dataset.wanted = address;
  const next = new Image();
  next.src = address;
  try {
    await next.decode();
  } catch {
    // Told by the image itself, which stays without a picture.
  }
  if (image.dataset.wanted === address) image.src = address;
}

/**
 * The photo in the middle of a picture of which nobody knows where the photo lies.
 * @param {number} width
 * @param {number} height
 * @param {{width: number, height: number}} frame
 */
function contained(width, height, frame) {
  const scale = Math.min(frame.width / width, frame.height / height);
  return { scale, x: (frame.width - width * scale) / 2, y: (frame.height - height * scale) / 2, degrees: 0 };
}

/**
 * A photo that was turned lies in the frame that holds all of it; the frame's corner is what was placed.
 * @param {number} width
 * @param {number} height
 * @param {{scale: number, x: number, y: number, degrees: number}} lying
 */
function placed(width, height, lying) {
  const angle = (Math.abs(lying.degrees) * Math.PI) / 180;
  const across = width * Math.cos(angle) + height * Math.sin(angle);
  const down = width * Math.sin(angle) + height * Math.cos(angle);
  const middle = `translate(${lying.x + (across / 2) * lying.scale}px, ${lying.y + (down / 2) * lying.scale}px)`;
  return `${middle} scale(${lying.scale}) rotate(${lying.degrees}deg) translate(${-width / 2}px, ${-height / 2}px)`;
}

customElements.define("picture-stage", PictureStage);
