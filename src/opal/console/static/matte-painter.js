/** Draws a photo and its matte as the window shows them: the matte as a tint, or the product on a ground. */

/**
 * @typedef {import("./matte-buffer.js").MatteBuffer} MatteBuffer
 * @typedef {import("./matte-buffer.js").Rect} Rect
 * @typedef {import("./view.js").View} View
 */

/** Colour of what is erased, with its opacity. */
const TINT = [214, 40, 70, 150];
/** The matte is looked at in at most so many places along a screen pixel's side. */
const MOST_LOOKS = 3;
const SQUARE = 10;

export class MattePainter {
  /** @type {"tint" | "result"} */
  mode = "tint";
  /** `checker`, or a colour. */
  ground = "checker";
  /** The photo, smaller and at its own size, as far as they are there. */
  /** @type {ImageBitmap | null} */
  small = null;
  /** @type {ImageBitmap | null} */
  whole = null;
  #scratch = document.createElement("canvas");
  /** On the processor: all of it is written anew for each look. */
  #mixing = /** @type {CanvasRenderingContext2D} */ (this.#scratch.getContext("2d", { willReadFrequently: true }));
  /** @type {CanvasPattern | null} */
  #checker = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {MatteBuffer} matte
   * @param {View} view
   */
  constructor(canvas, matte, view) {
    this.canvas = canvas;
    this.matte = matte;
    this.view = view;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  }

  /** Whether the photo's own pixels would show more than the smaller copy does. */
  get wantsWhole() {
    return this.small !== null && this.whole === null && this.view.zoom > this.small.width / this.matte.width && this.small.width < this.matte.width;
  }

  /**
   * Draw everything, or what these pixels of the matte cover.
   * @param {Rect} [changed]
   */
  paint(changed) {
    const ratio = window.devicePixelRatio || 1;
    const { canvas, context, view } = this;
    const [width, height] = [Math.round(view.windowWidth * ratio), Math.round(view.windowHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const scale = view.scale * ratio;
    const origin = { x: view.x * ratio, y: view.y * ratio };
    const all = { left: 0, top: 0, right: this.matte.width, bottom: this.matte.height };
    const { left, top, right, bottom } = changed ?? all;
    const part = {
      left: Math.max(0, Math.floor(origin.x + left * scale) - 1),
      top: Math.max(0, Math.floor(origin.y + top * scale) - 1),
      right: Math.min(width, Math.ceil(origin.x + right * scale) + 1),
      bottom: Math.min(height, Math.ceil(origin.y + bottom * scale) + 1),
    };
    if (!changed) context.clearRect(0, 0, width, height);
    if (part.left >= part.right || part.top >= part.bottom) return;
    context.save();
    context.beginPath();
    context.rect(part.left, part.top, part.right - part.left, part.bottom - part.top);
    context.clip();
    context.clearRect(part.left, part.top, part.right - part.left, part.bottom - part.top);
    if (this.mode === "tint") this.#tinted(part, scale, origin);
    else this.#onGround(part, scale, origin);
    context.restore();
  }

  /**
   * @param {Rect} part of the canvas
   * @param {number} scale canvas pixels per pixel of the matte
   * @param {{x: number, y: number}} origin
   */
  #tinted(part, scale, origin) {
    this.#photo(this.context, scale, origin);
    this.#mask(part, scale, origin, true);
    this.context.drawImage(this.#scratch, part.left, part.top);
  }

  /**
   * @param {Rect} part
   * @param {number} scale
   * @param {{x: number, y: number}} origin
   */
  #onGround(part, scale, origin) {
    const { context } = this;
    context.fillStyle = this.ground === "checker" ? this.#squares() : this.ground;
    context.fillRect(origin.x, origin.y, this.matte.width * scale, this.matte.height * scale);
    this.#mask(part, scale, origin, false);
    const scratch = this.#mixing;
    scratch.globalCompositeOperation = "source-in";
    this.#photo(scratch, scale, { x: origin.x - part.left, y: origin.y - part.top });
    context.drawImage(this.#scratch, part.left, part.top);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} scale
   * @param {{x: number, y: number}} origin
   */
  #photo(context, scale, origin) {
    const small = this.small && scale <= this.small.width / this.matte.width + 1e-6;
    const picture = (small ? this.small : this.whole) ?? this.small;
    if (!picture) return;
    context.imageSmoothingEnabled = this.view.zoom <= 2;
    context.imageSmoothingQuality = "medium";
    context.drawImage(picture, origin.x, origin.y, this.matte.width * scale, this.matte.height * scale);
  }

  /**
   * The matte as the scratch canvas' alpha: of the ground in the tint's colour, or of the product.
   * @param {Rect} part
   * @param {number} scale
   * @param {{x: number, y: number}} origin
   * @param {boolean} inverted
   */
  #mask(part, scale, origin, inverted) {
    const [width, height] = [part.right - part.left, part.bottom - part.top];
    this.#scratch.width = width;
    this.#scratch.height = height;
    const context = this.#mixing;
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const [red = 0, green = 0, blue = 0, opacity = 255] = inverted ? TINT : [0, 0, 0, 255];
    const colour = (blue << 16) | (green << 8) | red;
    const looks = Math.min(MOST_LOOKS, Math.max(1, Math.round(1 / scale)));
    const columns = places(part.left, width, looks, origin.x, scale, this.matte.width);
    const rows = places(part.top, height, looks, origin.y, scale, this.matte.height);
    const { data, width: stride } = this.matte;
    const share = opacity / (255 * looks * looks);
    for (let y = 0; y < height; y += 1) {
      if (/** @type {number} */ (rows[y * looks]) < 0) continue;
      for (let x = 0; x < width; x += 1) {
        if (/** @type {number} */ (columns[x * looks]) < 0) continue;
        let sum = 0;
        for (let down = 0; down < looks; down += 1) {
          const start = /** @type {number} */ (rows[y * looks + down]) * stride;
          for (let across = 0; across < looks; across += 1) sum += /** @type {number} */ (data[start + /** @type {number} */ (columns[x * looks + across])]);
        }
        const alpha = (inverted ? 255 * looks * looks - sum : sum) * share;
        pixels[y * width + x] = ((alpha + 0.5) << 24) | colour;
      }
    }
    context.putImageData(image, 0, 0);
  }

  #squares() {
    if (this.#checker) return this.#checker;
    const tile = document.createElement("canvas");
    tile.width = tile.height = 2 * SQUARE;
    const context = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
    context.fillStyle = "#fff";
    context.fillRect(0, 0, 2 * SQUARE, 2 * SQUARE);
    context.fillStyle = "#d9d6d0";
    context.fillRect(0, 0, SQUARE, SQUARE);
    context.fillRect(SQUARE, SQUARE, SQUARE, SQUARE);
    return (this.#checker = /** @type {CanvasPattern} */ (this.context.createPattern(tile, "repeat")));
  }
}

/**
 * Which columns (or rows) of the matte each canvas pixel looks at; -1 beyond its edge.
 * @param {number} first canvas pixel
 * @param {number} count
 * @param {number} looks at each
 * @param {number} origin
 * @param {number} scale
 * @param {number} length of the matte
 */
function places(first, count, looks, origin, scale, length) {
  const found = new Int32Array(count * looks);
  for (let index = 0; index < count; index += 1) {
    const middle = (first + index + 0.5 - origin) / scale;
    for (let look = 0; look < looks; look += 1) {
      const place = Math.floor((first + index + (look + 0.5) / looks - origin) / scale);
      found[index * looks + look] = middle < 0 || middle >= length ? -1 : Math.min(length - 1, Math.max(0, place));
    }
  }
  return found;
}
