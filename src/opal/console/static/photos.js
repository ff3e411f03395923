/** Photos of the user: where they come from, whether they can be photos, their thumbnails. */

import { say, size } from "./words.js";

/**
 * @typedef {object} Photo
 * @property {string} id
 * @property {File} file
 * @property {string} trouble why it cannot be used; empty while it can
 * @property {"chosen" | "waiting" | "uploading" | "checking" | "retrying" | "accepted" | "stuck"} state
 * @property {number} sent bytes that have arrived
 * @property {string} item its id in the job; empty before there is one
 * @property {Promise<string>} [thumbnail] an address, or nothing where the browser cannot show it
 */

const SIDE = 320;
const ENDINGS = /\.(jpe?g|png|webp|hei[cf]|avif|tiff?)$/i;
let made = 0;

/**
 * @param {File} file
 * @param {number} mostBytes
 * @returns {Photo}
 */
export function photoOf(file, mostBytes) {
  return { id: `photo-${(made += 1)}`, file, trouble: troubleOf(file, mostBytes), state: "chosen", sent: 0, item: "" };
}

/**
 * What can be told before anything is sent.
 * @param {File} file
 * @param {number} mostBytes
 */
function troubleOf(file, mostBytes) {
  if (!file.type.startsWith("image/") && !ENDINGS.test(file.name)) return say("not_a_photo");
  if (file.size === 0) return say("empty_file");
  if (file.size > mostBytes) return say("too_large", { size: size(file.size), limit: size(mostBytes) });
  return "";
}

/**
 * Every file that was dropped, those in folders too. Hidden files are left out: folders are full of them.
 * @param {DataTransfer} dropped
 * @returns {Promise<File[]>}
 */
export async function droppedFiles(dropped) {
  // All entries are taken before anything is awaited: the list is emptied when the event ends.
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...dropped.files];
  const found = await Promise.all(entries.map((entry) => filesBelow(entry)));
  return found.flat();
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<File[]>}
 */
async function filesBelow(entry) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) {
    const file = /** @type {FileSystemFileEntry} */ (entry);
    return [await new Promise((resolve, reject) => file.file(resolve, reject))];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    all.push(...some);
  }
  all.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
  const found = await Promise.all(all.map((each) => filesBelow(each)));
  return found.flat();
}

/** @type {Promise<unknown>} */
let turn = Promise.resolve();

/**
 * A small picture of the photo, made once. One is decoded at a time: phones' photos take 50 MB each meanwhile.
 * @param {Photo} photo
 * @returns {Promise<string>}
 */
export function thumbnailOf(photo) {
  if (!photo.thumbnail) {
    const made = turn.then(() => draw(photo.file));
    turn = made;
    photo.thumbnail = made;
  }
  return photo.thumbnail;
}

/** @param {File} file */
async function draw(file) {
  /** @type {ImageBitmap} */
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return "";
  }
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (!context) return "";
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/webp", 0.72);
}
