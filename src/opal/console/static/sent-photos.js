/** Which photo of this browser is which item of a job: kept so that those that did not arrive can be sent later. */

/** @import { Photo } from "./photos.js" */

/** Jobs that are remembered, the oldest forgotten first. */
const MOST = 20;
const KEY = "opal.sent";

/**
 * @typedef {object} Sent
 * @property {string} item
 * @property {string} name
 * @property {number} size
 */

/**
 * @param {string} job
 * @param {Photo[]} photos
 */
export function rememberPhotos(job, photos) {
  /** @type {[string, Sent[]][]} */
  const jobs = everything().filter(([id]) => id !== job);
  jobs.push([job, photos.map(({ item, file }) => ({ item, name: file.name, size: file.size }))]);
  try {
    localStorage.setItem(KEY, JSON.stringify(jobs.slice(-MOST)));
  } catch {
    // No room for thousands of names: names alone tell which is which then.
  }
}

/**
 * The photos of a job that this browser made; none of any other.
 * @param {string} job
 * @returns {Sent[]}
 */
export function rememberedPhotos(job) {
  return everything().find(([id]) => id === job)?.[1] ?? [];
}

/** @returns {[string, Sent[]][]} */
function everything() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}
