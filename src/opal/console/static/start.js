/** The start page: photos come in, the look is chosen, the job is made and its photos are sent. */

import { Problem, call } from "./api.js";
import { estimate } from "./estimate.js";
import { LookChoice } from "./look-choice.js";
import { SceneGallery } from "./look-gallery.js";
import { OwnScenes } from "./look-own.js";
import { BrandProfiles } from "./look-profiles.js";
import { part } from "./page-part.js";
import { photoOf, droppedFiles, thumbnailOf } from "./photos.js";
import { TransferPace } from "./transfer-pace.js";
import { rememberPhotos } from "./sent-photos.js";
import { sendAll } from "./upload-queue.js";
import { WindowGrid } from "./window-grid.js";
import { counted, number, percent, say } from "./words.js";

/** @import { Photo } from "./photos.js" */

const form = part("start", HTMLFormElement);
const go = part("go", HTMLButtonElement);
const again = part("again", HTMLButtonElement);
const watch = part("watch", HTMLAnchorElement);
const trouble = part("trouble", HTMLElement);
const summary = part("summary", HTMLElement);
const cost = part("cost", HTMLElement);
const sent = part("sent", HTMLProgressElement);
const told = part("told", HTMLElement);
const mostPhotos = Number(form.dataset.mostPhotos);
const mostBytes = Number(form.dataset.mostBytes);
let credits = Number(form.dataset.credits);
const blobsHere = "blobsHere" in form.dataset;

/** @type {Photo[]} */
let photos = [];
let job = "";
let sending = false;
/** The same for every try of one order, so that an answer that got lost makes no second job. */
let orderKey = crypto.randomUUID();

const grid = new WindowGrid(part("photos", HTMLUListElement), {
  key: (/** @type {Photo} */ photo) => photo.id,
  create: newCard,
  update: showPhoto,
});

const own = new OwnScenes(form, lookChanged);
const choice = new LookChoice(form, own);
const gallery = new SceneGallery(
  part("scenes", HTMLElement),
  part("preview-note", HTMLElement),
  { scenes: wantedScenes, placement: () => choice.placement() },
  Number(form.dataset.doubtBelow),
);
const profiles = new BrandProfiles(form, choice, lookChanged);

/** Every scene of the gallery, what is chosen first. */
function wantedScenes() {
  const cards = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("label.scene:not([hidden])")]);
  const chosen = own.chosen;
  const order = chosen ? [chosen, ...cards.filter((card) => card !== chosen)] : cards;
  return order.slice(0, 32).map((card) => ({ card, scene: own.of(card) }));
}

function lookChanged() {
  profiles.show();
  showSummary();
  gallery.refresh();
}

/** @param {Photo} photo */
function newCard(photo) {
  const card = /** @type {HTMLElement} */ (part("photo-card", HTMLTemplateElement).content.firstElementChild?.cloneNode(true));
  const name = /** @type {HTMLElement} */ (card.querySelector(".card-name"));
  name.textContent = photo.file.name;
  name.title = photo.file.name;
  const remove = /** @type {HTMLButtonElement} */ (card.querySelector(".remove"));
  remove.ariaLabel = say("remove", { name: photo.file.name });
  remove.onclick = () => {
    const next = photos[photos.indexOf(photo) + 1] ?? photos.at(-2);
    setPhotos(photos.filter((each) => each !== photo));
    const neighbour = document.querySelector(`[data-photo="${next?.id}"] .remove`);
    if (neighbour instanceof HTMLElement) neighbour.focus();
  };
  const seen = /** @type {HTMLButtonElement} */ (card.querySelector(".show-this"));
  seen.ariaLabel = say("show_this", { name: photo.file.name });
  seen.onclick = () => showInScenes(photo);
  card.dataset.photo = photo.id;
  void showThumbnail(card, photo);
  return card;
}

/** @param {Photo | null} photo */
function showInScenes(photo) {
  const before = gallery.photo;
  gallery.show(photo);
  for (const each of [before, photo]) if (each) grid.changed(each);
}

/**
 * @param {HTMLElement} card
 * @param {Photo} photo
 */
async function showThumbnail(card, photo) {
  if (photo.trouble && !photo.item) return;
  const address = await thumbnailOf(photo);
  const image = /** @type {HTMLImageElement} */ (card.querySelector("img"));
  const note = /** @type {HTMLElement} */ (card.querySelector(".tile-note"));
  if (address) {
    image.src = address;
    image.hidden = false;
  } else if (!photo.trouble) {
    note.textContent = say("no_preview");
    note.hidden = false;
  }
}

/**
 * @param {HTMLElement} card
 * @param {Photo} photo
 */
