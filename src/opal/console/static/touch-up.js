/** The touch-up page: a brush on the matte, at the photo's own size, and the way back to new pictures. */

import { Problem, call } from "./api.js";
import { Easel } from "./easel.js";
import { zoomByButtons } from "./gestures.js";
import { readMatte, writeMatte } from "./matte-files.js";
import { part } from "./page-part.js";
import { askForRevision, followRevision } from "./revision.js";
import { say } from "./words.js";

const page = part("touch-up", HTMLElement);
const { job = "", item = "", address = "" } = page.dataset;
const revision = Number(page.dataset.revision);
const place = { job, item, event: Number(page.dataset.event) };
const trouble = part("trouble", HTMLElement);
const working = part("working", HTMLElement);
const save = part("save", HTMLButtonElement);
const undo = part("undo", HTMLButtonElement);
const redo = part("redo", HTMLButtonElement);
const size = part("size", HTMLInputElement);
const hardness = part("hardness", HTMLInputElement);
const keys = part("keys", HTMLDialogElement);
/** The photo is first shown with so many pixels along its longer side. */
const FIRST_SIDE = 2048;
const CURVE = 100;
let saving = false;

/** @param {string} query */
async function bitmap(query) {
  const answer = await fetch(`${address}/photo${query}`);
  if (!answer.ok) throw new Problem(answer.status, "unknown", "");
  return createImageBitmap(await answer.blob());
}

/** @param {unknown} error */
function tell(error) {
  trouble.textContent = (error instanceof Problem && error.words) || say("judge.no_matte");
  trouble.hidden = false;
  working.hidden = true;
}

async function begin() {
  const [matte, photo] = await Promise.all([readMatte(`${address}/matte?v=${revision}`), bitmap(`?side=${FIRST_SIDE}`)]);
  const easel = new Easel(part("easel", HTMLElement), matte, photo, () => bitmap(""));
  easel.changed = () => showState(easel);
  bind(easel);
  showState(easel);
  working.hidden = true;
  page.dataset.ready = "";
}

/** @param {Easel} easel */
function showState(easel) {
  undo.disabled = !easel.matte.canUndo || saving;
  redo.disabled = !easel.matte.canRedo || saving;
  save.disabled = !easel.matte.canUndo || saving;
  const most = easel.mostRadius;
  size.value = String(Math.round((Math.log(easel.brush.radius) / Math.log(most)) * CURVE));
  part("size-told", HTMLOutputElement).value = say("judge.pixels", { count: Math.round(2 * easel.brush.radius) });
  hardness.value = String(Math.round(easel.brush.hardness * 100));
  part("hardness-told", HTMLOutputElement).value = say("judge.zoom", { percent: Math.round(easel.brush.hardness * 100) });
  for (const [name, value] of [["brush", easel.brush.value ? "keep" : "erase"], ["view", easel.mode]]) {
    const choice = /** @type {HTMLInputElement} */ (page.querySelector(`[name=${name}][value=${value}]`));
    choice.checked = true;
  }
}

/** @param {Easel} easel */
function bind(easel) {
  zoomByButtons(easel.view, () => easel.paint());
  undo.addEventListener("click", () => easel.undo());
  redo.addEventListener("click", () => easel.redo());
  size.addEventListener("input", () => easel.setRadius(easel.mostRadius ** (Number(size.value) / CURVE)));
  hardness.addEventListener("input", () => easel.setHardness(Number(hardness.value) / 100));
  page.addEventListener("change", (event) => {
    const { name, value } = /** @type {HTMLInputElement} */ (event.target);
    if (name === "brush") easel.keep(value === "keep");
    if (name === "view") easel.show(value === "tint" ? "tint" : "result");
  });
  part("grounds", HTMLElement).addEventListener("input", (event) => {
    const { id, value } = /** @type {HTMLInputElement} */ (event.target);
    if (id === "colour") for (const each of /** @type {NodeListOf<HTMLInputElement>} */ (page.querySelectorAll("[name=ground]"))) each.checked = false;
    easel.onGround(value);
  });
  document.addEventListener("keydown", (event) => pressed(event, easel));
  part("show-keys", HTMLButtonElement).addEventListener("click", () => keys.showModal());
  save.addEventListener("click", () => void send(easel));
  addEventListener("beforeunload", (event) => {
    if (easel.matte.canUndo && !saving) event.preventDefault();
  });
}

/**
 * @param {KeyboardEvent} event
 * @param {Easel} easel
 */
function pressed(event, easel) {
  if (event.altKey || keys.open) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key === "z" && !event.shiftKey) easel.undo();
    else if (key === "y" || key === "z") easel.redo();
    else if (key === "s") save.click();
    else return;
    event.preventDefault();
    return;
  }
  const at = event.target instanceof HTMLElement ? event.target : document.body;
  if (at.matches("input:not([type=radio])")) return;
  if (key === "k" || key === "e") easel.keep(key === "k");
  else if (key === "x") easel.keep(easel.brush.value === 0);
  else if (key === "[") easel.setRadius(easel.brush.radius / 1.2);
  else if (key === "]") easel.setRadius(easel.brush.radius * 1.2);
  else if (key === "{") easel.setHardness(easel.brush.hardness - 0.1);
  else if (key === "}") easel.setHardness(easel.brush.hardness + 0.1);
  else if (key === "v") easel.show(easel.mode === "tint" ? "result" : "tint");
  else if (key === "?") keys.showModal();
  else if (!easel.press(event)) return;
  event.preventDefault();
}

/**
 * The matte goes up as a file of its own; then the item's pictures are made anew with it.
 * @param {Easel} easel
 */
async function send(easel) {
  if (saving || save.disabled) return;
  saving = true;
  page.toggleAttribute("data-working", true);
  trouble.hidden = true;
  showState(easel);
  try {
    showWork("judge.packing");
    const { width, height, data } = easel.matte;
    const file = await writeMatte({ width, height, data });
    const { id, upload } = await call("POST", `${address}/mattes`, { width, height });
    showWork("judge.sending");
    await put(upload, file);
    const number = await askForRevision(place, { matte: id }, revision);
    showWork("judge.remaking");
    const outcome = await followRevision(place, number, (state) => showWork(`state.${state}`));
    if (outcome.state === "done") return location.assign(part("leave", HTMLAnchorElement).href);
    throw new Problem(422, "failed", say("judge.remake_failed", { reason: outcome.reason }));
  } catch (error) {
    tell(error);
    saving = false;
    page.removeAttribute("data-working");
    showState(easel);
  }
}

/**
 * @param {{method: string, url: string, headers: Record<string, string>}} upload
 * @param {Blob} file
 */
async function put(upload, file) {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(upload.url, { method: upload.method, headers: upload.headers, body: file });
  } catch {
    throw new Problem(0, "unreachable", "");
  }
  if (!answer.ok) throw new Problem(answer.status, "unknown", say("judge.not_sent"));
}

/** @param {string} name */
function showWork(name) {
  working.hidden = false;
  working.textContent = say(name);
}

begin().catch(tell);
