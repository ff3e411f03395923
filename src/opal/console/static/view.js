/** Where a picture lies in its window: arithmetic of zooming and panning, without any element. */

/** Window pixels per picture pixel that a screen's own pixel makes: 100 % is one for one on any screen. */
export function wholeScale() {
  return 1 / (window.devicePixelRatio || 1);
}

const LARGEST = 32;

/** `x` and `y` are the window's pixels from its upper left corner to the picture's. */
export class View {
  width = 1;
  height = 1;
  windowWidth = 1;
  windowHeight = 1;
  scale = 1;
  x = 0;
  y = 0;
  /** Whether it follows the window's size. */
  fitted = true;

  /** The scale at which all of the picture shows; small ones are not enlarged beyond their own size. */
  get fitScale() {
    return Math.min(this.windowWidth / this.width, this.windowHeight / this.height, 1);
  }

  /** Whether some of the picture lies outside the window. */
  get beyond() {
    return this.width * this.scale > this.windowWidth + 1 || this.height * this.scale > this.windowHeight + 1;
  }

  /** Screen pixels per picture pixel. */
  get zoom() {
    return this.scale / wholeScale();
  }

  fit() {
    this.fitted = true;
    this.scale = this.fitScale;
    this.#settle();
  }

  /**
   * The window has this size now.
   * @param {number} width
   * @param {number} height
   */
  resize(width, height) {
    const middle = this.at(this.windowWidth / 2, this.windowHeight / 2);
    this.windowWidth = Math.max(1, width);
    this.windowHeight = Math.max(1, height);
    if (this.fitted) this.fit();
    else this.#bring(middle, this.windowWidth / 2, this.windowHeight / 2);
  }

  /**
   * Zoom so that what lies at this place of the window stays there.
   * @param {number} scale
   * @param {number} [x]
   * @param {number} [y]
   */
  zoomTo(scale, x = this.windowWidth / 2, y = this.windowHeight / 2) {
    const kept = this.at(x, y);
    const least = Math.min(this.fitScale, wholeScale());
    this.scale = Math.min(Math.max(scale, least), LARGEST * wholeScale());
    this.fitted = Math.abs(this.scale - this.fitScale) < 1e-6;
    this.#bring(kept, x, y);
  }

  /**
   * The next of the steps that people know: 25, 50, 100, 200 % and so on.
   * @param {1 | -1} direction
   */
  step(direction) {
    const power = Math.log2(this.zoom);
    const next = direction > 0 ? Math.floor(power + 1e-3) + 1 : Math.ceil(power - 1e-3) - 1;
    this.zoomTo(2 ** next * wholeScale());
  }

  /**
   * @param {number} across
   * @param {number} down
   */
  pan(across, down) {
    this.x += across;
    this.y += down;
    this.#settle();
  }

  /**
   * Which of the picture's pixels lies at a place of the window.
   * @param {number} x
   * @param {number} y
   */
  at(x, y) {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  /**
   * Move just so far that a pixel of the picture is inside the window.
   * @param {number} x
   * @param {number} y
   */
  reveal(x, y) {
    const edge = Math.min(48, this.windowWidth / 4, this.windowHeight / 4);
    const left = this.x + x * this.scale;
    const top = this.y + y * this.scale;
    this.pan(
      Math.max(0, edge - left) - Math.max(0, left - this.windowWidth + edge),
      Math.max(0, edge - top) - Math.max(0, top - this.windowHeight + edge),
    );
  }

  /**
   * @param {{x: number, y: number}} pixel
   * @param {number} x
   * @param {number} y
   */
  #bring(pixel, x, y) {
    this.x = x - pixel.x * this.scale;
    this.y = y - pixel.y * this.scale;
    this.#settle();
  }

  /** What fits is in the middle; what does not covers the window. Whole screen pixels keep it sharp. */
  #settle() {
    this.x = settled(this.x, this.width * this.scale, this.windowWidth);
    this.y = settled(this.y, this.height * this.scale, this.windowHeight);
  }
}

/**
 * @param {number} start
 * @param {number} length
 * @param {number} room
 */
function settled(start, length, room) {
  const place = length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, start));
  return Math.round(place / wholeScale()) * wholeScale();
}
