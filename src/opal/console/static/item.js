/** The item page and the review queue: look, compare, say what you think. */

import { Problem, call } from "./api.js";
import { zoomByButtons } from "./gestures.js";
import { otherLook } from "./other-look.js";
import { PictureStage } from "./picture-stage.js";
import { askForRevision, followRevision } from "./revision.js";
import { say } from "./words.js";

/**
 * @template {Element} E
 * @param {string} id
 * @param {new (...values: any[]) => E} kind
 * @returns {E | null}
 */
function part(id, kind) {
  const found = document.getElementById(id);
  return found instanceof kind ? found : null;
}

const page = /** @type {HTMLElement} */ (part("item", HTMLElement));
const { job = "", item = "", address = "", queue, before, after } = page.dataset;
const revision = Number(page.dataset.revision);
const place = { job, item, event: Number(page.dataset.event) };
const stage = part("stage", PictureStage);
const trouble = /** @type {HTMLElement} */ (part("trouble", HTMLElement));
const working = /** @type {HTMLElement} */ (part("working", HTMLElement));
const keys = part("keys", HTMLDialogElement);
const thumbs = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll("#strip .thumb")]);
const photo = {
  width: Number(page.dataset.photoWidth),
  height: Number(page.dataset.photoHeight),
  address: (/** @type {number} */ side) => sized("photo", side),
};
let chosen = thumbs.find((thumb) => thumb.ariaPressed === "true") ?? null;
let ground = "checker";

/**
 * Address of one of the item's own pictures; the largest size is the picture itself.
 * @param {string} name
 * @param {number} side
 */
function sized(name, side) {
  const query = side < Math.max(photo.width, photo.height) ? `side=${side}&` : "";
  return `${address}/${name}?${query}v=${revision}`;
}

/** @param {HTMLButtonElement} thumb */
function shownOf(thumb) {
  const { picture, name = "", src = "", width, height, lying } = thumb.dataset;
  const [scale = 1, x = 0, y = 0, degrees = 0] = (lying ?? "").split(" ").map(Number);
  const file = picture === "cutout" ? (ground === "matte" ? "matte" : "cutout") : "";
  return {
    name: file === "matte" ? say("judge.matte") : name,
    width: Number(width),
    height: Number(height),
    address: (/** @type {number} */ side) => (file ? sized(file, side) : src),
    lying: lying ? { scale, x, y, degrees } : null,
  };
}

/** @param {HTMLButtonElement} thumb */
function choose(thumb) {
  chosen = thumb;
  for (const each of thumbs) each.ariaPressed = String(each === thumb);
  for (const report of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".report"))) {
    report.toggleAttribute("data-later", report.dataset.picture !== thumb.dataset.picture);
  }
  showInStrip(thumb);
  stage?.show(shownOf(thumb), photo);
}

/**
 * Along its strip alone: the page itself stays where it is.
 * @param {HTMLButtonElement} thumb
 */
function showInStrip(thumb) {
  const strip = thumb.parentElement;
  if (!strip) return;
  const [seen, place] = [strip.getBoundingClientRect(), thumb.getBoundingClientRect()];
  strip.scrollLeft += Math.min(0, place.left - seen.left) + Math.max(0, place.right - seen.right);
}

/** The ground below what is transparent. The matte is another picture, of the cut-out alone. */
function groundChanged() {
  const picked = /** @type {HTMLInputElement | null} */ (document.querySelector("#grounds [name=ground]:checked"));
  ground = picked?.value ?? "colour";
  if (!stage) return;
  stage.dataset.ground = ground === "matte" ? "black" : ground;
  stage.style.setProperty("--any", part("colour", HTMLInputElement)?.value ?? "");
  const cutout = thumbs.find((thumb) => thumb.dataset.picture === "cutout");
  if (ground === "matte" && cutout) choose(cutout);
  else if (chosen) choose(chosen);
}

/** @param {unknown} error */
function tell(error) {
  if (!(error instanceof Problem)) throw error;
  trouble.textContent = error.words;
  trouble.hidden = false;
  trouble.scrollIntoView({ block: "nearest" });
}

