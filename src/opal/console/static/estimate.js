/** What a job will cost and make, from what is chosen: told before anything is sent. */

import { counted, number, say } from "./words.js";

/**
 * @typedef {object} Estimate
 * @property {string} text
 * @property {boolean} payable
 */

/**
 * One credit pays for one photo with all its pictures.
 * @param {number} photos that can be used
 * @param {number} presets
 * @param {number} available credits
 * @param {number} unusable photos that cannot be used
 * @returns {Estimate}
 */
export function estimate(photos, presets, available, unusable) {
  const parts = [counted("pictures", photos * presets)];
  const payable = photos <= available;
  parts.push(
    payable
      ? say("pays", { credits: counted("credits", photos), left: number(available - photos) })
      : say("short", { credits: counted("credits", photos), available: number(available), missing: number(photos - available) }),
  );
  if (unusable) parts.push(counted("bad", unusable));
  return { text: parts.join(" · "), payable };
}
