/** How fast bytes go, over the last seconds: what the time left is told by. */

const LOOK_BACK_MS = 12_000;

export class TransferPace {
  /** @type {{at: number, bytes: number}[]} */
  #seen = [];

  /**
   * @param {number} sent bytes so far
   * @param {number} whole bytes in all
   * @returns {number | null} null while too little is known
   */
  secondsLeft(sent, whole) {
    const at = performance.now();
    this.#seen.push({ at, bytes: sent });
    while (this.#seen.length > 2 && (this.#seen[0]?.at ?? at) < at - LOOK_BACK_MS) this.#seen.shift();
    const first = this.#seen[0];
    if (!first || at - first.at < 1500 || sent <= first.bytes) return null;
    return ((whole - sent) * (at - first.at)) / 1000 / (sent - first.bytes);
  }
}
