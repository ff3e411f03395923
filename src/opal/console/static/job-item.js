/** A photo of a job as the job page knows it: first as the API tells it, then changed by events. */

/**
 * @typedef {object} Item
 * @property {string} id
 * @property {number} place in the job, from 1
 * @property {string} name SKU, else the photo's file name
 * @property {string} filename
 * @property {string} state
 * @property {string} trouble why it failed; empty while it did not
 * @property {readonly string[]} next what may be done about it: `retry`, `replace`, `review`
 * @property {boolean} review the cut-out is doubtful
 * @property {string | null} verdict what a person said of it
 * @property {number} revision of its pictures
 * @property {boolean} pictured whether there are pictures
 * @property {number} at when it changed last, ms
 * @property {string} sending what is told of a photo that this page sends; empty while it sends none
 * @property {boolean} stuck whether sending it broke off
 * @property {Record<string, number>} times when each state was entered in this round, ms
 */

const ENDED = new Set(["exported", "failed", "cancelled"]);

/**
 * @param {any} told
 * @param {number} place
 * @param {Item | undefined} known the same photo, told before
 * @returns {Item}
 */
export function itemOf(told, place, known) {
  return {
    id: told.id,
    place,
    name: told.sku ?? told.filename,
    filename: told.filename,
    state: told.state,
    trouble: told.error?.message ?? "",
    next: told.next_steps ?? [],
    review: told.review,
    verdict: told.verdict ?? null,
    revision: told.revision ?? 0,
    pictured: told.state === "exported",
    at: Date.parse(told.updated_at),
    sending: known?.sending ?? "",
    stuck: known?.stuck ?? false,
    times: known?.times ?? {},
  };
}

/**
 * Bring `item` up to date with an event. What is known already, as a stream that starts at the beginning
 * tells, adds its time alone.
 * @param {Item} item
 * @param {any} change data of an `item` event
 */
export function change(item, change) {
  const at = Date.parse(change.at);
  // What goes round again, as another look does, has the times of that round; a verdict enters no state.
  if (change.state === "uploaded" || (change.state !== "exported" && "exported" in item.times)) item.times = {};
  item.times[change.state] ??= at;
  if (at < item.at) return;
  item.at = at;
  if (isKnown(item, change)) return;
  item.state = change.state;
  item.review = change.review;
  item.verdict = change.verdict ?? null;
  item.revision = change.revision ?? item.revision;
  item.trouble = change.state === "failed" ? (change.message ?? item.trouble) : "";
  item.next = change.next_steps ?? [];
  item.pictured ||= change.state === "exported";
  if (change.state === "created") return;
  item.sending = "";
  item.stuck = false;
}

/**
 * @param {Item} item
 * @param {any} change
 */
function isKnown(item, change) {
  return item.state === change.state && item.verdict === (change.verdict ?? null) && item.revision === (change.revision ?? item.revision);
}

/** @param {Item} item */
export function hasEnded(item) {
  return ENDED.has(item.state);
}

/** @param {Item} item */
export function waitsForReview(item) {
  return item.state === "exported" && item.review && item.verdict === null;
}

/**
 * What may be done about it here. One of which the sending broke off may be sent again.
 * @param {Item} item
 * @returns {readonly string[]}
 */
export function nextSteps(item) {
  if (item.sending) return [];
  if (item.state === "failed") return item.next;
  return item.stuck ? ["replace"] : [];
}

/**
 * How long each step took, ms: waiting, cutting out, making pictures; those that are over.
 * @param {Item} item
 * @returns {[name: string, ms: number][]}
 */
export function stepTimes({ times: { uploaded, processing, completed, exported } }) {
  /** @type {[string, number | undefined, number | undefined][]} */
  const steps = [["step_wait", uploaded, processing], ["step_cut", processing, completed], ["step_export", completed, exported]];
  return steps.flatMap(([name, from, to]) => (from !== undefined && to !== undefined && to >= from ? [[name, to - from]] : []));
}
