/** The list of jobs: those that run are brought up to date while the page is seen. */

import { Problem, call } from "./api.js";
import { part } from "./page-part.js";
import { counted, number, say } from "./words.js";

const RUNNING_MS = 3000;
const QUIET_MS = 30_000;
const ENDED = new Set(["exported", "failed", "cancelled"]);
const RUNNING = new Set(["created", "running"]);

const list = part("jobs", HTMLUListElement);
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {{id: string, status: string, total: number, counts: Record<string, number>, to_review: number}} job */
function show(job) {
  const row = list.querySelector(`[data-job="${job.id}"]`);
  if (!(row instanceof HTMLElement)) return;
  row.dataset.status = job.status;
  const status = /** @type {HTMLElement} */ (row.querySelector(".status"));
  status.className = `status ${job.status}`;
  status.textContent = say(`status.${job.status}`);
  for (const [name, count] of /** @type {const} */ ([["failed", job.counts.failed ?? 0], ["cancelled", job.counts.cancelled ?? 0], ["review", job.to_review]])) {
    const place = /** @type {HTMLElement} */ (row.querySelector(`[data-count="${name}"]`));
    place.hidden = count === 0;
    /** @type {HTMLElement} */ (place.querySelector("b")).textContent = counted(name, count);
  }
  const done = Object.entries(job.counts).reduce((sum, [state, count]) => sum + (ENDED.has(state) ? count : 0), 0);
  const progress = /** @type {HTMLProgressElement} */ (row.querySelector("progress"));
  progress.value = done;
  progress.ariaLabel = counted("progress", job.total, { done: number(done) });
  progress.hidden = done === job.total;
  if (job.counts.exported) showCover(/** @type {HTMLElement} */ (row.querySelector(".cover")), job.id);
}

/**
 * @param {HTMLElement} cover
 * @param {string} job
 */
function showCover(cover, job) {
  if (cover.querySelector("img")) return;
  const image = document.createElement("img");
  image.alt = "";
  image.src = `/jobs/${job}/cover`;
  cover.replaceChildren(image);
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const { jobs } = await call("GET", "/v1/jobs?limit=50");
    jobs.forEach(show);
    const { newest } = list.dataset;
    if (newest && jobs[0]?.id !== newest) part("fresh", HTMLElement).hidden = false;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // Signed out: nothing more can be told. Anything else passes.
    if (error.status === 401) return;
  }
  wait();
}

function wait() {
  const running = [...list.querySelectorAll("[data-status]")].some((row) => RUNNING.has(row.getAttribute("data-status") ?? ""));
  clearTimeout(timer);
  timer = setTimeout(() => void look(), running ? RUNNING_MS : QUIET_MS);
}

document.addEventListener("visibilitychange", () => void look());
addEventListener("pageshow", (event) => {
  if (event.persisted) void look();
});
addEventListener("online", () => void look());
wait();
