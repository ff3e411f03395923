/** The job page, live: every photo as it stands, changes as they happen, what failed mended, results taken. */

import { Problem, call } from "./api.js";
import { newCard, showCard } from "./job-card.js";
import { change, hasEnded, itemOf, nextSteps, waitsForReview } from "./job-item.js";
import { Repair } from "./job-repair.js";
import { Selection } from "./job-selection.js";
import { Sift } from "./job-sift.js";
import { JobStream } from "./job-stream.js";
import { followTaking } from "./job-taking.js";
import { part } from "./page-part.js";
import { droppedFiles } from "./photos.js";
import { WindowGrid } from "./window-grid.js";
import { counted, number, say } from "./words.js";

/** @import { Item } from "./job-item.js" */

const AGAIN_MS = 3000;

const page = part("job", HTMLElement);
const job = page.dataset.job ?? "";
const live = part("live", HTMLElement);
const trouble = part("trouble", HTMLElement);
const cancel = part("cancel", HTMLButtonElement);
const retryAll = part("retry-all", HTMLButtonElement);
const file = part("new-photo", HTMLInputElement);
const overlay = part("overlay", HTMLElement);
const missing = document.getElementById("missing-photos");
const mayChange = "mayChange" in page.dataset;

/** @type {Item[]} */
let items = [];
/** @type {Item[]} */
let shown = [];
/** @type {Map<string, Item>} */
const byId = new Map();
/** Of a job that is over the story is only read once more. */
let finished = "finished" in page.dataset;
/** @type {Item | null} whose photo is being chosen */
let replaced = null;
/** Items whose cards are brought up to date with the next frame. */
/** @type {Set<Item>} */
const stale = new Set();

const selection = new Selection((ids) => {
  for (const id of ids) touched(byId.get(id));
});
const grid = new WindowGrid(part("items", HTMLUListElement), {
  key: (/** @type {Item} */ item) => item.id,
  create: (item) => newCard(part("item-card", HTMLTemplateElement), item),
  update: (card, item) => showCard(card, item, job, selection.has(item)),
});
const sift = new Sift(part("sift", HTMLFormElement), () => {
  show(undefined);
  taking.show();
});
const repair = new Repair(job, { mostBytes: Number(page.dataset.mostBytes), blobsHere: "blobsHere" in page.dataset }, {
  changed: touched,
  told: (item, answer) => {
    Object.assign(item, itemOf(answer, item.place, { ...item, times: {}, sending: "", stuck: false }), { pictured: false });
    touched(item);
  },
  again: () => {
    finished = false;
    stream.follow();
  },
});
const stream = new JobStream(job, {
  item: (told) => {
    const item = byId.get(told.item_id);
    if (!item) return;
    change(item, told);
    touched(item);
  },
  job: jobChanged,
  how: (how) => {
    live.hidden = finished;
    live.textContent = say(how === "offline" ? "job.offline" : how);
  },
  refused: () => setTimeout(() => void load(), AGAIN_MS),
});
const taking = followTaking({ job, selection, shown: () => shown, all: () => items, retry: (some) => void repair.retry(some), tell });

/** @param {Item | undefined} item */
function touched(item) {
  if (!item) return;
  if (stale.size === 0) requestAnimationFrame(paint);
  stale.add(item);
}

function paint() {
  const changed = [...stale];
  stale.clear();
  if (!sift.idle) show(focused());
  for (const item of changed) grid.changed(item);
  showCounts();
  taking.show();
}

/** The item whose card has the focus: it is not taken from under anybody's fingers. */
function focused() {
  const card = document.activeElement?.closest(".card");
  return card instanceof HTMLElement ? byId.get(card.dataset.item ?? "") : undefined;
}

/** @param {Item | undefined} held */
function show(held) {
  shown = sift.of(items, held);
  grid.show(shown);
  part("nothing", HTMLElement).hidden = shown.length > 0 || items.length === 0;
}

function showCounts() {
  sift.count(items);
  const again = mayChange ? items.filter((item) => nextSteps(item).includes("retry")).length : 0;
  retryAll.hidden = again === 0;
  retryAll.textContent = counted("job.retry_all", again);
  showCount("failed", items.filter((item) => item.state === "failed").length);
  showCount("cancelled", items.filter((item) => item.state === "cancelled").length);
  showCount("review", items.filter(waitsForReview).length);
}

