// The switches for what goes wrong: every one is set by `POST /$faults` and acts until it is used up or cleared.

/** Counted faults are taken one by one; the others are done at once by the functions in `acts`. */
export class Faults {
  constructor() {
    this.clear();
  }

  clear() {
    this.counts = {
      settleLost: 0, // a settlement never arrives
      settleUnanswered: 0, // a settlement is applied, its answer never arrives
      sendUnanswered: 0, // a message is taken in, then the connection breaks before the answer
      sendRefused: 0, // the service says that it is busy
      authRefused: 0, // a token is not accepted
    };
    this.delayMs = 0; // every answer of the service takes this long
  }

  set(wanted) {
    for (const [name, value] of Object.entries(wanted)) {
      if (name === "delayMs") this.delayMs = value;
      else if (name in this.counts) this.counts[name] = value;
      else throw new Error(`no such fault: ${name}`);
    }
  }

  /** Whether this fault strikes now; counts it down. */
  strikes(name) {
    if (this.counts[name] <= 0) return false;
    this.counts[name] -= 1;
    return true;
  }

  /** Run `answer` now, or later while the service is slow. */
  answering(answer) {
    if (this.delayMs) setTimeout(answer, this.delayMs);
    else answer();
  }
}
