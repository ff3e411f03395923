/** A grid of thousands of cards of which only those near the window exist. */

/** Below this many, all cards exist: finding in the page works, and nothing is recycled. */
const ALL = 96;
/** Rows kept above and below what is seen, so that scrolling and tabbing find them. */
const BEYOND = 3;

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
    addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#soon()).observe(list);
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
   * An item changed; its card is brought up to date if it exists.
   * @param {T} item
   */
  changed(item) {
    const card = this.#cards.get(this.maker.key(item));
    if (card) this.maker.update(card, item);
  }

  #soon() {
    if (this.#waiting || this.#items.length <= ALL) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#render();
    });
  }

  /** Which items are near the window, and how high the rest is. */
  #range() {
    const total = this.#items.length;
    if (total <= ALL) return { first: 0, last: total, above: 0, below: 0 };
    const style = getComputedStyle(this.list);
    const columns = style.gridTemplateColumns.split(" ").length;
    const card = this.list.firstElementChild;
    const row = card ? card.getBoundingClientRect().height + parseFloat(style.rowGap) : 300;
    const rows = Math.ceil(total / columns);
    const top = -this.list.getBoundingClientRect().top;
    const from = Math.min(Math.max(Math.floor(top / row) - BEYOND, 0), rows - 1);
    const to = Math.max(Math.min(Math.ceil((top + innerHeight) / row) + BEYOND, rows), from + 1);
    return { first: from * columns, last: Math.min(to * columns, total), above: from * row, below: (rows - to) * row };
  }

  #render() {
    const { first, last, above, below } = this.#range();
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
