/** Photos that failed: tried again as they are, or replaced by better ones. */

import { Problem, call } from "./api.js";
import { photoOf, thumbnailOf } from "./photos.js";
import { sendAll } from "./upload-queue.js";
import { percent, say } from "./words.js";

/** @import { Item } from "./job-item.js" */
/** @import { Photo } from "./photos.js" */

const AT_A_TIME = 4;

export class Repair {
  /**
   * @param {string} job
   * @param {{mostBytes: number, blobsHere: boolean}} limits
   * @param {{changed: (item: Item) => void, told: (item: Item, answer: any) => void, again: () => void}} listener
   *   a card looks different; the API told how the item stands; the job goes on
   */
  constructor(job, limits, listener) {
    this.job = job;
    this.limits = limits;
    this.listener = listener;
  }

  /**
   * Try again with the photos that are there.
   * @param {Item[]} items
   */
  async retry(items) {
    const waiting = [...items];
    const lanes = Array.from({ length: AT_A_TIME }, async () => {
      for (let item = waiting.shift(); item; item = waiting.shift()) await this.#ask(item, "same");
    });
    await Promise.all(lanes);
  }

  /**
   * Send these photos in place of those of the items.
   * @param {[Item, File][]} pairs
   */
  async replace(pairs) {
    /** @type {Map<Photo, Item>} */
    const owners = new Map();
    await Promise.all(
      pairs.map(async ([item, file]) => {
        const photo = photoOf(file, this.limits.mostBytes);
        if (photo.trouble) return this.#say(item, photo.trouble);
        if (item.state === "failed" && !(await this.#ask(item, "new"))) return undefined;
        photo.item = item.id;
        owners.set(photo, item);
        await keepThumbnail(photo);
        return this.#show(item, photo);
      }),
    );
    await sendAll(this.job, [...owners.keys()], this.limits.blobsHere, {
      changed: (photo) => this.#show(/** @type {Item} */ (owners.get(photo)), photo),
      refused: (photo, problem) => {
        const item = /** @type {Item} */ (owners.get(photo));
        item.sending = "";
        // The server has failed the item; its event says the same a moment later.
        this.#say(item, problem.message || problem.code);
      },
    });
  }

  /**
   * @param {Item} item
   * @param {"same" | "new"} photo
   */
  async #ask(item, photo) {
    try {
      const answer = await call("POST", `/v1/jobs/${this.job}/items/${item.id}/retry`, { photo });
      this.listener.told(item, answer);
      this.listener.again();
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#say(item, error.words);
      return false;
    }
  }

  /**
   * @param {Item} item
   * @param {string} trouble
   */
  #say(item, trouble) {
    item.trouble = trouble;
    this.listener.changed(item);
  }

  /**
   * @param {Item} item
   * @param {Photo} photo
   */
  #show(item, photo) {
    const told = {
      chosen: say("waiting"),
      waiting: say("waiting"),
      uploading: say("uploading", { percent: percent(photo.file.size ? photo.sent / photo.file.size : 0) }),
      checking: say("checking"),
      retrying: say(navigator.onLine ? "retrying" : "offline"),
      accepted: "",
      stuck: "",
    };
    item.sending = told[photo.state];
    item.stuck = photo.state === "stuck";
    this.listener.changed(item);
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