function showPhoto(card, photo) {
  const note = /** @type {HTMLElement} */ (card.querySelector(".tile-note"));
  const state = /** @type {HTMLElement} */ (card.querySelector(".card-state"));
  const bar = /** @type {HTMLProgressElement} */ (card.querySelector("progress"));
  card.classList.toggle("bad", photo.trouble !== "");
  card.classList.toggle("sent", photo.state === "accepted");
  if (photo.trouble) {
    note.textContent = photo.trouble;
    note.hidden = false;
  }
  state.textContent = photo.trouble ? say("bad_state") : stateText(photo);
  const seen = /** @type {HTMLButtonElement} */ (card.querySelector(".show-this"));
  seen.hidden = photo.trouble !== "" || job !== "";
  seen.ariaPressed = String(gallery.photo === photo);
  bar.hidden = photo.trouble !== "" || !["uploading", "checking"].includes(photo.state);
  bar.ariaLabel = photo.file.name;
  bar.value = photo.file.size ? photo.sent / photo.file.size : 0;
}

/** @param {Photo} photo */
function stateText(photo) {
  switch (photo.state) {
    case "uploading":
      return say("uploading", { percent: percent(photo.sent / photo.file.size) });
    case "checking":
      return say("checking");
    case "retrying":
      return say(navigator.onLine ? "retrying" : "offline");
    case "accepted":
      return say("accepted");
    case "stuck":
      return say("gave_up");
    default:
      return say("waiting");
  }
}

/** @param {Photo[]} now */
function setPhotos(now) {
  photos = now;
  part("drop", HTMLElement).hidden = photos.length > 0;
  part("photo-tools", HTMLElement).hidden = photos.length === 0 || job !== "";
  grid.show(photos);
  const fine = usable();
  if (!job && !(gallery.photo && fine.includes(gallery.photo))) showInScenes(fine[0] ?? null);
  showSummary();
}

/** @param {File[]} files */
function add(files) {
  if (job || files.length === 0) return;
  const room = mostPhotos - photos.length;
  const fresh = files.filter((file) => !isThere(file)).map((file) => photoOf(file, mostBytes));
  tell(fresh.length > room ? say("too_many", { limit: number(mostPhotos) }) : "");
  setPhotos([...photos, ...fresh.slice(0, room)]);
  told.textContent = say("added", { photos: counted("photos", Math.min(fresh.length, room)) });
}

/** @param {File} file */
function isThere(file) {
  return photos.some(({ file: other }) => other.name === file.name && other.size === file.size && other.lastModified === file.lastModified);
}

function usable() {
  return photos.filter((photo) => photo.trouble === "");
}

function showSummary() {
  if (job) return;
  const count = usable().length;
  const presets = choice.presets().length;
  const scene = own.chosen?.querySelector(".scene-name")?.textContent?.trim() ?? "";
  summary.textContent = photos.length === 0 ? say("no_photos")
    : presets === 0 ? say("nothing_chosen")
    : say("summary", { photos: counted("photos", count), scene, formats: counted("formats", presets) });
  const told = estimate(count, presets, credits, photos.length - count);
  cost.classList.toggle("bad", !told.payable);
  cost.textContent = photos.length === 0 ? say("balance", { count: number(credits) }) : told.text;
  go.disabled = sending || count === 0 || presets === 0 || !told.payable;
}

/** @param {string} text */
function tell(text) {
  trouble.textContent = text;
  trouble.hidden = text === "";
}

function order() {
  return {
    name: part("name", HTMLInputElement).value.trim(),
    ...choice.read(),
    items: usable().map((photo) => ({ filename: photo.file.name.slice(0, 255) })),
  };
}

async function start() {
  sending = true;
  tell("");
  go.disabled = true;
  go.textContent = say("starting");
  const going = usable();
  try {
    const made = await call("POST", "/v1/jobs", order(), { "Idempotency-Key": orderKey });
    job = made.id;
    going.forEach((photo, index) => {
      photo.item = made.items[index].id;
      photo.state = "waiting";
    });
  } catch (error) {
    tell(wordsOf(error));
    sending = false;
    go.textContent = starting;
    // Another order from now on, unless this one may have arrived.
    if (error instanceof Problem && !error.passing) orderKey = crypto.randomUUID();
    if (error instanceof Problem && error.status === 402) await countCredits();
    return showSummary();
  }
  rememberPhotos(job, going);
  gallery.stop();
  watch.href = `/jobs/${job}`;
  go.hidden = true;
  form.classList.add("sending");
  for (const field of form.querySelectorAll("section:not(:first-of-type)")) field.setAttribute("inert", "");
  setPhotos(photos);
  window.scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  await send(going);
}

