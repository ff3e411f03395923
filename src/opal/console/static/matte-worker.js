/** Reads and writes mattes of any size away from the page, which goes on answering. */

import { decodeGrey, encodeGrey } from "./grey-png.js";

/** @typedef {import("./grey-png.js").Grey} Grey */

addEventListener("message", (/** @type {MessageEvent<{id: number, read?: string, write?: Grey}>} */ event) => {
  const { id, read, write } = event.data;
  const work = read === undefined ? encodeGrey(/** @type {Grey} */ (write)) : fetched(read);
  work.then(
    (done) => postMessage({ id, done }, { transfer: done instanceof Blob ? [] : [done.data.buffer] }),
    (error) => postMessage({ id, fault: String(error) }),
  );
});

/** @param {string} address */
async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return decodeGrey(await answer.arrayBuffer());
}
