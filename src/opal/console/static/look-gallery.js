/** The scene gallery shows the user's own photo: cut out once, then in every scene as it would stand there. */

import { Problem, callLines } from "./api.js";
import { previewPhoto } from "./preview-photo.js";
import { say } from "./words.js";

/** @import { Scene } from "./look-own.js" */
/** @import { Photo } from "./photos.js" */

/** So long nothing must change before the scenes are asked for: a slider stops many times on its way. */
const QUIET_MS = 350;
const TRIES = 6;
/** Cut-outs kept, so that going back to a photo spares cutting out again. */
const KEPT = 12;

/**
 * @typedef {object} Source
 * @property {() => {card: HTMLElement, scene: Scene}[]} scenes in the order in which they are wanted
 * @property {() => Record<string, any>} placement
 */

export class SceneGallery {
  /** The photo that is shown. */
  /** @type {Photo | null} */
  photo = null;
  /** @type {Map<string, string>} */
  #cutouts = new Map();
  #control = new AbortController();
  #timer = 0;
  /** What each card shows, so that it is let go. */
  /** @type {Map<HTMLElement, string>} */
  #shown = new Map();

  /**
   * @param {HTMLElement} list the cards lie below it
   * @param {HTMLElement} note
   * @param {Source} source
   * @param {number} doubtBelow a confidence below which a cut-out wants a look
   */
  constructor(list, note, source, doubtBelow) {
    this.list = list;
    this.note = note;
    this.source = source;
    this.doubtBelow = doubtBelow;
  }

  /**
   * Show this photo, or the standard pictures.
   * @param {Photo | null} photo
   */
  show(photo) {
    if (photo === this.photo) return;
    this.photo = photo;
    this.#begin(photo ? 1 : 0);
  }

  /** Scene or placement changed. */
  refresh() {
    if (this.photo) this.#begin(QUIET_MS);
  }

  /** No more previews are wanted; those that are there stay. */
  stop() {
    this.#control.abort();
    clearTimeout(this.#timer);
    this.list.removeAttribute("aria-busy");
    this.photo = null;
  }

  /** @param {number} wait ms; 0: nothing is to be shown any more */
  #begin(wait) {
    this.#control.abort();
    clearTimeout(this.#timer);
    if (wait === 0) {
      this.#clear("");
      return;
    }
    // From now on what is shown is old.
    this.list.setAttribute("aria-busy", "true");
    this.#timer = window.setTimeout(() => {
      this.#control = new AbortController();
      void this.#run(this.#control.signal);
    }, wait);
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    const photo = this.photo;
    if (!photo) return;
    this.#say(say("preview_making", { name: photo.file.name }));
    for (let tried = 1; ; tried += 1) {
      try {
        const doubt = await this.#ask(photo, signal);
        if (signal.aborted) return;
        if (doubt !== null) this.#say(say(doubt ? "preview_doubtful" : "preview_made", { name: photo.file.name }));
        break;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Problem)) throw error;
        // A cut-out may be larger than a request can be; the photo is not.
        const again = error.status === 413 && this.#cutouts.delete(photo.id);
        if (!again && (!error.passing || tried >= TRIES)) {
          this.#clear(this.#reason(error));
          break;
        }
        await pause(again ? 0 : Math.max(1, error.waitSeconds) * 1000, signal);
        if (signal.aborted) return;
      }
    }
    this.list.removeAttribute("aria-busy");
  }

  /**
   * @param {Photo} photo
   * @param {AbortSignal} signal
   * @returns {Promise<boolean | null>} whether the cut-out is doubtful; null: there is nothing to show
   */
  async #ask(photo, signal) {
    const small = this.#cutouts.get(photo.id) ?? (await previewPhoto(photo.file));
    if (signal.aborted) return null;
    if (!small) {
      this.#clear(say("preview_unreadable", { name: photo.file.name }));
      return null;
    }
    const wanted = this.source.scenes();
    const body = { photo: small, scenes: wanted.map(({ scene }) => scene), placement: this.source.placement() };
    let doubt = false;
    for await (const line of callLines("/v1/scenes/previews", body, signal)) {
      if (line.cutout) {
        this.#keep(photo, line.cutout);
        doubt = line.confidence < this.doubtBelow;
      }
      const card = wanted[line.index]?.card;
      if (card && line.picture) this.#put(card, line.picture, photo);
      // Of a backdrop that is too small, for one: its own picture says more than a stale preview.
      if (card && line.problem) this.#take(card);
    }
    return doubt;
  }

  /**
   * @param {Photo} photo
   * @param {string} cutout
   */
  #keep(photo, cutout) {
    this.#cutouts.set(photo.id, cutout);
    const oldest = this.#cutouts.keys().next().value;
    if (this.#cutouts.size > KEPT && oldest !== undefined) this.#cutouts.delete(oldest);
  }

  /**
   * @param {HTMLElement} card
   * @param {string} letters
   * @param {Photo} photo
   */
  #put(card, letters, photo) {
    const bytes = Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
    const address = URL.createObjectURL(new Blob([bytes], { type: "image/webp" }));
    let image = card.querySelector(".live");
    if (!(image instanceof HTMLImageElement)) {
      image = document.createElement("img");
      image.className = "live";
      card.querySelector(".scene-tile")?.append(image);
    }
    const live = /** @type {HTMLImageElement} */ (image);
    live.alt = "";
    live.src = address;
    live.dataset.photo = photo.id;
    const before = this.#shown.get(card);
    if (before) URL.revokeObjectURL(before);
    this.#shown.set(card, address);
  }

  /** @param {HTMLElement} card */
  #take(card) {
    card.querySelector(".live")?.remove();
    const address = this.#shown.get(card);
    if (address) URL.revokeObjectURL(address);
    this.#shown.delete(card);
  }

  /**
   * The standard pictures again, and why.
   * @param {string} reason
   */
  #clear(reason) {
    for (const card of [...this.#shown.keys()]) this.#take(card);
    this.list.removeAttribute("aria-busy");
    this.#say(reason || say("preview_none"));
  }

  /** @param {string} text */
  #say(text) {
    this.note.textContent = text;
  }

  /** @param {Problem} error */
  #reason(error) {
    if (error.status === 401) return error.words;
    if (error.status === 429) return say("preview_too_many");
    if (error.status === 0 || error.status >= 500) return say("preview_away");
    return say("preview_refused", { reason: error.message });
  }
}

/**
 * @param {number} wait ms
 * @param {AbortSignal} signal
 */
function pause(wait, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, wait);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}