/** @param {"accepted" | "rejected" | null} verdict */
async function judge(verdict) {
  trouble.hidden = true;
  try {
    await call("POST", `${address}/verdict`, { verdict });
    if (queue) location.assign(`${queue}?after=${item}`);
    else location.reload();
  } catch (error) {
    tell(error);
  }
}

/**
 * Have the pictures made anew, and show them.
 * @param {Record<string, unknown>} wanted
 */
async function remake(wanted) {
  trouble.hidden = true;
  const number = await askForRevision(place, wanted, revision);
  page.toggleAttribute("data-working", true);
  working.hidden = false;
  working.textContent = say("judge.remaking");
  try {
    const outcome = await followRevision(place, number, (state) => (working.textContent = say(`state.${state}`)));
    if (outcome.state === "done") return location.reload();
    trouble.textContent = say("judge.remake_failed", { reason: outcome.reason });
    trouble.hidden = false;
  } catch (error) {
    tell(error);
  }
  working.hidden = true;
  page.removeAttribute("data-working");
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const at = event.target instanceof HTMLElement ? event.target : document.body;
  if (at.matches("input:not([type=radio]), select, textarea")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (act(key, at)) event.preventDefault();
}

/**
 * @param {string} key
 * @param {HTMLElement} at what has the focus
 * @returns {boolean} whether the key means something here
 */
function act(key, at) {
  const free = !at.matches("button, a, summary, input");
  if (key === "?") keys?.showModal();
  else if (key === " " && free && stage) stage.toggle();
  else if (/^[1-9]$/.test(key) && thumbs[Number(key) - 1]) choose(/** @type {HTMLButtonElement} */ (thumbs[Number(key) - 1]));
  else if (key === "c") thumbs.find((thumb) => thumb.dataset.picture === "cutout")?.click();
  else if (key === "a" || key === "r") document.querySelector(`button[data-verdict=${key === "a" ? "accepted" : "rejected"}]`)?.dispatchEvent(new MouseEvent("click"));
  else if (key === "l") document.getElementById("later")?.click();
  else if (key === "t") /** @type {HTMLElement | null} */ (document.querySelector('a[href*="/touch-up"]'))?.click();
  else if (key === "o") document.getElementById("other-look")?.click();
  else if (stage?.press(key)) return true;
  else if (key === "ArrowLeft" && before && !at.matches("input")) location.assign(before);
  else if (key === "ArrowRight" && after && !at.matches("input")) location.assign(after);
  else return false;
  return true;
}

/** An item that is on its way is shown anew when it is there. */
function awaitPictures() {
  const source = new EventSource(`/v1/jobs/${job}/events?after=${place.event}`);
  source.addEventListener("item", (event) => {
    const change = JSON.parse(event.data);
    if (change.item_id !== item) return;
    working.hidden = false;
    working.textContent = say(`state.${change.state}`);
    if (["exported", "failed", "cancelled"].includes(change.state)) location.reload();
  });
}

for (const thumb of thumbs) thumb.addEventListener("click", () => choose(thumb));
for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("button[data-verdict]"))) {
  button.addEventListener("click", () => void judge(/** @type {any} */ (button.dataset.verdict || null)));
}
document.getElementById("grounds")?.addEventListener("input", (event) => {
  if (event.target === document.getElementById("colour")) {
    for (const each of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("#grounds [name=ground]"))) each.checked = false;
  }
  groundChanged();
});
document.getElementById("show-keys")?.addEventListener("click", () => keys?.showModal());
document.addEventListener("keydown", pressed);
if (stage) {
  if (chosen) choose(chosen);
  else stage.show({ name: say("judge.photo"), width: photo.width, height: photo.height, address: photo.address, lying: { scale: 1, x: 0, y: 0, degrees: 0 } }, photo);
  zoomByButtons(stage.view, () => stage.changed());
}
otherLook(remake);
if (["uploaded", "queued", "processing", "completed"].includes(page.dataset.state ?? "")) awaitPictures();
if (page.dataset.nextPhoto) {
  for (const name of ["photo?side=1600", "cutout?side=1600"]) new Image().src = `${page.dataset.nextPhoto}/${name}`;
}
page.dataset.ready = "";
