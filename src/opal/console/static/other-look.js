/** The dialog that asks for another scene, placement or cut-out. */

import { Problem } from "./api.js";
import { say } from "./words.js";

/**
 * @param {(wanted: Record<string, unknown>) => Promise<void>} remake
 */
export function otherLook(remake) {
  const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("look-dialog"));
  const form = /** @type {HTMLFormElement | null} */ (document.getElementById("look"));
  const opener = document.getElementById("other-look");
  const trouble = document.getElementById("look-trouble");
  if (!dialog || !form || !opener || !trouble) return;
  opener.addEventListener("click", () => {
    trouble.hidden = true;
    dialog.showModal();
  });
  document.getElementById("look-no")?.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = wantedOf(new FormData(form), JSON.parse(dialog.dataset.placement ?? "{}"));
    if (Object.keys(wanted).length === 0) {
      trouble.textContent = say("judge.nothing_other");
      trouble.hidden = false;
      return;
    }
    dialog.close();
    remake(wanted).catch((error) => {
      trouble.textContent = error instanceof Problem && error.status ? error.message : say("unreachable");
      trouble.hidden = false;
      dialog.showModal();
    });
  });
}

/**
 * What differs from how it is. A placement is given as a whole, so what stays of it is given again.
 * @param {FormData} data
 * @param {Record<string, unknown>} present the placement that the pictures have
 */
function wantedOf(data, present) {
  /** @type {Record<string, unknown>} */
  const wanted = {};
  /** @type {Record<string, unknown>} */
  const placement = {};
  if (data.get("scene")) wanted.scene = data.get("scene");
  if (data.get("engine")) wanted.engine = data.get("engine");
  if (data.get("shadow")) placement.shadow = data.get("shadow");
  if (data.get("alignment")) placement.alignment = data.get("alignment");
  if (data.get("margin")) placement.margin = Number(data.get("margin"));
  if (Object.keys(placement).length) {
    // A size by share of the frame and one by margin are two words for one thing.
    const { fill, ...rest } = present;
    wanted.placement = { ...rest, ...("margin" in placement || fill === undefined ? {} : { fill }), ...placement };
  }
  return wanted;
}
