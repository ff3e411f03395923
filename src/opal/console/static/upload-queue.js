/** Sends photos to their signed URLs: some at a time, again after a broken connection, until each has its answer. */

import { Problem, call, problemOf } from "./api.js";

/** @import { Photo } from "./photos.js" */

const AT_A_TIME = 4;
const TRIES = 8;
const LONGEST_WAIT_MS = 20_000;
/** Without a byte for so long, a connection is given up. */
const SILENCE_MS = 45_000;

/**
 * @typedef {object} Listener
 * @property {(photo: Photo) => void} changed a photo has another state, or more of it was sent
 * @property {(photo: Photo, problem: Problem) => void} refused it cannot be used, and why
 */

/**
 * Send all of `photos`; resolves when each is accepted, refused or stuck. Called again with those that are
 * stuck it goes on with them.
 * @param {string} job
 * @param {Photo[]} photos
 * @param {boolean} blobsHere whether signed URLs lead to this server, whatever name it has for the browser
 * @param {Listener} listener
 */
export async function sendAll(job, photos, blobsHere, listener) {
  const waiting = [...photos];
  const lanes = Array.from({ length: AT_A_TIME }, async () => {
    for (let photo = waiting.shift(); photo; photo = waiting.shift()) await sendOne(job, photo, blobsHere, listener);
  });
  await Promise.all(lanes);
}

/**
 * @param {string} job
 * @param {Photo} photo
 * @param {boolean} blobsHere
 * @param {Listener} listener
 */
async function sendOne(job, photo, blobsHere, listener) {
  const which = { job_id: job, item_id: photo.item };
  /** @param {Photo["state"]} state */
  const now = (state) => {
    photo.state = state;
    if (state !== "uploading" && state !== "accepted" && state !== "checking") photo.sent = 0;
    listener.changed(photo);
  };
  for (let tried = 0; tried < TRIES; tried += 1) {
    try {
      now("uploading");
      // A URL is good for one try: a half-sent blob can never stand in the way of the next.
      const ticket = await call("POST", "/v1/uploads/sas", { ...which, content_type: photo.file.type || "application/octet-stream" });
      await put(ticket, photo, blobsHere, listener);
      now("checking");
      await call("POST", "/v1/uploads/complete", { ...which, upload_id: ticket.upload_id });
      photo.sent = photo.file.size;
      return now("accepted");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === "already_uploaded") {
        // An answer got lost on its way: the photo is there.
        photo.sent = photo.file.size;
        return now("accepted");
      }
      if (error.status === 401) return now("stuck");
      if (!error.passing) return listener.refused(photo, error);
      now("retrying");
      await pause(tried, error.waitSeconds);
    }
  }
  return now("stuck");
}

/**
 * @param {{url: string, method: string, headers: Record<string, string>}} ticket
 * @param {Photo} photo
 * @param {boolean} blobsHere
 * @param {Listener} listener
 * @returns {Promise<void>}
 */
function put(ticket, photo, blobsHere, listener) {
  const url = new URL(ticket.url);
  const request = new XMLHttpRequest();
  let silence = 0;
  const watch = () => {
    clearTimeout(silence);
    silence = window.setTimeout(() => request.abort(), SILENCE_MS);
  };
  /** @type {Promise<void>} */
  const answered = new Promise((resolve, reject) => {
    const broken = () => reject(new Problem(0, "unreachable", ""));
    request.open(ticket.method, blobsHere ? url.pathname + url.search : ticket.url);
    for (const [name, value] of Object.entries(ticket.headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      watch();
      photo.sent = event.loaded;
      listener.changed(photo);
    };
    request.onerror = broken;
    request.onabort = broken;
    request.onload = () => {
      if (request.status < 300) return resolve();
      // The URL ran out, or was used by a try whose answer got lost: a new one is asked for.
      if (request.status === 403 || request.status === 409) return broken();
      return reject(problemOf(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    watch();
    request.send(photo.file);
  });
  return answered.finally(() => clearTimeout(silence));
}

/**
 * Longer from try to try; as soon as the connection is back, where the browser knows that it is gone.
 * @param {number} tried
 * @param {number} seconds what the server asked for
 */
async function pause(tried, seconds) {
  const wait = Math.max(seconds * 1000, Math.min(500 * 2 ** tried, LONGEST_WAIT_MS) * (0.75 + Math.random() / 2));
  if (navigator.onLine) {
    await new Promise((resolve) => {
      setTimeout(resolve, wait);
    });
  } else {
    await new Promise((resolve) => {
      addEventListener("online", resolve, { once: true });
    });
  }
}
