/** A grid of thousands of cards of which only those near the window exist. */

/** Below this many, all cards exist: finding in the page works, and nothing is recycled. */
const ALL = 96;
/** Rows kept above and below what is seen, so that scrolling and tabbing find them. */
const BEYOND = 2;
/** So many cards are made in one frame, and so many brought up to date: a click waits for no more than these. */
const MADE_A_FRAME = 12;
const CHANGED_A_FRAME = 18;

/**
 * @template T
 * @typedef {object} CardMaker
 * @property {(item: T) => string} key
 * @property {(item: T) => HTMLElement} create
 * @property {(card: HTMLElement, item: T) => void} update
 */

/**
 * The cards stay in the CSS grid's own flow; the rows that do not exist are its padding. All cards are of one
 * height.
 * @template T
 */
export class WindowGrid {
  /** @type {T[]} */
  #items = [];
  /** @type {Map<string, HTMLElement>} */
  #cards = new Map();
  /** Items whose cards are behind. @type {Set<T>} */
  #stale = new Set();
  #waiting = false;
  /** First and last item and the padding that the cards stand for; empty when others are to be shown. */
  #drawn = "";

  /**
   * @param {HTMLElement} list a grid; the cards it has already are taken over by their `data-item`
   * @param {CardMaker<T>} maker
   */
  constructor(list, maker) {
    this.list = list;
    this.maker = maker;
    for (const card of list.children) {
      if (card instanceof HTMLElement && card.dataset.item) this.#cards.set(card.dataset.item, card);
    }
    const moved = () => {
      if (this.#items.length > ALL) this.#soon();
    };
    addEventListener("scroll", moved, { passive: true });
    new ResizeObserver(moved).observe(list);
  }

  /**
   * Show these, in this order.
   * @param {T[]} items
   */
  show(items) {
    this.#items = items;
    this.#drawn = "";
    this.#render();
  }

  /**
   * An item changed; its card is brought up to date in one of the next frames, if it exists.
   * @param {T} item
   */
  changed(item) {
    if (!this.#cards.has(this.maker.key(item))) return;
    this.#stale.add(item);
    this.#soon();
  }

  #soon() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#render();
      this.#update();
    });
  }

  /** Bring some of the cards that are behind up to date, and leave the others to the next frame. */
  #update() {
    let left = CHANGED_A_FRAME;
    for (const item of this.#stale) {
      if (left === 0) return this.#soon();
      this.#stale.delete(item);
      const card = this.#cards.get(this.maker.key(item));
      if (!card) continue;
      this.maker.update(card, item);
      left -= 1;
    }
  }

  /** Which items are near the window and may have their cards in this frame, and how high the rest is. */
  #range() {
    const total = this.#items.length;
    if (total <= ALL) return { first: 0, last: total, above: 0, below: 0, whole: true };
    const style = getComputedStyle(this.list);
    const columns = style.gridTemplateColumns.split(" ").length;
    const card = this.list.firstElementChild;
    const row = card ? card.getBoundingClientRect().height + parseFloat(style.rowGap) : 300;
    const rows = Math.ceil(total / columns);
    const top = -this.list.getBoundingClientRect().top;
    const from = Math.min(Math.max(Math.floor(top / row) - BEYOND, 0), rows - 1);
    const to = Math.max(Math.min(Math.ceil((top + innerHeight) / row) + BEYOND, rows), from + 1);
    const seen = Math.min(Math.max(Math.floor(top / row), from), to - 1);
    const [start, end] = this.#affordable(seen, from, to, columns);
    const whole = start === from && end === to;
    return { first: start * columns, last: Math.min(end * columns, total), above: start * row, below: (rows - end) * row, whole };
  }

  /**
   * Rows around the first one that is seen, downwards first, for which not too many cards must be made.
   * @param {number} seen
   * @param {number} from
   * @param {number} to
   * @param {number} columns
   * @returns {[start: number, end: number]}
   */
  #affordable(seen, from, to, columns) {
    let left = MADE_A_FRAME;
    /** @param {number} row */
    const takes = (row) => {
      const missing = this.#items.slice(row * columns, (row + 1) * columns).filter((item) => !this.#cards.has(this.maker.key(item)));
      // One row is made in any case, however wide it is.
      if (missing.length > left && left < MADE_A_FRAME) return false;
      left -= missing.length;
      return true;
    };
    let end = seen;
    while (end < to && takes(end)) end += 1;
    let start = seen;
    while (start > from && takes(start - 1)) start -= 1;
    return [start, end];
  }

  #render() {
    const { first, last, above, below, whole } = this.#range();
    if (!whole) this.#soon();
    const drawn = [first, last, above, below].join();
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    /** @type {Map<string, HTMLElement>} */
    const kept = new Map();
    /** @type {Element | null} */
    let place = this.list.firstElementChild;
    const shown = this.#items.slice(first, last);
    const keys = new Set(shown.map((item) => this.maker.key(item)));
    for (const [key, card] of this.#cards) {
      if (keys.has(key)) continue;
      if (card === place) place = card.nextElementSibling;
      card.remove();
    }
    shown.forEach((item, index) => {
      const key = this.maker.key(item);
      let card = this.#cards.get(key);
      if (!card) {
        card = this.maker.create(item);
        this.maker.update(card, item);
      }
      card.ariaSetSize = String(this.#items.length);
      card.ariaPosInSet = String(first + index + 1);
      while (place && !place.isConnected) place = null;
      if (card === place) place = card.nextElementSibling;
      else this.list.insertBefore(card, place);
      kept.set(key, card);
    });
    this.#cards = kept;
    this.list.style.paddingBlockStart = `${above}px`;
    this.list.style.paddingBlockEnd = `${below}px`;
  }
}
