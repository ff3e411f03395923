// AMQP 1.0 as Service Bus speaks it: tokens on `$cbs`, links to queues and their dead letters, `$management`.
// The protocol itself is rhea's; the queues' behaviour is `queue.mjs`'s.
import { createRequire } from "node:module";
import { manage } from "./management.mjs";
import { decodeBatch, encodeFor } from "./messages.mjs";
import { tokenFault } from "./tokens.mjs";

const BATCH_FORMAT = 0x80013700;
const LARGEST_MESSAGE = 262144; // of the standard tier
const DEAD_LETTERS = /\/\$deadletterqueue$/i;

export class Broker {
  constructor(rhea, { key, queues, faults }) {
    Object.assign(this, { rhea, key, queues, faults });
    this.consumers = new Map(); // entity's name to its receiving links, the next to be served first
    this.container = rhea.create_container({ id: "service-bus" });
    this.connections = new Set();
    this.container.on("connection_open", ({ connection }) => this.connections.add(connection));
    this.container.on("disconnected", ({ connection }) => this.#forget(connection));
    this.container.on("connection_close", ({ connection }) => this.#forget(connection));
    this.container.on("receiver_open", ({ receiver }) => this.#senderAttached(receiver));
    this.container.on("sender_open", ({ sender }) => this.#receiverAttached(sender));
    this.container.on("sender_flow", ({ sender }) => this.#serve(sender.entity));
    this.container.on("sender_close", ({ sender }) => this.#leave(sender));
    this.container.on("message", (context) => this.#messageCame(context));
    for (const outcome of ["accepted", "rejected", "released", "modified"]) {
      this.container.on(outcome, ({ sender, delivery }) => this.#settled(sender, delivery, outcome));
    }
    for (const noise of ["connection_error", "session_error", "receiver_error", "sender_error", "error",
      "protocol_error"]) {
      this.container.on(noise, () => {});
    }
  }

  /** Listen on loopback; resolves to the port. */
  listen(port = 0) {
    return new Promise((resolve, reject) => {
      const options = {
        port, host: "127.0.0.1", tcp_no_delay: true, idle_time_out: 240000,
        sender_options: { autosettle: false, treat_modified_as_released: false },
        receiver_options: { autoaccept: false, autosettle: false, credit_window: 1000 },
      };
      this.container.sasl_server_mechanisms.enable_anonymous();
      this.server = this.container.listen(options);
      this.sockets = new Set();
      this.server.on("connection", (socket) => {
        this.sockets.add(socket);
        socket.on("close", () => this.sockets.delete(socket));
        socket.on("error", () => {});
      });
      this.server.on("error", reject);
      this.server.on("listening", () => resolve(this.server.address().port));
    });
  }

  /** The entity of an address, which may be a whole URL; undefined when there is none. */
  entity(address) {
    const path = decodeURIComponent(address.replace(/^[a-z]+:\/\/[^/]*\//i, "").replace(/^\//, ""));
    const queue = this.queues.get(path.replace(DEAD_LETTERS, "").toLowerCase());
    return DEAD_LETTERS.test(path) ? queue?.deadLetters : queue;
  }

  /** Hand out what lies in `queue` to those who wait; called whenever a message or credit is added. */
  watch(queue) {
    queue.onAvailable = () => this.#serve(queue);
    queue.deadLetters.onAvailable = () => this.#serve(queue.deadLetters);
  }

  /** Detach every link to a queue and its dead letters, as the service does when it has been idle. */
  detach(name, condition, description) {
    for (const connection of this.connections) {
      for (const session of Object.values(connection.local_channel_map)) {
        session.each_link((link) => {
          if (link.entity?.name.startsWith(name)) {
            this.#leave(link);
            link.close({ condition, description });
          }
        });
      }
    }
  }

  /** Break every connection without a word. */
  breakConnections() {
    for (const connection of this.connections) this.#forget(connection);
    for (const socket of this.sockets) socket.destroy();
  }

  /** Neither read nor answer for `ms`: what a network does that drops every packet. */
  freeze(ms) {
    const frozen = [...this.sockets];
    for (const socket of frozen) {
      socket.pause();
      socket.cork();
    }
    setTimeout(() => {
      for (const socket of frozen) {
        socket.uncork();
        socket.resume();
      }
    }, ms);
  }

  /** Go away for `ms` and come back on the same port, with all that was stored. */
  async restart(ms) {
    const { port } = this.server.address();
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.breakConnections();
    await closed;
    setTimeout(() => this.listen(port), ms);
  }

  #forget(connection) {
    this.connections.delete(connection);
    for (const links of this.consumers.values()) {
      for (const link of links) if (link.connection === connection) this.#leave(link);
    }
  }

  #leave(link) {
    link.gone = true; // and the locks that are tied to it
    this.consumers.get(link.entity)?.delete(link);
  }

  #senderAttached(receiver) {
    const address = receiver.target?.address ?? "";
    receiver.set_target({ address });
    receiver.set_source({ address: receiver.source?.address });
    receiver.local.attach.max_message_size = LARGEST_MESSAGE;
    this.#admit(receiver, address);
  }

  #receiverAttached(sender) {
    const address = sender.source?.address ?? "";
    sender.set_source({ address });
    sender.set_target({ address: sender.target?.address });
    sender.local.attach.snd_settle_mode = sender.snd_settle_mode;
    sender.local.attach.rcv_settle_mode = sender.rcv_settle_mode;
    if (!this.#admit(sender, address) || sender.node) return;
    if (!this.consumers.has(sender.entity)) this.consumers.set(sender.entity, new Set());
    this.consumers.get(sender.entity).add(sender);
  }

  /** Note which entity the link is for, or refuse it. */
  #admit(link, address) {
    const control = /(\$cbs|\$management)$/i.exec(address);
    link.node = control?.[1].toLowerCase();
    if (link.node === "$cbs") return true;
    link.entity = this.entity(address.replace(/\/?\$management$/i, ""));
    if (!link.entity) {
      const description = `The messaging entity '${address}' could not be found.`;
      link.close({ condition: "amqp:not-found", description });
    } else if (!link.connection.admitted) {
      link.close({ condition: "amqp:unauthorized-access", description: "No token was put." });
    } else {
      return true;
    }
    return false;
  }

  #messageCame({ receiver, message, delivery, format }) {
    if (receiver.node === "$cbs") this.#tokenCame(receiver, message, delivery);
    else if (receiver.node === "$management") this.#requestCame(receiver, message, delivery);
    else this.#sendCame(receiver, message, delivery, format);
  }

  #tokenCame(receiver, request, delivery) {
    delivery.update(true, this.rhea.message.accepted().described());
    const refused = this.faults.strikes("authRefused")
      ? "InvalidSignature: The token has an invalid signature." : tokenFault(request, this.key);
    if (!refused) receiver.connection.admitted = true;
    this.#reply(receiver, "$cbs", {
      correlation_id: request.message_id, body: null,
      application_properties: {
        "status-code": refused ? 401 : 202, "status-description": refused ?? "Accepted",
      },
    });
  }

  #requestCame(receiver, request, delivery) {
    delivery.update(true, this.rhea.message.accepted().described());
    const { status, condition, body } = manage(this.rhea, receiver.entity, request);
    this.#reply(receiver, "$management", {
      correlation_id: request.message_id, body,
      application_properties: {
        statusCode: status, statusDescription: condition ?? "OK",
        ...(condition && { errorCondition: this.rhea.types.wrap_symbol(condition) }),
      },
    });
  }

  /** Answer on the link of the same session that reads from the same node. */
  #reply(receiver, node, message) {
    this.faults.answering(() => receiver.session.each_sender((sender) => {
      if (sender.node === node && sender.entity === receiver.entity && sender.is_open()) {
        const sent = sender.send(message);
        sent.settled = sent.remote_settled = true; // nobody waits for the fate of an answer
      }
    }));
  }

  #sendCame(receiver, message, delivery, format) {
    if (receiver.gone) return; // sent before the sender had read that its link is detached
    const queue = receiver.entity;
    const { accepted, rejected } = this.rhea.message;
    if (this.faults.strikes("sendRefused")) {
      const info = { "com.microsoft:tracking-id": "test" };
      const error = { condition: "com.microsoft:server-busy", description: "The service is busy.", info };
      delivery.update(true, rejected({ error }).described());
      return;
    }
    const all = format === BATCH_FORMAT ? decodeBatch(this.rhea, message) : [message];
    for (const sections of all) {
      const dueAt = sections.message_annotations?.["x-opt-scheduled-enqueue-time"];
      queue.enqueue(sections, dueAt ? new Date(dueAt).getTime() : 0);
    }
    if (this.faults.strikes("sendUnanswered")) this.breakConnections();
    else this.faults.answering(() => delivery.update(true, accepted().described()));
  }

  /** One message for each link in turn that has credit, as long as there are messages. */
  #serve(queue) {
    if (!queue || queue.serving) return;
    queue.serving = true;
    setImmediate(() => {
      queue.serving = false;
      const links = this.consumers.get(queue) ?? new Set();
      for (const link of [...links]) {
        if (!link.is_open() || link.credit <= 0) continue;
        const message = queue.lockNext(link);
        if (!message) return;
        const delivery = link.send(encodeFor(this.rhea, message), message.lock.token, 0);
        delivery.lockKey = message.lock.key;
        links.delete(link); // to the end of the line
        links.add(link);
        this.#serve(queue); // once more, after rhea has counted the credit
      }
    });
  }

  #settled(sender, delivery, outcome) {
    if (delivery.lockKey === undefined || this.faults.strikes("settleLost")) return;
    const queue = sender.entity;
    const message = queue.locked(delivery.lockKey);
    const answer = message ? this.#applied(queue, message, delivery.remote_state, outcome) : this.#lockLost();
    if (this.faults.strikes("settleUnanswered")) return;
    this.faults.answering(() => {
      delivery.update(true, answer.described());
      delivery.remote_settled = true; // so that rhea forgets it: this side settles last
    });
  }

  /** Do what the outcome says and echo it, as the service does. */
  #applied(queue, message, state, outcome) {
    const { accepted, modified, rejected, released } = this.rhea.message;
    switch (outcome) {
      case "accepted":
        queue.complete(message);
        return accepted();
      case "rejected": {
        const info = state.error?.info ?? {};
        queue.deadLetter(message, info.DeadLetterReason, info.DeadLetterErrorDescription);
        return rejected();
      }
      case "modified":
        queue.abandon(message, state.delivery_failed);
        return modified({ delivery_failed: state.delivery_failed });
      default:
        queue.abandon(message, false);
        return released();
    }
  }

  #lockLost() {
    return this.rhea.message.rejected({ error: {
      condition: "com.microsoft:message-lock-lost",
      description: "The lock supplied is invalid. Either the lock expired, or the message has already been removed.",
    } });
  }
}

export const loadRhea = (folder) => createRequire(`${folder}/`)("rhea");
