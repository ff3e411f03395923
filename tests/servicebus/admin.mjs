// The HTTP side: queues made and removed as Service Bus' REST interface does it (Atom, a token of the key), and
// the switches of `faults.mjs`, which no real service has.
import { createServer } from "node:http";
import { Queue } from "./queue.mjs";
import { signatureFault } from "./tokens.mjs";

const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$/;

/** Listen on loopback; resolves to the port. */
export function administer(broker, queues, faults, key) {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const path = decodeURIComponent(new URL(request.url, "http://any").pathname.slice(1));
    const answer = (status, text = "") => response.writeHead(status).end(text);
    try {
      if (path.startsWith("$")) return answer(200, await act(broker, queues, faults, path, JSON.parse(body || "{}")));
      const refused = signatureFault(request.headers.authorization ?? "", key);
      if (refused) return answer(401, refused);
      return answer(...entity(broker, queues, request.method, path.toLowerCase(), body));
    } catch (error) {
      return answer(400, String(error));
    }
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
}

function entity(broker, queues, method, name, body) {
  const known = queues.get(name);
  if (method === "PUT") {
    if (known) return [409, "SubCode=40900. Conflict."];
    const queue = new Queue(name, settingsOf(body));
    broker.watch(queue);
    queues.set(name, queue);
    return [201, atom(name, body)];
  }
  if (!known) return [404, "SubCode=40400. Not Found."];
  if (method === "DELETE") {
    known.close();
    queues.delete(name);
    broker.detach(name, "amqp:not-found", `The messaging entity '${name}' was removed.`);
    return [200];
  }
  return [200, atom(name, "")];
}

function settingsOf(description) {
  const field = (name) => new RegExp(`<(?:\\w+:)?${name}>([^<]*)<`).exec(description)?.[1];
  return {
    lockMs: milliseconds(field("LockDuration") ?? "PT1M"),
    maxDeliveryCount: Number(field("MaxDeliveryCount") ?? 10),
    windowMs: field("RequiresDuplicateDetection") === "true"
      ? milliseconds(field("DuplicateDetectionHistoryTimeWindow") ?? "PT10M") : 0,
  };
}

function milliseconds(duration) {
  const parts = DURATION.exec(duration);
  if (!parts) throw new Error(`not a duration: ${duration}`);
  const [days, hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0));
  return Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000);
}

const atom = (name, body) => /<entry/.test(body) ? body
  : `<entry xmlns="http://www.w3.org/2005/Atom"><title type="text">${name}</title></entry>`;

async function act(broker, queues, faults, path, wanted) {
  const acts = {
    $faults: () => faults.set(wanted),
    $clear: () => faults.clear(),
    $duplicate: () => { queues.get(wanted.queue).copies = wanted.count; },
    $expire: () => queues.get(wanted.queue).expireLocks(),
    $detach: () => broker.detach(wanted.queue, "amqp:link:detach-forced",
      "The link is force detached. Code: consumer(link). Details: inactive for more than the permitted 10 minutes."),
    $break: () => broker.breakConnections(),
    $freeze: () => broker.freeze(wanted.ms),
    $restart: () => broker.restart(wanted.ms),
  };
  if (!acts[path]) throw new Error(`no such switch: ${path}`);
  await acts[path]();
  return "";
}
