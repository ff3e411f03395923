/** The job page, live: every photo as it stands, changes as they happen. */

import { Problem, call } from "./api.js";
import { WindowGrid } from "./window-grid.js";
import { counted, number, say } from "./words.js";

/**
 * @typedef {object} Item
 * @property {string} id
 * @property {string} name
 * @property {string} state
 * @property {string} trouble
 * @property {boolean} review
 * @property {Record<string, number>} times when each state was entered last, ms
 */

/**
 * @template {Element} E
 * @param {string} id
 * @param {new (...values: any[]) => E} kind
 * @returns {E}
 */
function part(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no #${id}`);
  return found;
}

const page = part("job", HTMLElement);
const job = page.dataset.job ?? "";
const live = part("live", HTMLElement);
const trouble = part("trouble", HTMLElement);
const cancel = part("cancel", HTMLButtonElement);
const finishedStates = new Set(["exported", "failed", "cancelled"]);

/** @type {Item[]} */
let items = [];
/** @type {Map<string, Item>} */
const byId = new Map();
/** @type {EventSource | null} */
let source = null;
let lastEvent = "";
let finished = false;
/** Items whose cards are brought up to date with the next frame. */
/** @type {Set<Item>} */
const stale = new Set();

const grid = new WindowGrid(part("items", HTMLUListElement), {
  key: (/** @type {Item} */ item) => item.id,
  create: newCard,
  update: showItem,
});

/** @param {Item} item */
function newCard(item) {
  const card = /** @type {HTMLElement} */ (part("item-card", HTMLTemplateElement).content.firstElementChild?.cloneNode(true));
  card.dataset.item = item.id;
  const name = /** @type {HTMLElement} */ (card.querySelector(".card-name"));
  name.textContent = item.name;
  name.title = item.name;
  return card;
}

/**
 * @param {HTMLElement} card
 * @param {Item} item
 */
function showItem(card, item) {
  const image = /** @type {HTMLImageElement} */ (card.querySelector("img"));
  const note = /** @type {HTMLElement} */ (card.querySelector(".tile-note"));
  const state = /** @type {HTMLElement} */ (card.querySelector(".card-state"));
  const steps = /** @type {HTMLElement} */ (card.querySelector(".card-steps"));
  card.dataset.state = item.state;
  card.toggleAttribute("data-review", item.review);
  state.textContent = say(item.review && item.state === "exported" ? "state.review" : `state.${item.state}`);
  steps.textContent = stepsOf(item);
  steps.title = steps.textContent;
  note.textContent = item.state === "failed" ? item.trouble : "";
  note.hidden = note.textContent === "";
  const address = item.state === "exported" ? `/v1/jobs/${job}/items/${item.id}/preview` : thumbnailOf(item);
  if (address && image.getAttribute("src") !== address) {
    image.loading = "lazy";
    image.src = address;
    image.onerror = () => {
      image.hidden = true;
    };
  }
  image.hidden = !address;
}

/** @param {Item} item */
function thumbnailOf(item) {
  return sessionStorage.getItem(`thumbnail:${item.id}`) ?? "";
}

/**
 * How long each step took, as far as it is done.
 * @param {Item} item
 */
function stepsOf(item) {
  const { uploaded, processing, completed, exported } = item.times;
  /** @type {[string, number | undefined, number | undefined][]} */
  const steps = [["step_wait", uploaded, processing], ["step_cut", processing, completed], ["step_export", completed, exported]];
  return steps
    .filter(([, from, to]) => from !== undefined && to !== undefined && to >= from)
    .map(([name, from, to]) => say(name, { seconds: ((Number(to) - Number(from)) / 1000).toFixed(1) }))
    .slice(item.state === "exported" ? 1 : 0)
    .join(" · ");
}

function paint() {
  for (const item of stale) grid.changed(item);
  stale.clear();
}

