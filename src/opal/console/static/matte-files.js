/** The page's side of `matte-worker.js`. */

/** @typedef {import("./grey-png.js").Grey} Grey */

/** @type {Worker | null} */
let worker = null;
let asked = 0;
/** @type {Map<number, {resolve: (done: any) => void, reject: (error: Error) => void}>} */
const waiting = new Map();

/**
 * @param {string} address of a matte on this server
 * @returns {Promise<Grey>}
 */
export function readMatte(address) {
  return ask({ read: new URL(address, location.href).href });
}

/**
 * @param {Grey} grey copied: the page goes on with its own
 * @returns {Promise<Blob>} an 8-bit grey PNG
 */
export function writeMatte(grey) {
  return ask({ write: grey });
}

/**
 * @param {object} task
 * @returns {Promise<any>}
 */
function ask(task) {
  const started = (worker ??= start());
  const id = (asked += 1);
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    started.postMessage({ id, ...task });
  });
}

function start() {
  const address = new URL("./matte-worker.js", import.meta.url).href;
  // The page's policy lets no plain text become a script; this is the one place that makes one, of our own file.
  const { trustedTypes } = /** @type {any} */ (window);
  const policy = trustedTypes?.createPolicy("opal-worker", { createScriptURL: () => address });
  const started = new Worker(policy ? policy.createScriptURL("") : address, { type: "module" });
  started.addEventListener("message", ({ data }) => {
    const { resolve, reject } = waiting.get(data.id) ?? {};
    waiting.delete(data.id);
    if (data.fault === undefined) resolve?.(data.done);
    else reject?.(new Error(data.fault));
  });
  started.addEventListener("error", (event) => {
    for (const { reject } of waiting.values()) reject(new Error(event.message));
    waiting.clear();
  });
  return started;
}
