// What a Service Bus queue does, without any protocol: peek-lock with expiry, delivery count, dead letters,
// scheduled messages, duplicate detection. `amqp.mjs` speaks for it, `admin.mjs` makes and removes it.
import { randomBytes } from "node:crypto";

export const EXCEEDED = "MaxDeliveryCountExceeded";

/** A queue, or with `settings.deadLettersOf` the sub-queue of one. Times are milliseconds since 1970. */
export class Queue {
  constructor(name, settings) {
    this.name = name;
    this.settings = settings;
    this.messages = new Map(); // by sequence number; a Map keeps the order in which they were enqueued
    this.locks = new Map(); // by lock token in hexadecimal
    this.sentIds = new Map(); // id to the time it was sent
    this.nextSequence = 1;
    this.copies = 0; // how many of the next completed messages come once more: a fault
    this.onAvailable = () => {};
    this.deadLetters = settings.deadLettersOf ? null : new Queue(`${name}/$deadletterqueue`, {
      lockMs: settings.lockMs, maxDeliveryCount: Infinity, windowMs: 0, deadLettersOf: name,
    });
  }

  /** Take a message in; returns its sequence number. A repeated id is dropped, its number nobody else's. */
  enqueue(sections, dueAt = 0, now = Date.now()) {
    if (this.#repeated(sections.message_id, now)) return this.nextSequence++;
    return this.#append({ sections, deliveryCount: 0, scheduledFor: dueAt > now ? dueAt : 0 }, now);
  }

  /** Lock the oldest message that is neither locked nor scheduled for `link`; undefined when there is none. */
  lockNext(link, now = Date.now()) {
    for (const message of this.messages.values()) {
      if (message.lock || message.scheduledFor) continue;
      const token = randomBytes(16);
      message.lock = { token, key: token.toString("hex"), link };
      this.locks.set(message.lock.key, message);
      this.#armLock(message, now);
      return message;
    }
    return undefined;
  }

  /** The message that is locked by `key`; undefined when the lock has ended, or the link that it is tied to. */
  locked(key) {
    const message = this.locks.get(key);
    return message && !message.lock.link.gone ? message : undefined;
  }

  /** Another lock period from now; returns its end. */
  renew(message, now = Date.now()) {
    this.#armLock(message, now);
    return message.lock.until;
  }

  complete(message) {
    this.#unlock(message);
    this.messages.delete(message.sequence);
    if (this.copies > 0) {
      this.copies -= 1;
      this.#append({ sections: message.sections, deliveryCount: message.deliveryCount, scheduledFor: 0 });
    }
  }

  /** Give back; a failed delivery counts, and the last one that is allowed makes it a dead letter. */
  abandon(message, failed = true) {
    this.#unlock(message);
    if (failed) message.deliveryCount += 1;
    if (message.deliveryCount >= this.settings.maxDeliveryCount) {
      this.deadLetter(message, EXCEEDED, `delivered ${message.deliveryCount} times`);
    } else {
      this.onAvailable();
    }
  }

  deadLetter(message, reason, description) {
    if (message.lock) this.#unlock(message);
    this.messages.delete(message.sequence);
    const told = { DeadLetterReason: reason ?? null, DeadLetterErrorDescription: description ?? null };
    const sections = { ...message.sections };
    sections.application_properties = { ...sections.application_properties, ...told };
    (this.deadLetters ?? this).#append({ sections, deliveryCount: message.deliveryCount, scheduledFor: 0 });
  }

  /** Take a scheduled message back; false when there is none of that number. */
  cancel(sequence) {
    const message = this.messages.get(sequence);
    if (!message?.scheduledFor) return false;
    clearTimeout(message.timer);
    return this.messages.delete(sequence);
  }

  /** Messages from `sequence` on, locked and scheduled ones too, as they are. */
  peek(sequence, count) {
    return [...this.messages.values()].filter((each) => each.sequence >= sequence).slice(0, count);
  }

  /** End every lock now, as if its time had come. */
  expireLocks() {
    for (const message of [...this.locks.values()]) this.abandon(message);
  }

  close() {
    for (const message of this.messages.values()) clearTimeout(message.timer);
    this.deadLetters?.close();
  }

  #append(message, now = Date.now()) {
    message.sequence = this.nextSequence++;
    message.enqueuedAt = now;
    this.messages.set(message.sequence, message);
    if (message.scheduledFor) {
      message.timer = setTimeout(() => {
        // As the real one does: at its time it joins the end of the queue under a new number.
        this.messages.delete(message.sequence);
        this.#append({ ...message, scheduledFor: 0 });
      }, message.scheduledFor - now);
    } else {
      this.onAvailable();
    }
    return message.sequence;
  }

  #armLock(message, now) {
    clearTimeout(message.timer);
    message.lock.until = now + this.settings.lockMs;
    message.timer = setTimeout(() => this.abandon(message), this.settings.lockMs);
  }

  #unlock(message) {
    clearTimeout(message.timer);
    this.locks.delete(message.lock.key);
    message.lock = undefined;
  }

  #repeated(id, now) {
    const { windowMs } = this.settings;
    if (!windowMs || id === undefined || id === null) return false;
    for (const [old, sentAt] of this.sentIds) {
      if (sentAt > now - windowMs) break; // the oldest come first
      this.sentIds.delete(old);
    }
    if (this.sentIds.has(id)) return true;
    this.sentIds.set(id, now);
    return false;
  }
}