/** @param {MessageEvent} event */
function itemChanged(event) {
  lastEvent = event.lastEventId;
  const change = JSON.parse(event.data);
  const item = byId.get(change.item_id);
  if (!item) return;
  item.state = change.state;
  item.review = change.review || (item.review && change.state === "exported");
  item.trouble = change.state === "failed" ? (change.message ?? item.trouble) : "";
  item.times[change.state] = Date.parse(change.at);
  if (stale.size === 0) requestAnimationFrame(paint);
  stale.add(item);
}

/** @param {{status: string, counts: Record<string, number>, review: number, finished: boolean}} change */
function jobChanged(change) {
  const counts = change.counts;
  const done = Object.entries(counts).reduce((sum, [state, count]) => sum + (finishedStates.has(state) ? count : 0), 0);
  const progress = part("done", HTMLProgressElement);
  progress.value = done;
  const status = part("status", HTMLElement);
  const text = say(`status.${change.status}`);
  status.className = `status ${change.status}`;
  if (status.textContent !== text) status.textContent = text;
  const line = say("progress", { done: number(done), total: number(items.length) });
  progress.ariaLabel = line;
  part("counted", HTMLElement).textContent = line;
  showCount("failed", counts.failed ?? 0);
  showCount("review", change.review);
  part("download", HTMLElement).hidden = !counts.exported;
  cancel.hidden = change.finished;
  finished = change.finished;
  if (finished) {
    unfollow();
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
  place.textContent = counted(name, count);
}

function follow() {
  if (source || finished || document.hidden) return;
  // An EventSource that is made anew cannot say where it was; one that reconnects by itself does.
  source = new EventSource(`/v1/jobs/${job}/events${lastEvent ? `?after=${lastEvent}` : ""}`);
  source.addEventListener("item", itemChanged);
  source.addEventListener("job", (event) => jobChanged(JSON.parse(event.data)));
  source.onopen = () => showLive("live");
  source.onerror = () => {
    showLive("reconnecting");
    // The server said no: the session may have ended, or the job is over and all of it was seen.
    if (source?.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(() => void load(), 3000);
    }
  };
}

function unfollow() {
  source?.close();
  source = null;
}

/** @param {string} name */
function showLive(name) {
  live.hidden = finished;
  live.textContent = say(name);
}

/** Every photo as it stands; what happens afterwards comes by events. */
async function load() {
  try {
    const told = await call("GET", `/v1/jobs/${job}`);
    items = told.items.map((/** @type {any} */ each) => ({ ...itemOf(each), times: byId.get(each.id)?.times ?? {} }));
    for (const item of items) byId.set(item.id, item);
    grid.show(items);
    items.forEach((item) => grid.changed(item));
    trouble.hidden = true;
    const ended = items.every((item) => finishedStates.has(item.state));
    // Of a job that is over, the story is still read once: it has the times of the steps.
    if (ended && lastEvent) jobChanged({ ...told, finished: true });
    else follow();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.passing) {
      setTimeout(() => void load(), 3000);
      return;
    }
    trouble.textContent = error.status === 401 ? say("signed_out") : error.message;
    trouble.hidden = false;
  }
}

/**
 * @param {any} told
 * @returns {Item}
 */
function itemOf(told) {
  return { id: told.id, name: told.sku ?? told.filename, state: told.state, trouble: told.error?.message ?? "", review: told.review, times: {} };
}

const dialog = part("cancel-dialog", HTMLDialogElement);
cancel.addEventListener("click", () => dialog.showModal());
dialog.addEventListener("close", () => {
  if (dialog.returnValue !== "yes") return;
  call("DELETE", `/v1/jobs/${job}`).catch((error) => {
    trouble.textContent = say("cancel_failed", { reason: error.message });
    trouble.hidden = false;
  });
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    unfollow();
    if (!finished) showLive("paused");
  } else {
    follow();
  }
});
const pages = document.getElementById("pages");
if (pages) pages.hidden = true;
cancel.hidden = "finished" in page.dataset;
await load();
