/** Two fingers, the wheel and the zoom buttons: the same for the stage and the brush. */

import { wholeScale } from "./view.js";
import { say } from "./words.js";

/** @typedef {import("./view.js").View} View */

/**
 * Zoom by the wheel, at the pointer. Where there is nothing left to zoom out of, the page scrolls.
 * @param {HTMLElement} element
 * @param {View} view
 * @param {() => void} changed
 */
export function zoomByWheel(element, view, changed) {
  element.addEventListener(
    "wheel",
    (event) => {
      if (event.deltaY > 0 && view.fitted) return;
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 24 : 1;
      const { x, y } = inside(element, event);
      const wanted = view.scale * Math.exp((-event.deltaY * lines) / (event.ctrlKey ? 100 : 400));
      if (event.deltaY > 0 && wanted <= view.fitScale) view.fit();
      else view.zoomTo(wanted, x, y);
      changed();
    },
    { passive: false },
  );
}

/** Two pointers at a time: their middle pans, their distance zooms. */
export class Pinch {
  /** @type {Map<number, {x: number, y: number}>} */
  #fingers = new Map();

  /** How many pointers are down. */
  get count() {
    return this.#fingers.size;
  }

  /**
   * @param {HTMLElement} element
   * @param {PointerEvent} event
   */
  down(element, event) {
    this.#fingers.set(event.pointerId, inside(element, event));
  }

  /** @param {PointerEvent} event */
  up(event) {
    this.#fingers.delete(event.pointerId);
  }

  /**
   * How far the pointer moved; with two of them the view is moved and zoomed.
   * @param {HTMLElement} element
   * @param {PointerEvent} event
   * @param {View} view
   */
  move(element, event, view) {
    const was = this.#fingers.get(event.pointerId);
    if (!was) return { across: 0, down: 0 };
    const now = inside(element, event);
    this.#fingers.set(event.pointerId, now);
    if (this.#fingers.size === 2) {
      const other = [...this.#fingers].find(([id]) => id !== event.pointerId)?.[1] ?? now;
      const grown = apart(now, other) / Math.max(1, apart(was, other));
      const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
      view.zoomTo(view.scale * grown, middle.x, middle.y);
      view.pan((now.x - was.x) / 2, (now.y - was.y) / 2);
    }
    return { across: now.x - was.x, down: now.y - was.y };
  }
}

/**
 * The buttons beside a picture, and its per cents.
 * @param {View} view
 * @param {() => void} changed
 */
export function zoomByButtons(view, changed) {
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      const { zoom } = /** @type {HTMLElement} */ (button).dataset;
      if (zoom === "fit") view.fit();
      else if (zoom === "whole") view.zoomTo(wholeScale());
      else view.step(zoom === "in" ? 1 : -1);
      changed();
    });
  }
}

/** @param {View} view */
export function tellZoom(view) {
  const output = document.getElementById("zoom");
  const text = say("judge.zoom", { percent: Math.round(view.zoom * 100) });
  if (output && output.textContent !== text) output.textContent = text;
}

/**
 * Zoom by a key: + − 0 and z. False for any other.
 * @param {string} key
 * @param {View} view
 */
export function zoomByKey(key, view) {
  if (key === "+" || key === "=") view.step(1);
  else if (key === "-" || key === "_") view.step(-1);
  else if (key === "0") view.fit();
  else if (key === "z") view.zoomTo(wholeScale());
  else return false;
  return true;
}

/**
 * Where an event happened in the element.
 * @param {HTMLElement} element
 * @param {MouseEvent} event
 */
export function inside(element, event) {
  const box = element.getBoundingClientRect();
  return { x: event.clientX - box.left - element.clientLeft, y: event.clientY - box.top - element.clientTop };
}

/**
 * @param {{x: number, y: number}} one
 * @param {{x: number, y: number}} other
 */
function apart(one, other) {
  return Math.hypot(one.x - other.x, one.y - other.y);
}