/** @param {{status: string, counts: Record<string, number>, finished: boolean}} told */
function jobChanged(told) {
  const ended = new Set(["exported", "failed", "cancelled"]);
  const done = Object.entries(told.counts).reduce((sum, [state, count]) => sum + (ended.has(state) ? count : 0), 0);
  const progress = part("done", HTMLProgressElement);
  progress.value = done;
  const status = part("status", HTMLElement);
  const text = say(`status.${told.status}`);
  status.className = `status ${told.status}`;
  if (status.textContent !== text) status.textContent = text;
  const line = counted("progress", items.length, { done: number(done) });
  progress.ariaLabel = line;
  part("counted", HTMLElement).textContent = line;
  part("download", HTMLElement).hidden = !told.counts.exported;
  cancel.hidden = told.finished || !mayChange;
  finished = told.finished;
  if (finished) {
    stream.unfollow();
    live.hidden = true;
  }
}

/**
 * @param {string} name
 * @param {number} count
 */
function showCount(name, count) {
  const place = part(name, HTMLElement);
  place.hidden = count === 0;
  const text = counted(name, count);
  if (place.textContent !== text) place.textContent = text;
}

/** Every photo as it stands; what happens afterwards comes by events. */
async function load() {
  try {
    const told = await call("GET", `/v1/jobs/${job}`);
    items = told.items.map((/** @type {any} */ each, /** @type {number} */ index) => itemOf(each, index + 1, byId.get(each.id)));
    for (const item of items) byId.set(item.id, item);
    show(undefined);
    for (const item of shown) grid.changed(item);
    showCounts();
    taking.show();
    tell("");
    // Of a job that is over, the story is still read once: it has the times of the steps.
    if (items.every(hasEnded) && stream.last) jobChanged({ ...told, finished: true });
    else stream.follow();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.passing) setTimeout(() => void load(), AGAIN_MS);
    else tell(error.words);
  }
}

/** @param {string} text */
function tell(text) {
  trouble.textContent = text;
  trouble.hidden = text === "";
}

/**
 * Each photo goes to the one of its name that failed.
 * @param {File[]} files
 * @param {Item | undefined} onto where they were dropped: a single one may have any name
 */
function take(files, onto) {
  const [only] = files;
  if (only && files.length === 1 && onto && nextSteps(onto).includes("replace")) return void repair.replace([[onto, only]]);
  // A job that waits for photos takes those that replace none; its section says which it waits for.
  const waits = missing !== null && (items.length === 0 || items.some(({ state }) => state === "created"));
  /** @type {[Item, File][]} */
  const pairs = [];
  const left = files.filter((each) => {
    const named = items.filter(({ filename }) => filename.toLowerCase() === each.name.toLowerCase());
    const item = named.find((some) => nextSteps(some).includes("replace"));
    if (item) pairs.push([item, each]);
    return !item;
  });
  if (waits && left.length) missing?.dispatchEvent(new CustomEvent("photos", { detail: left }));
  tell(left.length && !waits ? say("job.unmatched", { names: left.slice(0, 5).map(({ name }) => name).join(", ") + (left.length > 5 ? ", …" : "") }) : "");
  return void repair.replace(pairs);
}

part("items", HTMLUListElement).addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  const card = target.closest(".card");
  const item = card instanceof HTMLElement ? byId.get(card.dataset.item ?? "") : undefined;
  if (!item) return;
  if (target instanceof HTMLInputElement) selection.pick(item, target.checked, event.shiftKey ? shown : []);
  const step = target.closest("[data-next]")?.getAttribute("data-next");
  if (step === "retry") void repair.retry([item]);
  if (step === "replace") {
    replaced = item;
    file.click();
  }
});
file.addEventListener("change", () => {
  const [chosen] = file.files ?? [];
  if (chosen && replaced) void repair.replace([[replaced, chosen]]);
  file.value = "";
});
retryAll.addEventListener("click", () => void repair.retry(items.filter((item) => nextSteps(item).includes("retry"))));
part("show-all", HTMLButtonElement).addEventListener("click", () => sift.clear());

addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  overlay.hidden = !mayChange || !items.some((item) => item.state === "created" || nextSteps(item).includes("replace"));
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) overlay.hidden = true;
});
addEventListener("drop", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  overlay.hidden = true;
  const card = /** @type {Element} */ (event.target).closest(".card");
  const onto = card instanceof HTMLElement ? byId.get(card.dataset.item ?? "") : undefined;
  if (mayChange) void droppedFiles(event.dataTransfer).then((files) => take(files, onto));
});

const dialog = part("cancel-dialog", HTMLDialogElement);
cancel.addEventListener("click", () => dialog.showModal());
dialog.addEventListener("close", () => {
  if (dialog.returnValue !== "yes") return;
  call("DELETE", `/v1/jobs/${job}`).then(
    () => missing?.toggleAttribute("hidden", true),
    (error) => tell(say("cancel_failed", { reason: error.words })),
  );
});
const pages = document.getElementById("pages");
if (pages) pages.hidden = true;
cancel.hidden = "finished" in page.dataset || !mayChange;
await load();
// From now on cards can be picked.
page.classList.add("scripted");
