// Who may come in: shared access signatures made with the server's key, and any unexpired bearer token.
import { createHmac, timingSafeEqual } from "node:crypto";

/** Why the token of a `put-token` request, or of an Authorization header, is refused; undefined when it is good. */
export function tokenFault(request, key) {
  const type = request.application_properties?.type;
  if (type === "jwt") return request.body ? undefined : "InvalidToken: The token is empty.";
  return signatureFault(String(request.body), key);
}

export function signatureFault(token, key) {
  const fields = new URLSearchParams(token.replace(/^SharedAccessSignature /, ""));
  const [resource, expiry, signature] = ["sr", "se", "sig"].map((name) => fields.get(name));
  if (!resource || !expiry || !signature) return "MalformedToken: The token is malformed.";
  if (Number(expiry) * 1000 < Date.now()) return "ExpiredToken: The token is expired.";
  const wanted = createHmac("sha256", key).update(`${encodeURIComponent(resource)}\n${expiry}`).digest();
  const given = Buffer.from(signature, "base64");
  const same = given.length === wanted.length && timingSafeEqual(given, wanted);
  return same ? undefined : "InvalidSignature: The token has an invalid signature.";
}
