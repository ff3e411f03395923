/** Scenes of one's own on the start page: one colour, a gradient, pictures of one's own with a ground line. */

import { Problem, call } from "./api.js";
import { part } from "./page-part.js";
import { say } from "./words.js";

/** @typedef {string | Record<string, any>} Scene a name, or a scene's data as the API takes it */

/** What the form has no field for, and a job without it does the same. */
const DEFAULTS = { blur: 0, match: 0 };

export class OwnScenes {
  /** Of each backdrop what is set for it, fields that have no control here too. */
  /** @type {Map<string, Record<string, any>>} */
  #backdrops = new Map();
  /** A scene that none of the cards can show. */
  /** @type {Record<string, any> | null} */
  #other = null;

  /**
   * @param {HTMLFormElement} form
   * @param {() => void} changed
   */
  constructor(form, changed) {
    this.form = form;
    this.changed = changed;
    form.addEventListener("change", () => this.#show());
    for (const id of ["solid-colour", "gradient-from", "gradient-to", "gradient-angle", "backdrop-blur", "backdrop-match"]) {
      part(id, HTMLInputElement).addEventListener("input", () => this.#moved());
    }
    part("backdrop-file", HTMLInputElement).addEventListener("change", (event) => {
      const input = /** @type {HTMLInputElement} */ (event.target);
      const file = input.files?.[0];
      input.value = "";
      if (file) void this.#upload(file);
    });
    part("add-backdrop", HTMLButtonElement).addEventListener("click", () => part("backdrop-file", HTMLInputElement).click());
    part("remove-backdrop", HTMLButtonElement).addEventListener("click", () => void this.#remove());
    this.#ground();
    this.#show();
  }

  /** The card that is chosen. */
  get chosen() {
    return this.form.querySelector('[name="scene"]:checked')?.closest("label") ?? null;
  }

  /**
   * What a card stands for.
   * @param {HTMLElement} card
   * @returns {Scene}
   */
  of(card) {
    const value = card.querySelector("input")?.value ?? "";
    if (card.dataset.backdrop) return this.#backdrop(card.dataset.backdrop);
    if (value === "own-solid") return { kind: "solid", colour: part("solid-colour", HTMLInputElement).value };
    if (value === "own-other" && this.#other) return this.#other;
    if (value !== "own-gradient") return value;
    const shape = new FormData(this.form).get("gradient-shape");
    return {
      kind: "gradient",
      shape: String(shape),
      from: part("gradient-from", HTMLInputElement).value,
      to: part("gradient-to", HTMLInputElement).value,
      ...(shape === "linear" ? { angle: Number(part("gradient-angle", HTMLInputElement).value) } : {}),
    };
  }

  /**
   * Choose the card of a scene, its fields set. Returns whether there is one: a backdrop may be gone.
   * @param {Scene} scene
   */
  choose(scene) {
    const value = typeof scene === "string" ? scene : this.#valueOf(scene);
    const input = /** @type {HTMLInputElement[]} */ ([...this.form.querySelectorAll('[name="scene"]')]).find((each) => each.value === value);
    if (!input) return false;
    input.checked = true;
    this.#show();
    return true;
  }

  /** @param {Record<string, any>} scene */
  #valueOf(scene) {
    const { kind } = scene;
    if (kind === "transparent") return kind;
    if (kind === "studio" && scene.seed === undefined) return `studio-${scene.look ?? "white"}`;
    if (kind === "backdrop") {
      this.#backdrops.set(scene.picture, scene);
      return scene.picture;
    }
    if (kind === "solid") {
      part("solid-colour", HTMLInputElement).value = scene.colour ?? "#ffffff";
      return "own-solid";
    }
    if (kind === "gradient") {
      part("gradient-from", HTMLInputElement).value = scene.from ?? "#f7f7f6";
      part("gradient-to", HTMLInputElement).value = scene.to ?? "#d9d9d8";
      part("gradient-angle", HTMLInputElement).value = String(scene.angle ?? 180);
      const shape = this.form.querySelector(`[name="gradient-shape"][value="${scene.shape ?? "linear"}"]`);
      if (shape instanceof HTMLInputElement) shape.checked = true;
      return "own-gradient";
    }
    this.#other = scene;
    part("other-scene", HTMLElement).hidden = false;
    return "own-other";
  }

  /** @param {string} id */
  #backdrop(id) {
    const known = this.#backdrops.get(id) ?? { kind: "backdrop", picture: id, ground: 0.8 };
    this.#backdrops.set(id, known);
    return known;
  }

  /** The fields of the card that is chosen, and what its own look is. */
  #show() {
    const card = this.chosen;
    const value = card?.querySelector("input")?.value ?? "";
    part("own-solid", HTMLElement).hidden = value !== "own-solid";
    part("own-gradient", HTMLElement).hidden = value !== "own-gradient";
    part("own-backdrop", HTMLElement).hidden = !card?.dataset.backdrop;
    const gradient = this.of(part("gradient-card", HTMLLabelElement));
    const linear = typeof gradient !== "string" && gradient.shape === "linear";
    part("gradient-turn", HTMLElement).hidden = !linear;
    part("solid-swatch", HTMLElement).style.background = part("solid-colour", HTMLInputElement).value;
    if (typeof gradient !== "string") {
      const colours = `${gradient.from}, ${gradient.to}`;
      part("gradient-swatch", HTMLElement).style.background = linear
        ? `linear-gradient(${gradient.angle}deg, ${colours})`
        : `radial-gradient(circle farthest-corner, ${colours})`;
    }
    if (card?.dataset.backdrop) this.#showBackdrop(card, card.dataset.backdrop);
  }

  /**
   * @param {HTMLElement} card
   * @param {string} id
   */
  #showBackdrop(card, id) {
    const scene = this.#backdrop(id);
    const picture = part("stage-picture", HTMLImageElement);
    const address = `/v1/backdrops/${id}/preview`;
    if (picture.getAttribute("src") !== address) picture.src = address;
    part("own-backdrop-title", HTMLElement).textContent = card.querySelector(".scene-name")?.textContent ?? "";
    part("backdrop-blur", HTMLInputElement).value = String(Math.round((scene.blur ?? 0) * 100));
    part("backdrop-match", HTMLInputElement).value = String(Math.round((scene.match ?? 0) * 100));
    this.#showGround(scene.ground ?? 0.8);
  }

