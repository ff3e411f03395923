// Requests to a queue's `$management`: peek, renew, settle by lock token, schedule and take back.
import { encodeFor } from "./messages.mjs";

const LARGEST_PEEK = 250;
const LOST = { status: 410, condition: "com.microsoft:message-lock-lost", body: null };

/** `{status, condition, body}` of one request. */
export function manage(rhea, queue, request) {
  const operation = OPERATIONS[request.application_properties?.operation];
  return operation
    ? operation(rhea, queue, request.body)
    : { status: 501, condition: "amqp:not-implemented", body: null };
}

const OPERATIONS = {
  "com.microsoft:peek-message": (rhea, queue, body) => {
    const count = Math.min(body["message-count"], LARGEST_PEEK);
    const found = queue.peek(Number(body["from-sequence-number"]), count);
    if (found.length === 0) return { status: 204, condition: "com.microsoft:message-not-found", body: null };
    const unlocked = (message) => encodeFor(rhea, { ...message, lock: undefined });
    return { status: 200, body: { messages: found.map((each) => ({ message: unlocked(each) })) } };
  },

  "com.microsoft:renew-lock": ({ types }, queue, body) => {
    const messages = tokens(body).map((key) => queue.locked(key));
    if (messages.includes(undefined)) return LOST;
    const ends = messages.map((message) => queue.renew(message));
    return { status: 200, body: { expirations: types.wrap_array(ends, 0x83) } };
  },

  "com.microsoft:update-disposition": (_rhea, queue, body) => {
    const messages = tokens(body).map((key) => queue.locked(key));
    if (messages.includes(undefined)) return LOST;
    for (const message of messages) {
      if (body["disposition-status"] === "completed") queue.complete(message);
      else if (body["disposition-status"] === "abandoned") queue.abandon(message);
      else queue.deadLetter(message, body["deadletter-reason"], body["deadletter-description"]);
    }
    return { status: 200, body: null };
  },

  "com.microsoft:schedule-message": ({ message: codec, types }, queue, body) => {
    const numbers = body.messages.map(({ message }) => {
      const sections = codec.decode(message);
      const dueAt = new Date(sections.message_annotations["x-opt-scheduled-enqueue-time"]).getTime();
      return queue.enqueue(sections, dueAt);
    });
    return { status: 200, body: { "sequence-numbers": types.wrap_array(numbers, 0x81) } };
  },

  "com.microsoft:cancel-scheduled-message": (_rhea, queue, body) => {
    const numbers = body["sequence-numbers"].map(Number);
    const known = numbers.map((number) => queue.cancel(number));
    return known.every(Boolean) ? { status: 200, body: null }
      : { status: 404, condition: "com.microsoft:message-not-found", body: null };
  },
};

/** Lock tokens as keys: a token on the wire is a UUID, whose first three parts are turned round in the tag. */
function tokens(body) {
  return body["lock-tokens"].map((uuid) => {
    const turned = Buffer.from(uuid);
    turned.subarray(0, 4).reverse();
    turned.subarray(4, 6).reverse();
    turned.subarray(6, 8).reverse();
    return turned.toString("hex");
  });
}
