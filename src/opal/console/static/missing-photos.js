/**
 * The job page's way to send photos that never arrived, as when the page that sent them was closed: the same files
 * again, known by name, and by size where this browser made the job.
 */

import { Problem, call } from "./api.js";
import { part } from "./page-part.js";
import { droppedFiles, photoOf, thumbnailOf } from "./photos.js";
import { rememberedPhotos } from "./sent-photos.js";
import { sendAll } from "./upload-queue.js";
import { counted, number, percent, say } from "./words.js";

/** @import { Photo } from "./photos.js" */
/** @import { Sent } from "./sent-photos.js" */

/**
 * Which file is which photo of the job. Of several of one name the first that is left.
 * @param {File[]} files
 * @param {{id: string, filename: string}[]} waiting
 * @param {Sent[]} sent what this browser knows of the job
 * @returns {Map<string, File>} by the items' ids
 */
export function matched(files, waiting, sent) {
  const sizes = new Map(sent.map(({ item, size }) => [item, size]));
  /** @type {Map<string, File>} */
  const found = new Map();
  for (const file of files) {
    const name = file.name.slice(0, 255);
    const item = waiting.find(({ id, filename }) => filename === name && !found.has(id) && (sizes.get(id) ?? file.size) === file.size);
    if (item) found.set(item.id, file);
  }
  return found;
}

const section = part("missing-photos", HTMLElement);
const job = section.dataset.job ?? "";
const told = part("missing-told", HTMLElement);
const result = part("missing-result", HTMLElement);
const again = part("missing-again", HTMLButtonElement);
/** @type {Photo[]} */
let stuck = [];
let sending = false;

/** @param {File[]} files */
async function add(files) {
  if (sending || files.length === 0) return;
  const waiting = await stillWaiting();
  if (!waiting) return;
  const found = matched(files, waiting, rememberedPhotos(job));
  const photos = [...found].map(([item, file]) => ({ ...photoOf(file, Number(section.dataset.mostBytes)), item }));
  if (photos.length === 0) {
    result.textContent = say("missing_none", { photos: counted("photos", files.length) });
    return;
  }
  await send(photos);
}

/** @param {Photo[]} photos */
async function send(photos) {
  sending = true;
  again.hidden = true;
  /** @type {string[]} */
  const refused = photos.filter(({ trouble }) => trouble).map(({ file, trouble }) => `${file.name}: ${trouble}`);
  const going = photos.filter(({ trouble }) => !trouble);
  const whole = going.reduce((sum, { file }) => sum + file.size, 0);
  const show = () => {
    const arrived = going.reduce((sum, photo) => sum + photo.sent, 0);
    const done = going.filter(({ state }) => state === "accepted").length;
    result.textContent = counted("total", going.length, { done: number(done), percent: percent(whole ? arrived / whole : 0) });
  };
  show();
  for (const photo of going) void keepThumbnail(photo);
  await sendAll(job, going, "blobsHere" in section.dataset, {
    changed: show,
    refused: (photo, problem) => refused.push(`${photo.file.name}: ${problem.message || problem.code}`),
  });
  sending = false;
  stuck = going.filter(({ state }) => state === "stuck");
  again.hidden = stuck.length === 0;
  const arrived = going.filter(({ state }) => state === "accepted").length;
  const parts = arrived ? [say("missing_sent", { photos: counted("photos", arrived) })] : [];
  if (stuck.length) parts.push(say("gave_up"));
  result.textContent = [...parts, ...refused].join(" ");
  await stillWaiting();
}

/**
 * What the job still waits for; shown as well.
 * @returns {Promise<{id: string, filename: string}[] | null>}
 */
async function stillWaiting() {
  try {
    const { items } = await call("GET", `/v1/jobs/${job}`);
    const waiting = items.filter((/** @type {{state: string}} */ { state }) => state === "created");
    const none = waiting.length === 0;
    told.textContent = none ? say("missing_arrived") : counted("missing", waiting.length);
    part("missing-way", HTMLElement).hidden = none;
    part("missing-tools", HTMLElement).hidden = none;
    return waiting;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    result.textContent = error.words;
    return null;
  }
}

/** @param {Photo} photo */
async function keepThumbnail(photo) {
  const address = await thumbnailOf(photo);
  try {
    if (address) sessionStorage.setItem(`thumbnail:${photo.item}`, address);
  } catch {
    // No room: the card shows none.
  }
}

for (const [button, input] of [["missing-pick", "missing-files"], ["missing-pick-folder", "missing-folder"]]) {
  const files = part(input ?? "", HTMLInputElement);
  part(button ?? "", HTMLButtonElement).addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    void add([...(files.files ?? [])]);
    files.value = "";
  });
}
section.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  section.classList.add("over");
});
section.addEventListener("dragleave", () => section.classList.remove("over"));
section.addEventListener("drop", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.stopPropagation();
  section.classList.remove("over");
  void droppedFiles(event.dataTransfer).then(add);
});
// Files that were dropped elsewhere on the page.
section.addEventListener("photos", (event) => void add(/** @type {CustomEvent<File[]>} */ (event).detail));
again.addEventListener("click", () => void send(stuck));
addEventListener("beforeunload", (event) => {
  if (sending) event.preventDefault();
});
