/** Having an item's pictures made anew, and waiting until they are there. */

import { Problem, call } from "./api.js";

/**
 * @typedef {object} Place
 * @property {string} job
 * @property {string} item
 * @property {number} event the last event of the job that the page knows
 */

/**
 * What became of a revision.
 * @typedef {object} Outcome
 * @property {"done" | "failed"} state
 * @property {string} reason why it failed
 */

const PATIENCE_MS = 2000;

/**
 * Ask for new pictures; the answer is the revision's number.
 * @param {Place} place
 * @param {Record<string, unknown>} wanted
 * @param {number} seen the revision that the page shows
 * @returns {Promise<number>}
 */
export async function askForRevision(place, wanted, seen) {
  const told = await call("POST", `/v1/jobs/${place.job}/items/${place.item}/revisions`, { ...wanted, based_on: seen });
  return told.number;
}

/**
 * Follow the job until the revision is made, or cannot be. The stream tells when to look; a clock as well, as
 * a connection may break.
 * @param {Place} place
 * @param {number} number
 * @param {(state: string) => void} told each state that the item passes
 * @returns {Promise<Outcome>}
 */
export function followRevision(place, number, told) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(`/v1/jobs/${place.job}/events?after=${place.event}`);
    let asking = false;
    const end = () => {
      source.close();
      clearInterval(clock);
    };
    const look = async () => {
      if (asking) return;
      asking = true;
      try {
        const outcome = await outcomeOf(place, number);
        if (outcome) {
          end();
          resolve(outcome);
        }
      } catch (error) {
        if (!(error instanceof Problem) || !error.passing) {
          end();
          reject(error);
        }
      } finally {
        asking = false;
      }
    };
    const clock = setInterval(() => void look(), PATIENCE_MS);
    source.addEventListener("item", (event) => {
      const change = JSON.parse(event.data);
      if (change.item_id !== place.item) return;
      told(change.state);
      if (change.state === "exported") void look();
    });
    void look();
  });
}

/**
 * @param {Place} place
 * @param {number} number
 * @returns {Promise<Outcome | null>} null while it is being made
 */
async function outcomeOf(place, number) {
  const told = await call("GET", `/v1/jobs/${place.job}/items/${place.item}/revisions`);
  const found = told.revisions.find((/** @type {any} */ each) => each.number === number);
  if (!found || found.state === "pending") return null;
  return { state: found.state, reason: found.error?.message ?? "" };
}
