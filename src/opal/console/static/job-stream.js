/** A job's events as they happen, caught up with after whatever came between. */

/** So far a clock may jump before the machine must have slept, and what was open is dead without knowing. */
const SLEPT_MS = 20_000;
const LOOK_MS = 5_000;

/**
 * @typedef {object} Listener
 * @property {(change: any) => void} item
 * @property {(change: any) => void} job
 * @property {(how: "live" | "paused" | "reconnecting" | "offline") => void} how
 * @property {() => void} refused the server would not go on: the session may have ended, or all was seen
 */

/**
 * Follows while the page is seen and the network is there. Hidden, frozen, put to sleep or kept for the way
 * back, it lets go; afterwards it goes on after the last event that it had.
 */
export class JobStream {
  /** @type {EventSource | null} */
  #source = null;
  #wanted = false;
  #seen = Date.now();
  /** Number of the last event that was told; empty before the first. */
  last = "";

  /**
   * @param {string} job
   * @param {Listener} listener
   */
  constructor(job, listener) {
    this.job = job;
    this.listener = listener;
    const again = () => this.#again();
    document.addEventListener("visibilitychange", again);
    document.addEventListener("freeze", () => this.#close());
    document.addEventListener("resume", again);
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => {
      if (event.persisted) again();
    });
    addEventListener("online", again);
    addEventListener("offline", again);
    setInterval(() => this.#look(), LOOK_MS);
  }

  follow() {
    this.#wanted = true;
    if (!this.#source) this.#again();
  }

  unfollow() {
    this.#wanted = false;
    this.#close();
  }

  #look() {
    const now = Date.now();
    if (now - this.#seen > SLEPT_MS) this.#again();
    this.#seen = now;
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  /** With a new connection, whatever became of the old one. */
  #again() {
    this.#close();
    if (!this.#wanted) return;
    if (document.hidden) return this.listener.how("paused");
    if (!navigator.onLine) return this.listener.how("offline");
    // An EventSource that is made anew cannot say where it was; one that reconnects by itself does.
    const source = new EventSource(`/v1/jobs/${this.job}/events${this.last ? `?after=${this.last}` : ""}`);
    this.#source = source;
    source.addEventListener("item", (event) => {
      this.last = event.lastEventId;
      this.listener.item(JSON.parse(event.data));
    });
    source.addEventListener("job", (event) => this.listener.job(JSON.parse(event.data)));
    source.onopen = () => this.listener.how("live");
    source.onerror = () => {
      this.listener.how(navigator.onLine ? "reconnecting" : "offline");
      if (source.readyState !== EventSource.CLOSED || this.#source !== source) return;
      this.#source = null;
      this.listener.refused();
    };
  }
}
