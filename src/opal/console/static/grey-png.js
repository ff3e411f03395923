/** 8-bit grey PNG, written and read without a canvas: those round colours, and some browsers add noise. */

/**
 * @typedef {object} Grey
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array<ArrayBuffer>} data row by row, 0 to 255
 */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
/** Bytes that are packed at a time. */
const STRIP = 1 << 20;
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/**
 * @param {Grey} grey
 * @returns {Promise<Blob>}
 */
export async function encodeGrey({ width, height, data }) {
  const packing = new CompressionStream("deflate");
  const packed = new Response(packing.readable).arrayBuffer();
  const writer = packing.writable.getWriter();
  const rows = Math.max(1, Math.floor(STRIP / (width + 1)));
  for (let top = 0; top < height; top += rows) await writer.write(differences(data, width, top, Math.min(height, top + rows)));
  await writer.close();
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);
  const parts = [chunk("IHDR", new Uint8Array(header.buffer)), chunk("IDAT", new Uint8Array(await packed)), chunk("IEND", new Uint8Array())];
  return new Blob([Uint8Array.from(SIGNATURE), ...parts.flat()], { type: "image/png" });
}

/**
 * Rows of a PNG, each as its difference from the row above.
 * @param {Uint8Array} data
 * @param {number} width
 * @param {number} top
 * @param {number} bottom
 */
function differences(data, width, top, bottom) {
  const rows = new Uint8Array((bottom - top) * (width + 1));
  for (let y = top, at = 0; y < bottom; y += 1) {
    const start = y * width;
    rows[at++] = 2;
    if (y === 0) rows.set(data.subarray(0, width), at);
    else for (let x = 0; x < width; x += 1) rows[at + x] = /** @type {number} */ (data[start + x]) - /** @type {number} */ (data[start + x - width]);
    at += width;
  }
  return rows;
}

/**
 * @param {string} kind
 * @param {Uint8Array<ArrayBuffer>} data
 */
function chunk(kind, data) {
  const letters = Uint8Array.from(kind, (letter) => letter.charCodeAt(0));
  const head = new Uint8Array(8);
  new DataView(head.buffer).setUint32(0, data.length);
  head.set(letters, 4);
  const tail = new Uint8Array(4);
  new DataView(tail.buffer).setUint32(0, (crc(data, crc(letters, 0xffffffff)) ^ 0xffffffff) >>> 0);
  return [head, data, tail];
}

/**
 * @param {Uint8Array} bytes
 * @param {number} value
 */
function crc(bytes, value) {
  for (const byte of bytes) value = /** @type {number} */ (TABLE[(value ^ byte) & 255]) ^ (value >>> 8);
  return value;
}

/**
 * Raises an Error for a PNG of another kind: what Opal stores as a matte is 8-bit grey, not interlaced.
 * @param {ArrayBuffer} file
 * @returns {Promise<Grey>}
 */
export async function decodeGrey(file) {
  const bytes = new Uint8Array(file);
  const view = new DataView(file);
  if (!SIGNATURE.every((byte, index) => bytes[index] === byte)) throw new Error("no PNG");
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  if (bytes[24] !== 8 || bytes[25] !== 0 || bytes[28] !== 0) throw new Error("no 8-bit grey PNG");
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const packed = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    if (String.fromCharCode(...bytes.subarray(at + 4, at + 8)) === "IDAT") packed.push(bytes.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const rows = new Uint8Array(await new Response(new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
  if (rows.length !== height * (width + 1)) throw new Error("a PNG of another length");
  return { width, height, data: plain(rows, width, height) };
}

/**
 * Undo the five filters of PNG's specification, 9.2; of one byte per pixel.
 * @param {Uint8Array} rows
 * @param {number} width
 * @param {number} height
 */
function plain(rows, width, height) {
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const from = y * (width + 1) + 1;
    const to = y * width;
    const filter = rows[from - 1];
    for (let x = 0; x < width; x += 1) {
      const value = /** @type {number} */ (rows[from + x]);
      if (filter === 0) {
        data[to + x] = value;
        continue;
      }
      const left = x ? /** @type {number} */ (data[to + x - 1]) : 0;
      const up = y ? /** @type {number} */ (data[to + x - width]) : 0;
      if (filter === 1) data[to + x] = value + left;
      else if (filter === 2) data[to + x] = value + up;
      else if (filter === 3) data[to + x] = value + ((left + up) >> 1);
      else data[to + x] = value + paeth(left, up, x && y ? /** @type {number} */ (data[to + x - width - 1]) : 0);
    }
  }
  return data;
}

/**
 * @param {number} left
 * @param {number} up
 * @param {number} corner
 */
function paeth(left, up, corner) {
  const byLeft = Math.abs(up - corner);
  const byUp = Math.abs(left - corner);
  const byCorner = Math.abs(left + up - 2 * corner);
  return byLeft <= byUp && byLeft <= byCorner ? left : byUp <= byCorner ? up : corner;
}
