/** Calls of the JSON API in the session of the page. */

import { say } from "./words.js";

/** What the API answered instead: a problem (RFC 9457), in plain words. */
export class Problem extends Error {
  /**
   * @param {number} status 0: there was no answer at all
   * @param {string} code
   * @param {string} detail
   * @param {number} [waitSeconds] when to come back, where the server said so
   */
  constructor(status, code, detail, waitSeconds = 0) {
    super(detail);
    this.status = status;
    this.code = code;
    this.waitSeconds = waitSeconds;
  }

  /** What is told to a person. */
  get words() {
    return this.status === 0 ? say("unreachable") : this.status === 401 ? say("signed_out") : this.message;
  }

  /** Whether the same may work a little later. */
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

const session = /** @type {HTMLElement | null} */ (document.querySelector('meta[name="csrf-token"]'));
const tenant = session?.dataset.tenant ?? "";
let token = session?.getAttribute("content") ?? "";

/**
 * Who signed in anew, in another tab, has a session with a token of its own: take that, where it is the same account's.
 * @returns {Promise<boolean>} whether there was another
 */
async function renewToken() {
  const answer = await fetch("/settings", { cache: "no-store" });
  const found = /<meta name="csrf-token" content="([\w.-]+)" data-tenant="([^"]*)">/.exec(await answer.text());
  if (!found?.[1] || found[1] === token || found[2] !== tenant) return false;
  token = found[1];
  return true;
}

/**
 * Ask in the page's session; once more where that was begun anew meanwhile.
 * @param {string} path
 * @param {RequestInit} options
 * @param {boolean} [again] whether it may be asked once more
 * @returns {Promise<Response>} a success
 */
async function ask(path, options, again = true) {
  const answer = await fetch(path, { ...options, headers: { "X-CSRF-Token": token, ...options.headers } });
  if (answer.ok) return answer;
  const problem = problemOf(answer.status, await answer.text(), answer.headers.get("Retry-After"));
  if (again && problem.code === "cross_site_request" && (await renewToken())) return ask(path, options, false);
  throw problem;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body] sent as JSON
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>} the answer's JSON
 */
export async function call(method, path, body, headers = {}) {
  const options = body === undefined
    ? { method, headers }
    : { method, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) };
  try {
    const answer = await ask(path, options);
    return answer.status === 204 ? null : await answer.json();
  } catch (error) {
    throw error instanceof Problem ? error : new Problem(0, "unreachable", "");
  }
}

/**
 * Ask for lines of JSON, each given as it arrives.
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<any>}
 */
export async function* callLines(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  let rest = "";
  try {
    const answer = await ask(path, { method: "POST", headers, body: JSON.stringify(body), signal });
    if (!answer.body) return;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      const lines = (rest + (value ?? "")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line) yield JSON.parse(line);
      if (done) return;
    }
  } catch (error) {
    throw error instanceof Problem ? error : new Problem(0, "unreachable", "");
  }
}

/**
 * @param {number} status
 * @param {string} text
 * @param {string | null} retryAfter
 */
export function problemOf(status, text, retryAfter) {
  let code = "unknown";
  let detail = "";
  try {
    const told = JSON.parse(text);
    code = String(told.code);
    detail = String(told.detail);
  } catch {
    // Not from Opal: a proxy's page, or Azure's XML.
  }
  return new Problem(status, code, detail, Number(retryAfter) || 0);
}
