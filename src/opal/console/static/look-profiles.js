/** Brand profiles on the start page: keep what is chosen under a name, choose it again; and what was chosen last. */

import { Problem, call } from "./api.js";
import { part } from "./page-part.js";
import { say } from "./words.js";

/** @import { Look, LookChoice } from "./look-choice.js" */

/**
 * @typedef {Look & {id: string, name: string, version: number, missing_presets: string[], missing_backdrop: boolean}} Profile
 */

export class BrandProfiles {
  /** @type {Profile[]} */
  #profiles = [];
  /** What the profile that is chosen looks like in the form. */
  #saved = "";
  /** What the dialog is for. */
  /** @type {"save" | "rename"} */
  #asking = "save";

  /**
   * @param {HTMLFormElement} form
   * @param {LookChoice} choice
   * @param {() => void} changed all of the form may have changed
   */
  constructor(form, choice, changed) {
    this.choice = choice;
    this.changed = changed;
    this.memory = `opal.look:${form.dataset.tenant}`;
    this.list = part("profile", HTMLSelectElement);
    this.told = part("profile-told", HTMLElement);
    this.#profiles = JSON.parse(part("profiles-kept", HTMLScriptElement).textContent ?? "[]");
    this.#fill("");
    this.list.addEventListener("change", () => this.#choose(this.list.value));
    part("profile-save", HTMLButtonElement).addEventListener("click", () => this.#open("save"));
    part("profile-rename", HTMLButtonElement).addEventListener("click", () => this.#open("rename"));
    part("profile-update", HTMLButtonElement).addEventListener("click", () => void this.#update(this.#chosen?.name ?? ""));
    part("profile-delete", HTMLButtonElement).addEventListener("click", () => part("profile-delete-dialog", HTMLDialogElement).showModal());
    part("profile-delete-dialog", HTMLDialogElement).addEventListener("close", (event) => {
      if (/** @type {HTMLDialogElement} */ (event.target).returnValue === "yes") void this.#remove();
    });
    part("profile-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#named(part("profile-name", HTMLInputElement).value.trim());
    });
    part("profile-cancel", HTMLButtonElement).addEventListener("click", () => part("profile-dialog", HTMLDialogElement).close());
    this.#remembered();
    this.show();
  }

  /** Bring what can be done up to date with what is chosen, and remember that. */
  show() {
    const profile = this.#chosen;
    const differs = profile !== undefined && JSON.stringify(this.choice.read()) !== this.#saved;
    part("profile-update", HTMLElement).hidden = !differs;
    part("profile-rename", HTMLElement).hidden = profile === undefined;
    part("profile-delete", HTMLElement).hidden = profile === undefined;
    part("profile-changed", HTMLElement).hidden = !differs;
    try {
      localStorage.setItem(this.memory, JSON.stringify({ profile: profile?.id ?? "", look: this.choice.read() }));
    } catch {
      // Nothing is remembered then.
    }
  }

  get #chosen() {
    return this.#profiles.find(({ id }) => id === this.list.value);
  }

  /** What was chosen last in this browser, as far as it is still there. */
  #remembered() {
    try {
      const { profile, look } = JSON.parse(localStorage.getItem(this.memory) ?? "{}");
      const kept = this.#profiles.find(({ id }) => id === profile);
      if (kept) {
        this.list.value = kept.id;
        this.choice.write(kept);
        this.#saved = JSON.stringify(this.choice.read());
      }
      if (look?.presets) this.choice.write(look);
    } catch {
      // From another time; the form is as the page came.
    }
  }

  /** @param {string} id */
  #choose(id) {
    this.list.value = id;
    this.#say("");
    const profile = this.#chosen;
    if (profile) {
      const gone = this.choice.write(profile);
      this.#saved = JSON.stringify(this.choice.read());
      if (gone.scene || profile.missing_backdrop) this.#say(say("profile_without_scene"), true);
      else if (gone.presets.length) this.#say(say("profile_without_presets", { names: gone.presets.join(", ") }), true);
    }
    this.changed();
  }

