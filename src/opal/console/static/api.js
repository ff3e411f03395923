/** Calls of the JSON API in the session of the page. */

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

  /** Whether the same may work a little later. */
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

const token = document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") ?? "";

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body] sent as JSON
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>} the answer's JSON
 */
export async function call(method, path, body, headers = {}) {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { "X-CSRF-Token": token, ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, "unreachable", "");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  throw problemOf(answer.status, await answer.text(), answer.headers.get("Retry-After"));
}

/**
 * Ask for lines of JSON, each given as it arrives.
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<any>}
 */
export async function* callLines(path, body, signal) {
  const headers = { "X-CSRF-Token": token, "Content-Type": "application/json" };
  let rest = "";
  try {
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal });
    if (!answer.ok || !answer.body) throw problemOf(answer.status, await answer.text(), answer.headers.get("Retry-After"));
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