  #moved() {
    const id = this.chosen?.dataset.backdrop;
    if (id) {
      const set = { blur: Number(part("backdrop-blur", HTMLInputElement).value) / 100, match: Number(part("backdrop-match", HTMLInputElement).value) / 100 };
      this.#backdrops.set(id, without({ ...this.#backdrop(id), ...set }));
    }
    this.#show();
    this.changed();
  }

  /** The line on which the product stands, dragged or moved by keys. */
  #ground() {
    const stage = part("stage", HTMLElement);
    const line = part("ground-line", HTMLElement);
    /** @param {number} share */
    const move = (share) => {
      const id = this.chosen?.dataset.backdrop;
      if (!id) return;
      const ground = Math.round(Math.min(1, Math.max(0.05, share)) * 1000) / 1000;
      this.#backdrops.set(id, { ...this.#backdrop(id), ground });
      this.#showGround(ground);
      this.changed();
    };
    /** @param {PointerEvent} event */
    const follow = (event) => {
      const box = stage.getBoundingClientRect();
      move((event.clientY - box.top) / box.height);
    };
    line.addEventListener("pointerdown", (event) => {
      line.setPointerCapture(event.pointerId);
      event.preventDefault();
      line.focus();
    });
    line.addEventListener("pointermove", (event) => {
      if (line.hasPointerCapture(event.pointerId)) follow(event);
    });
    stage.addEventListener("click", follow);
    line.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -0.01, ArrowDown: 0.01, PageUp: -0.1, PageDown: 0.1, Home: -1, End: 1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      move(Number(line.ariaValueNow) / 100 + step);
    });
  }

  /** @param {number} ground */
  #showGround(ground) {
    const line = part("ground-line", HTMLElement);
    line.style.top = `${ground * 100}%`;
    line.ariaValueNow = String(Math.round(ground * 1000) / 10);
    line.ariaValueText = say("ground_at", { share: Math.round(ground * 100) });
  }

  /** @param {File} file */
  async #upload(file) {
    const add = part("add-backdrop", HTMLButtonElement);
    const told = part("backdrop-told", HTMLElement);
    add.disabled = true;
    told.textContent = say("backdrop_sending", { name: file.name });
    told.classList.remove("bad");
    let made = "";
    try {
      const name = file.name.replace(/\.[^.]+$/, "").slice(0, 200) || file.name;
      const created = await call("POST", "/v1/backdrops", { name });
      made = created.id;
      await put(created.upload, file, "blobsHere" in this.form.dataset);
      const ready = await call("POST", `/v1/backdrops/${made}/complete`);
      this.#add(ready);
      told.textContent = say("backdrop_ready");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      told.textContent = error.status === 0 ? say("unreachable") : error.message;
      told.classList.add("bad");
      // What will never be ready is no use to anybody.
      if (made) call("DELETE", `/v1/backdrops/${made}`).catch(() => {});
    }
    add.disabled = false;
  }

  /** @param {{id: string, name: string}} backdrop */
  #add(backdrop) {
    const template = part("backdrop-card", HTMLTemplateElement);
    const card = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
    card.dataset.backdrop = backdrop.id;
    const [input, picture, name] = [card.querySelector("input"), card.querySelector("img"), card.querySelector(".scene-name")];
    if (!input || !picture || !name) throw new Error("no card for a backdrop");
    input.value = backdrop.id;
    picture.src = `/v1/backdrops/${backdrop.id}/preview`;
    name.textContent = backdrop.name;
    part("scene-cards", HTMLElement).append(card);
    input.checked = true;
    this.form.dispatchEvent(new Event("change"));
    part("own-backdrop", HTMLElement).scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  async #remove() {
    const card = this.chosen;
    const told = part("backdrop-told", HTMLElement);
    if (!card?.dataset.backdrop) return;
    try {
      await call("DELETE", `/v1/backdrops/${card.dataset.backdrop}`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      told.textContent = error.status === 0 ? say("unreachable") : error.message;
      told.classList.add("bad");
      return;
    }
    card.remove();
    told.textContent = "";
    const first = this.form.querySelector('[name="scene"]');
    if (first instanceof HTMLInputElement) {
      first.checked = true;
      first.focus();
    }
    this.form.dispatchEvent(new Event("change"));
  }
}

/**
 * A scene without what is as it would be anyway.
 * @param {Record<string, any>} scene
 */
function without(scene) {
  return Object.fromEntries(Object.entries(scene).filter(([name, value]) => !(name in DEFAULTS) || value !== DEFAULTS[/** @type {keyof typeof DEFAULTS} */ (name)]));
}

/**
 * @param {{url: string, method: string, headers: Record<string, string>}} upload
 * @param {File} file
 * @param {boolean} blobsHere whether the URL leads to this server, whatever name it has for the browser
 */
async function put(upload, file, blobsHere) {
  const url = new URL(upload.url);
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(blobsHere ? url.pathname + url.search : upload.url, { method: upload.method, headers: upload.headers, body: file });
  } catch {
    throw new Problem(0, "unreachable", "");
  }
  if (!answer.ok) throw new Problem(answer.status, "upload_failed", say("backdrop_refused"));
}
