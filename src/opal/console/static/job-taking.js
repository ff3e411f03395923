/** The bar of the job page that says what is picked and gives it: as a ZIP, as a table, as public links. */

import { Problem } from "./api.js";
import { nextSteps } from "./job-item.js";
import { addressOf, copyLinks, turnLinksOn } from "./job-selection.js";
import { part } from "./page-part.js";
import { counted, say } from "./words.js";

/** @import { Item } from "./job-item.js" */
/** @import { Selection } from "./job-selection.js" */

/**
 * @typedef {object} Page
 * @property {string} job
 * @property {Selection} selection
 * @property {() => Item[]} shown
 * @property {() => Item[]} all
 * @property {(items: Item[]) => void} retry
 * @property {(text: string) => void} tell what went wrong
 */

/**
 * Follow the selection of `page`; `show` brings the bar up to date.
 * @param {Page} page
 */
export function followTaking(page) {
  const { job, selection } = page;
  const bar = part("taking", HTMLElement);
  const every = part("pick-all", HTMLInputElement);
  const preset = part("taking-preset", HTMLSelectElement);
  const retry = part("taking-retry", HTMLButtonElement);
  const told = part("taking-told", HTMLElement);
  const links = part("taking-links", HTMLButtonElement);
  const zip = part("taking-zip", HTMLAnchorElement);
  const table = part("taking-table", HTMLAnchorElement);

  const picked = () => page.all().filter((item) => selection.has(item));
  const show = () => {
    const some = picked();
    const shown = page.shown();
    const on = shown.reduce((sum, item) => sum + Number(selection.has(item)), 0);
    every.checked = on > 0 && on === shown.length;
    every.indeterminate = on > 0 && on < shown.length;
    every.disabled = shown.length === 0;
    bar.hidden = some.length === 0;
    if (some.length === 0) return;
    const all = some.length === page.all().length;
    told.textContent = counted("job.picked", some.length);
    zip.href = addressOf(job, "archive.zip", all ? [] : some, preset.value);
    table.href = addressOf(job, "results.csv", all ? [] : some, preset.value);
    const pictured = some.some((item) => item.state === "exported");
    zip.hidden = !pictured;
    links.hidden = !pictured;
    retry.hidden = !some.some((item) => nextSteps(item).includes("retry"));
  };

  const copy = async () => {
    const some = picked();
    try {
      told.textContent = await copyLinks(addressOf(job, "public-links.txt", some.length === page.all().length ? [] : some, preset.value));
    } catch (error) {
      if (error instanceof Problem && error.code === "public_links_off") part("links-dialog", HTMLDialogElement).showModal();
      else page.tell(say("job.not_copied", { reason: error instanceof Problem ? error.words : "" }));
    }
  };
  const dialog = part("links-dialog", HTMLDialogElement);
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "yes") return;
    turnLinksOn().then(() => {
      told.textContent = say("job.links_on");
    }, (error) => page.tell(error.words));
  });
  const clear = () => {
    selection.clear();
    every.focus();
  };
  every.addEventListener("change", () => selection.set(page.shown(), every.checked));
  preset.addEventListener("change", show);
  links.addEventListener("click", () => void copy());
  retry.addEventListener("click", () => page.retry(picked().filter((item) => nextSteps(item).includes("retry"))));
  part("taking-clear", HTMLButtonElement).addEventListener("click", clear);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && selection.size > 0 && !document.querySelector("dialog[open], :popover-open")) clear();
  });
  return { show };
}
