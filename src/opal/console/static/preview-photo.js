/** A small copy of a photo, to be seen in scenes before the photo itself is sent. */

/** Largest file sent: in base64 and with the rest of the request it stays below what the API takes. */
const MOST_BYTES = 185_000;
/** Longer side in pixels, and quality: tried in turn until the file is small enough. */
const TRIES = /** @type {const} */ ([[1024, 0.86], [1024, 0.7], [800, 0.7], [640, 0.6]]);

/**
 * The photo upright and small, in base64; nothing where this browser cannot read it. Transparent ground stays.
 * @param {File} file
 */
export async function previewPhoto(file) {
  /** @type {ImageBitmap} */
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return "";
  }
  try {
    for (const [side, quality] of TRIES) {
      const small = await drawn(bitmap, side, quality);
      if (small && small.size <= MOST_BYTES) return inBase64(new Uint8Array(await small.arrayBuffer()));
    }
  } finally {
    bitmap.close();
  }
  return "";
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} side
 * @param {number} quality
 * @returns {Promise<Blob | null>}
 */
async function drawn(bitmap, side, quality) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  const context = canvas.getContext("2d");
  if (!context) return null;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const webp = await canvas.convertToBlob({ type: "image/webp", quality });
  // A browser that writes no WebP writes a PNG instead, which is large.
  return webp.type === "image/webp" ? webp : canvas.convertToBlob({ type: "image/jpeg", quality });
}

/** @param {Uint8Array} bytes */
function inBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