/** @param {Photo[]} going */
async function send(going) {
  sending = true;
  again.hidden = true;
  sent.hidden = false;
  const pace = new TransferPace();
  const show = () => showProgress(going, pace);
  const clock = setInterval(show, 500);
  try {
    await sendAll(job, going.filter((photo) => photo.state !== "accepted" && !photo.trouble), blobsHere, {
      changed: (photo) => grid.changed(photo),
      refused: (photo, problem) => {
        photo.trouble = problem.message || problem.code;
        grid.changed(photo);
      },
    });
  } finally {
    clearInterval(clock);
    sending = false;
  }
  show();
  await finish(going);
}

/**
 * @param {Photo[]} going
 * @param {TransferPace} pace
 */
function showProgress(going, pace) {
  const counts = going.filter((photo) => !photo.trouble);
  const whole = counts.reduce((sum, photo) => sum + photo.file.size, 0);
  const arrived = counts.reduce((sum, photo) => sum + photo.sent, 0);
  const done = counts.filter((photo) => photo.state === "accepted").length;
  const share = whole ? arrived / whole : 0;
  sent.value = share;
  summary.textContent = counted("total", counts.length, { done: number(done), percent: percent(share) });
  const seconds = pace.secondsLeft(arrived, whole);
  cost.textContent = !navigator.onLine ? say("offline")
    : seconds === null || done === counts.length ? ""
    : seconds < 90 ? say("left_seconds", { count: Math.max(1, Math.round(seconds)) })
    : say("left_minutes", { count: Math.round(seconds / 60) });
}

/** @param {Photo[]} going */
async function finish(going) {
  const accepted = going.filter((photo) => photo.state === "accepted");
  const stuck = going.filter((photo) => photo.state === "stuck");
  watch.hidden = accepted.length === 0;
  again.hidden = stuck.length === 0;
  if (stuck.length > 0) {
    tell(await sessionEnded() ? say("signed_out") : say("gave_up"));
  } else if (accepted.length === 0) {
    summary.textContent = say("none_usable");
    cost.textContent = "";
  } else if (accepted.length < photos.length) {
    summary.textContent = say("sent_some");
  } else {
    summary.textContent = say("sent_all");
    await keepThumbnails(accepted);
    location.assign(`/jobs/${job}`);
  }
}

/** Other pages and people spend credits, too. */
async function countCredits() {
  try {
    credits = (await call("GET", "/v1/credits?limit=1")).available;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
  showSummary();
}

async function sessionEnded() {
  try {
    await call("GET", "/v1/jobs?limit=1");
    return false;
  } catch (error) {
    return error instanceof Problem && error.status === 401;
  }
}

/**
 * Hand the thumbnails to the job page, which shows them until there are pictures. As many as there is room for.
 * @param {Photo[]} accepted
 */
async function keepThumbnails(accepted) {
  for (const photo of accepted) {
    const address = await thumbnailOf(photo);
    try {
      if (address) sessionStorage.setItem(`thumbnail:${photo.item}`, address);
    } catch {
      return;
    }
  }
}

/** @param {unknown} error */
function wordsOf(error) {
  if (!(error instanceof Problem)) throw error;
  return error.status === 0 || error.status === 401 ? error.words : say("failed_start", { reason: error.message });
}

const starting = go.textContent ?? "";
const overlay = part("overlay", HTMLElement);
for (const button of document.querySelectorAll("[data-pick]")) {
  button.addEventListener("click", () => part(button.getAttribute("data-pick") ?? "files", HTMLInputElement).click());
}
for (const id of ["files", "folder"]) {
  const input = part(id, HTMLInputElement);
  input.addEventListener("change", () => {
    add([...(input.files ?? [])].filter((file) => !file.name.startsWith(".")));
    input.value = "";
  });
}
addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  overlay.hidden = job !== "";
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) overlay.hidden = true;
});
addEventListener("drop", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  overlay.hidden = true;
  void droppedFiles(event.dataTransfer).then(add);
});
addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) add([...event.clipboardData.files]);
});
addEventListener("beforeunload", (event) => {
  if (sending && job) event.preventDefault();
});
part("clear", HTMLButtonElement).addEventListener("click", () => setPhotos([]));
form.addEventListener("change", lookChanged);
for (const range of form.querySelectorAll("#look input[type=range]")) range.addEventListener("input", lookChanged);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !job) void countCredits();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!go.disabled && !job) void start();
});
again.addEventListener("click", () => {
  tell("");
  void send(photos.filter((photo) => photo.item));
});
showSummary();
