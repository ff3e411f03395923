/** A matte at the photo's own size, strokes of a brush on it, and the way back. */

/** Sides of the squares that are kept for undoing. */
const TILE = 256;
/** Bytes of kept squares; the oldest strokes are forgotten beyond. */
const MOST_KEPT = 192 << 20;

/**
 * @typedef {object} Rect pixels; right and bottom are exclusive
 * @property {number} left
 * @property {number} top
 * @property {number} right
 * @property {number} bottom
 */

/**
 * @typedef {object} Brush
 * @property {number} radius in the matte's pixels
 * @property {number} hardness 0 to 1: the share of the radius that is painted wholly
 * @property {number} value 255 keeps, 0 erases
 */

/**
 * @typedef {object} Point
 * @property {number} x
 * @property {number} y
 * @property {number} pressure 0 to 1 of the brush's radius
 */

export class MatteBuffer {
  /** @type {Map<number, Uint8Array>[]} */
  #done = [];
  /** @type {Map<number, Uint8Array>[]} */
  #undone = [];
  #kept = 0;
  /** Of the stroke under way: the squares as they were, and how much of each pixel is painted. */
  /** @type {Map<number, {before: Uint8Array, cover: Uint8Array}> | null} */
  #stroke = null;

  /** @param {import("./grey-png.js").Grey} grey */
  constructor({ width, height, data }) {
    this.width = width;
    this.height = height;
    this.data = data;
    this.across = Math.ceil(width / TILE);
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  begin() {
    this.#stroke = new Map();
  }

  /** The stroke is done, and can be undone as one. */
  end() {
    const stroke = this.#stroke;
    this.#stroke = null;
    if (!stroke?.size) return;
    this.#keep(this.#done, new Map([...stroke].map(([index, { before }]) => [index, before])));
    for (const forgotten of this.#undone.splice(0)) this.#kept -= forgotten.size * TILE * TILE;
    while (this.#kept > MOST_KEPT && this.#done.length > 1) this.#kept -= (this.#done.shift()?.size ?? 0) * TILE * TILE;
  }

  /** The stroke under way never was. */
  abandon() {
    const stroke = this.#stroke;
    this.#stroke = null;
    return stroke ? this.#exchange(new Map([...stroke].map(([index, { before }]) => [index, before]))).rect : null;
  }

  /** @returns {Rect | null} what changed */
  undo() {
    return this.#turn(this.#done, this.#undone);
  }

  /** @returns {Rect | null} what changed */
  redo() {
    return this.#turn(this.#undone, this.#done);
  }

  /**
   * Draw from one point to the next. What a stroke passes twice is painted once.
   * @param {Point} from
   * @param {Point} to
   * @param {Brush} brush
   * @returns {Rect | null} what changed
   */
  draw(from, to, brush) {
    const radius = Math.max(0.5, (brush.radius * (from.pressure + to.pressure)) / 2);
    const rect = this.#clipped({
      left: Math.floor(Math.min(from.x, to.x) - radius),
      top: Math.floor(Math.min(from.y, to.y) - radius),
      right: Math.ceil(Math.max(from.x, to.x) + radius),
      bottom: Math.ceil(Math.max(from.y, to.y) + radius),
    });
    if (!rect || !this.#stroke) return null;
    for (let row = Math.floor(rect.top / TILE); row * TILE < rect.bottom; row += 1) {
      for (let column = Math.floor(rect.left / TILE); column * TILE < rect.right; column += 1) {
        this.#paint(column, row, rect, from, to, radius, brush);
      }
    }
    return rect;
  }

  /**
   * @param {number} column of squares
   * @param {number} row
   * @param {Rect} rect
   * @param {Point} from
   * @param {Point} to
   * @param {number} radius
   * @param {Brush} brush
   */
  #paint(column, row, rect, from, to, radius, { hardness, value }) {
    const { before, cover } = this.#square(row * this.across + column);
    const left = Math.max(rect.left, column * TILE);
    const right = Math.min(rect.right, (column + 1) * TILE);
    const top = Math.max(rect.top, row * TILE);
    const bottom = Math.min(rect.bottom, (row + 1) * TILE);
    const alongX = to.x - from.x;
    const alongY = to.y - from.y;
    const length = alongX * alongX + alongY * alongY || 1;
    // A pixel's width of softness is what keeps a hard brush's edge from being a staircase.
    const inner = Math.max(0, Math.min(radius * hardness, radius - 1));
    const most = radius * radius;
    const least = inner * inner;
    const { data, width } = this;
    for (let y = top; y < bottom; y += 1) {
      const downwards = y + 0.5 - from.y;
      const start = (y - row * TILE) * TILE - column * TILE;
      for (let x = left; x < right; x += 1) {
        const covered = /** @type {number} */ (cover[start + x]);
        if (covered === 255) continue;
        const sideways = x + 0.5 - from.x;
        const along = (sideways * alongX + downwards * alongY) / length;
        const share = along < 0 ? 0 : along > 1 ? 1 : along;
        const dx = sideways - share * alongX;
        const dy = downwards - share * alongY;
        const distance = dx * dx + dy * dy;
        if (distance >= most) continue;
        let cast = 255;
        if (distance > least) {
          const soft = (radius - Math.sqrt(distance)) / (radius - inner);
          cast = Math.round(255 * soft * soft * (3 - 2 * soft));
        }
        if (cast <= covered) continue;
        cover[start + x] = cast;
        const was = /** @type {number} */ (before[start + x]);
        data[y * width + x] = was + Math.round(((value - was) * cast) / 255);
      }
    }
  }

  /** @param {number} index */
  #square(index) {
    const stroke = /** @type {Map<number, {before: Uint8Array, cover: Uint8Array}>} */ (this.#stroke);
    let square = stroke.get(index);
    if (!square) stroke.set(index, (square = { before: this.#copy(index), cover: new Uint8Array(TILE * TILE) }));
    return square;
  }

  /** @param {number} index */
  #place(index) {
    const left = (index % this.across) * TILE;
    const top = Math.floor(index / this.across) * TILE;
    return { left, top, right: Math.min(this.width, left + TILE), bottom: Math.min(this.height, top + TILE) };
  }

  /** @param {number} index */
  #copy(index) {
    const { left, top, right, bottom } = this.#place(index);
    const square = new Uint8Array(TILE * TILE);
    for (let y = top; y < bottom; y += 1) square.set(this.data.subarray(y * this.width + left, y * this.width + right), (y - top) * TILE);
    return square;
  }

  /**
   * @param {Map<number, Uint8Array>[]} from
   * @param {Map<number, Uint8Array>[]} to
   */
  #turn(from, to) {
    const kept = from.pop();
    if (!kept) return null;
    this.#kept -= kept.size * TILE * TILE;
    const { were, rect } = this.#exchange(kept);
    this.#keep(to, were);
    return rect;
  }

  /**
   * @param {Map<number, Uint8Array>[]} list
   * @param {Map<number, Uint8Array>} squares
   */
  #keep(list, squares) {
    list.push(squares);
    this.#kept += squares.size * TILE * TILE;
  }

  /**
   * Put squares back; what was there instead, and where.
   * @param {Map<number, Uint8Array>} squares
   */
  #exchange(squares) {
    /** @type {Map<number, Uint8Array>} */
    const were = new Map();
    const rect = { left: this.width, top: this.height, right: 0, bottom: 0 };
    for (const [index, square] of squares) {
      were.set(index, this.#copy(index));
      const { left, top, right, bottom } = this.#place(index);
      for (let y = top; y < bottom; y += 1) this.data.set(square.subarray((y - top) * TILE, (y - top) * TILE + right - left), y * this.width + left);
      rect.left = Math.min(rect.left, left);
      rect.top = Math.min(rect.top, top);
      rect.right = Math.max(rect.right, right);
      rect.bottom = Math.max(rect.bottom, bottom);
    }
    return { were, rect };
  }

  /** @param {Rect} rect */
  #clipped(rect) {
    const left = Math.max(0, rect.left);
    const top = Math.max(0, rect.top);
    const right = Math.min(this.width, rect.right);
    const bottom = Math.min(this.height, rect.bottom);
    return left < right && top < bottom ? { left, top, right, bottom } : null;
  }
}
