// Messages between the wire and the queue: batches taken apart, annotations of the service put on.

/** The messages of a batch, each of which is a data section of the outer message. */
export function decodeBatch(rhea, buffer) {
  const { content, multiple } = rhea.message.decode(buffer).body;
  return (multiple ? content : [content]).map((each) => rhea.message.decode(each));
}

/** The bytes of a message with what the service says about it. */
export function encodeFor({ message: codec, types }, message) {
  const annotations = {
    ...message.sections.message_annotations,
    "x-opt-sequence-number": types.wrap_long(message.sequence),
    "x-opt-enqueued-time": types.wrap_timestamp(message.enqueuedAt),
    "x-opt-message-state": types.wrap_int(message.scheduledFor ? 2 : 0),
  };
  const scheduled = message.sections.message_annotations?.["x-opt-scheduled-enqueue-time"];
  if (scheduled) annotations["x-opt-scheduled-enqueue-time"] = types.wrap_timestamp(new Date(scheduled).getTime());
  if (message.lock) annotations["x-opt-locked-until"] = types.wrap_timestamp(message.lock.until);
  return codec.encode({
    ...message.sections, delivery_count: message.deliveryCount, message_annotations: annotations,
  });
}
