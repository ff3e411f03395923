/** Which photos of the job are shown, and in which order; kept in the address, as `console/sift.py` reads it. */

import { waitsForReview } from "./job-item.js";
import { number } from "./words.js";

/** @import { Item } from "./job-item.js" */

/** @type {Record<string, (item: Item) => boolean>} */
const SHOWN = {
  all: () => true,
  work: (item) => !["exported", "failed", "cancelled"].includes(item.state),
  ready: (item) => item.state === "exported" && !waitsForReview(item),
  review: waitsForReview,
  failed: (item) => item.state === "failed",
};
const names = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export class Sift {
  /**
   * @param {HTMLFormElement} form
   * @param {() => void} changed
   */
  constructor(form, changed) {
    this.form = form;
    const now = () => {
      history.replaceState(history.state, "", this.#address());
      changed();
    };
    form.addEventListener("input", (event) => {
      // The box that selects all is in the same row, and has no name.
      if (!(event.target instanceof HTMLInputElement) || event.target.name) now();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      now();
    });
  }

  /** Whether it leaves out or moves nothing, whatever happens to the photos. */
  get idle() {
    const { show, find, order } = this.#chosen();
    return show === "all" && find === "" && order === "given";
  }

  /**
   * @param {Item[]} items in the job's order
   * @param {Item | undefined} held stays, whatever becomes of it: it has the focus
   */
  of(items, held) {
    const { show, find, order } = this.#chosen();
    const fits = SHOWN[show] ?? (() => true);
    const words = find.toLowerCase();
    const shown = items.filter(
      (item) => item === held || (fits(item) && (words === "" || item.name.toLowerCase().includes(words) || item.filename.toLowerCase().includes(words))),
    );
    if (order === "name") shown.sort((one, other) => names.compare(one.name, other.name));
    if (order === "changed") shown.sort((one, other) => other.at - one.at);
    return shown;
  }

  /** @param {Item[]} items */
  count(items) {
    for (const place of this.form.querySelectorAll("[data-count]")) {
      const fits = SHOWN[place.getAttribute("data-count") ?? ""];
      const text = fits ? number(items.reduce((sum, item) => sum + Number(fits(item)), 0)) : "";
      if (place.textContent !== text) place.textContent = text;
    }
  }

  /** Show all again. */
  clear() {
    this.form.querySelectorAll("[name]").forEach((field) => {
      if (field instanceof HTMLInputElement && field.type === "search") field.value = "";
      if (field instanceof HTMLInputElement && field.value === "all") field.checked = true;
    });
    this.form.dispatchEvent(new Event("input"));
  }

  #chosen() {
    const data = new FormData(this.form);
    return { show: String(data.get("show") ?? "all"), find: String(data.get("find") ?? "").trim(), order: String(data.get("order") ?? "given") };
  }

  #address() {
    const { show, find, order } = this.#chosen();
    const query = new URLSearchParams();
    if (show !== "all") query.set("show", show);
    if (find) query.set("find", find);
    if (order !== "given") query.set("order", order);
    return location.pathname + (query.size ? `?${query}` : "");
  }
}
