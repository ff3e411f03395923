/** The card of a photo on the job page: its picture, its state, what may be done about it. */

import { nextSteps, stepTimes, waitsForReview } from "./job-item.js";
import { say } from "./words.js";

/** @import { Item } from "./job-item.js" */

/**
 * @param {HTMLTemplateElement} template
 * @param {Item} item
 */
export function newCard(template, item) {
  const card = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  card.dataset.item = item.id;
  const link = /** @type {HTMLAnchorElement} */ (card.querySelector(".card-name a"));
  link.textContent = item.name;
  link.title = item.name;
  link.href += item.id;
  return card;
}

/**
 * @param {HTMLElement} card
 * @param {Item} item
 * @param {string} job
 * @param {boolean} picked
 */
export function showCard(card, item, job, picked) {
  card.dataset.state = item.state;
  card.toggleAttribute("data-review", waitsForReview(item));
  card.toggleAttribute("data-rejected", item.state === "exported" && item.verdict === "rejected");
  card.toggleAttribute("data-picked", picked);
  part(card, ".card-state").textContent = item.sending || say(stateOf(item));
  const steps = part(card, ".card-steps");
  const took = stepsOf(item);
  // Until its story is there, the whole time that the page came with stays.
  if (took || item.state !== "exported") steps.textContent = took;
  steps.title = steps.textContent ?? "";
  const note = part(card, ".tile-note");
  note.textContent = item.state === "failed" ? item.trouble : "";
  note.title = note.textContent;
  note.hidden = note.textContent === "";
  const pick = /** @type {HTMLInputElement} */ (card.querySelector(".pick input"));
  pick.checked = picked;
  if (!pick.ariaLabel) pick.ariaLabel = say("job.pick", { name: item.name });
  showNext(card, item);
  showPicture(/** @type {HTMLImageElement} */ (card.querySelector("img")), item, job);
}

/** @param {Item} item */
function stateOf(item) {
  if (item.stuck) return "job.stuck";
  if (waitsForReview(item)) return "state.review";
  return item.state === "exported" && item.verdict ? `state.${item.verdict}` : `state.${item.state}`;
}

/**
 * @param {HTMLElement} card
 * @param {Item} item
 */
function showNext(card, item) {
  const steps = nextSteps(item);
  const next = part(card, ".card-next");
  next.hidden = steps.length === 0;
  for (const button of next.querySelectorAll("button")) {
    const step = button.dataset.next ?? "";
    button.hidden = !steps.includes(step);
    button.textContent = say(`job.next_${step}`);
    button.ariaLabel = `${button.textContent}: ${item.name}`;
  }
}

/**
 * @param {HTMLImageElement} image
 * @param {Item} item
 * @param {string} job
 */
function showPicture(image, item, job) {
  const address = item.pictured ? `/v1/jobs/${job}/items/${item.id}/preview?v=${item.revision}` : thumbnailOf(item);
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

/** @param {Item} item */
function stepsOf(item) {
  // Once there are pictures, nobody asks how long their photo waited.
  return stepTimes(item)
    .filter(([name]) => name !== "step_wait" || item.state !== "exported")
    .map(([name, ms]) => say(name, { seconds: (ms / 1000).toFixed(ms < 10_000 ? 1 : 0) }))
    .join(" · ");
}

/**
 * @param {HTMLElement} card
 * @param {string} selector
 */
function part(card, selector) {
  return /** @type {HTMLElement} */ (card.querySelector(selector));
}
