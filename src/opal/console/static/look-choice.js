/** What is chosen on the start page, as the API takes it: read from the form and written back to it. */

import { part } from "./page-part.js";

/** @import { OwnScenes, Scene } from "./look-own.js" */

/**
 * @typedef {object} Look
 * @property {Scene} scene
 * @property {Record<string, any>} placement
 * @property {string[]} presets
 * @property {number} seed
 */

/** Fields of a placement that are a percentage in the form, with what they are when nothing is said. */
const SHARES = { shadow_softness: 0.5, shadow_intensity: 0.8, lift: 0.08, reflection: 0 };
/** Those that the scene decides unless they are set; the form's unit in the API's. */
const BY_SCENE = { shadow_direction: 1, shadow_length: 0.01 };
const IN_FORM = new Set(["margin", "fill", "alignment", "shadow", "straighten", ...Object.keys(SHARES), ...Object.keys(BY_SCENE)]);

export class LookChoice {
  /** Of a look that was written: what the form has no field for. */
  /** @type {Record<string, any>} */
  #kept = {};
  #seed = 0;

  /**
   * @param {HTMLFormElement} form
   * @param {OwnScenes} own
   */
  constructor(form, own) {
    this.form = form;
    this.own = own;
    form.addEventListener("change", () => this.#show());
    for (const range of form.querySelectorAll("input[type=range]")) range.addEventListener("input", () => this.#show());
    this.#show();
  }

  /** @returns {Look} */
  read() {
    const card = this.own.chosen;
    return { scene: card ? this.own.of(card) : "", placement: this.placement(), presets: this.presets(), seed: this.#seed };
  }

  presets() {
    return new FormData(this.form).getAll("preset").map(String);
  }

  /** @returns {Record<string, any>} */
  placement() {
    const chosen = new FormData(this.form);
    const shadow = String(chosen.get("shadow"));
    const fill = chosen.get("size") === "fill";
    /** @type {Record<string, any>} */
    const placement = { ...this.#kept, [fill ? "fill" : "margin"]: Number(chosen.get(fill ? "fill" : "margin")) / 100, alignment: chosen.get("alignment") };
    if (shadow) placement.shadow = shadow;
    if (this.#field("straighten").checked) placement.straighten = true;
    for (const [name, usual] of Object.entries(SHARES)) {
      const share = Number(this.#field(name).value) / 100;
      if (share !== usual && this.#applies(name)) placement[name] = share;
    }
    for (const [name, unit] of Object.entries(BY_SCENE)) {
      if (!this.#field(`${name}_by_scene`).checked && this.#applies(name)) placement[name] = Number(this.#field(name).value) * unit;
    }
    return placement;
  }

  /**
   * Choose all that a look says. Returns what of it is not there any more, of presets their names.
   * @param {Look} look
   * @returns {{presets: string[], scene: boolean}}
   */
  write(look) {
    const { placement } = look;
    this.#seed = look.seed ?? 0;
    this.#kept = Object.fromEntries(Object.entries(placement).filter(([name]) => !IN_FORM.has(name)));
    this.#check("size", placement.fill === undefined ? "margin" : "fill");
    if (placement.margin !== undefined) this.#field("margin").value = String(Math.round(placement.margin * 100));
    if (placement.fill !== undefined) this.#field("fill").value = String(Math.round(placement.fill * 100));
    this.#check("alignment", placement.alignment ?? "center");
    this.#check("shadow", placement.shadow ?? "");
    this.#field("straighten").checked = placement.straighten === true;
    for (const [name, usual] of Object.entries(SHARES)) this.#field(name).value = String(Math.round((placement[name] ?? usual) * 100));
    for (const [name, unit] of Object.entries(BY_SCENE)) {
      this.#field(`${name}_by_scene`).checked = placement[name] === undefined || placement[name] === null;
      if (placement[name] !== undefined) this.#field(name).value = String(Math.round(placement[name] / unit));
    }
    const wanted = new Set(look.presets);
    for (const box of this.form.querySelectorAll('[name="preset"]')) {
      if (box instanceof HTMLInputElement) box.checked = wanted.delete(box.value);
    }
    const scene = this.own.choose(look.scene);
    this.#show();
    return { presets: [...wanted], scene: !scene };
  }

  /** Show what goes with what is chosen, and every slider's number. */
  #show() {
    const chosen = new FormData(this.form);
    for (const place of this.form.querySelectorAll("[data-size]")) {
      if (place instanceof HTMLElement) place.hidden = place.dataset.size !== chosen.get("size");
    }
    for (const place of this.form.querySelectorAll("[data-shadows]")) {
      if (place instanceof HTMLElement) place.hidden = !this.#applies(place.dataset.field ?? "");
    }
    for (const name of Object.keys(BY_SCENE)) this.#field(name).disabled = this.#field(`${name}_by_scene`).checked;
    for (const output of this.form.querySelectorAll("output")) {
      const range = part(output.htmlFor.value, HTMLInputElement);
      output.value = range.disabled ? "" : `${range.value}${range.dataset.unit ?? " %"}`;
    }
  }

  /**
   * Whether a field matters to the shadow that is chosen.
   * @param {string} name
   */
  #applies(name) {
    const place = this.form.querySelector(`[data-field="${name}"]`);
    if (!(place instanceof HTMLElement) || !place.dataset.shadows) return true;
    return place.dataset.shadows.split(" ").includes(String(new FormData(this.form).get("shadow")) || "contact");
  }

  /** @param {string} id */
  #field(id) {
    return part(id, HTMLInputElement);
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #check(name, value) {
    const field = this.form.querySelector(`[name="${name}"][value="${value}"]`);
    if (field instanceof HTMLInputElement) field.checked = true;
  }
}