  /** @param {"save" | "rename"} what */
  #open(what) {
    this.#asking = what;
    part("profile-dialog-title", HTMLElement).textContent = say(what === "save" ? "profile_save" : "profile_rename");
    part("profile-name", HTMLInputElement).value = what === "rename" ? (this.#chosen?.name ?? "") : "";
    part("profile-trouble", HTMLElement).hidden = true;
    part("profile-dialog", HTMLDialogElement).showModal();
    part("profile-name", HTMLInputElement).select();
  }

  /** @param {string} name */
  async #named(name) {
    if (!name) return;
    const trouble = this.#asking === "save" ? await this.#create(name) : await this.#rename(name);
    part("profile-trouble", HTMLElement).textContent = trouble;
    part("profile-trouble", HTMLElement).hidden = trouble === "";
    if (!trouble) part("profile-dialog", HTMLDialogElement).close();
  }

  /** @param {string} name */
  #create(name) {
    return this.#asked(async () => {
      const made = await call("POST", "/v1/brand-profiles", { name, ...this.choice.read() });
      this.#took(made, say("profile_saved", { name }));
    });
  }

  /**
   * Another name for the profile as it was saved: what is changed in the form stays unsaved.
   * @param {string} name
   */
  #rename(name) {
    const profile = this.#chosen;
    if (!profile) return Promise.resolve("");
    return this.#asked(async () => {
      const { scene, placement, presets, seed, version } = profile;
      const before = this.#saved;
      const changed = await call("PUT", `/v1/brand-profiles/${profile.id}`, { name, scene, placement, presets, seed, version });
      this.#took(changed, say("profile_saved", { name }));
      this.#saved = before;
      this.show();
    });
  }

  /** @param {string} name */
  async #update(name) {
    const profile = this.#chosen;
    if (!profile) return;
    const trouble = await this.#asked(async () => {
      const body = { name, ...this.choice.read(), version: profile.version };
      this.#took(await call("PUT", `/v1/brand-profiles/${profile.id}`, body), say("profile_saved", { name }));
    });
    if (trouble) this.#say(trouble, true);
  }

  async #remove() {
    const profile = this.#chosen;
    if (!profile) return;
    const trouble = await this.#asked(async () => {
      await call("DELETE", `/v1/brand-profiles/${profile.id}`);
    });
    if (trouble) return this.#say(trouble, true);
    this.#profiles = this.#profiles.filter(({ id }) => id !== profile.id);
    this.#fill("");
    this.#say(say("profile_deleted", { name: profile.name }));
    return this.show();
  }

  /**
   * @param {Profile} profile as it is kept now, the same as what is chosen
   * @param {string} told
   */
  #took(profile, told) {
    this.#profiles = [...this.#profiles.filter(({ id }) => id !== profile.id), profile];
    this.#fill(profile.id);
    this.#saved = JSON.stringify(this.choice.read());
    this.#say(told);
    this.show();
  }

  /**
   * Do it; what went wrong in words, or nothing. Who was too slow gets the list as it is now.
   * @param {() => Promise<void>} work
   */
  async #asked(work) {
    try {
      await work();
      return "";
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === "brand_profile_changed" || error.code === "unknown_brand_profile") return this.#reread();
      return error.words;
    }
  }

  async #reread() {
    const { brand_profiles: now } = await call("GET", "/v1/brand-profiles");
    this.#profiles = now;
    this.#fill(this.list.value);
    return say(this.#chosen ? "profile_overtaken" : "profile_gone");
  }

  /** @param {string} chosen */
  #fill(chosen) {
    const first = /** @type {HTMLOptionElement} */ (this.list.options[0]);
    const sorted = [...this.#profiles].sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
    this.list.replaceChildren(first, ...sorted.map(({ id, name }) => new Option(name, id)));
    this.list.value = chosen;
    if (this.list.selectedIndex < 0) this.list.value = "";
    this.list.disabled = sorted.length === 0;
  }

  /**
   * @param {string} text
   * @param {boolean} [bad]
   */
  #say(text, bad = false) {
    this.told.textContent = text;
    this.told.classList.toggle("bad", bad);
  }
}
