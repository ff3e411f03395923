// sharp's way from a photo and its matte to the pictures of `variants.py`: decoded and cut once, then every
// picture resized with Lanczos, laid on white and encoded, all at once on all threads.
import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import sharp from "sharp";

async function make({ photo, matte, box, pictures }) {
  const cut = { left: box.left, top: box.top, width: box.width, height: box.height };
  const pixels = (image) => image.extract(cut).raw().toBuffer({ resolveWithObject: true });
  const [colours, alpha] = await Promise.all([pixels(sharp(photo)), pixels(sharp(matte).extractChannel(0))]);
  const raw = ({ info }) => ({ width: info.width, height: info.height, channels: info.channels });
  const cutout = await sharp(colours.data, { raw: raw(colours) })
    .joinChannel(alpha.data, { raw: raw(alpha) }).raw().toBuffer({ resolveWithObject: true });
  const white = "#ffffff";
  return Promise.all(pictures.map(({ width, height, left, top, product, quality, chroma }) =>
    sharp(cutout.data, { raw: raw(cutout) })
      .resize(product.width, product.height, { fit: "fill", kernel: "lanczos3" })
      .flatten({ background: white })
      .extend({
        left, top, right: width - left - product.width, bottom: height - top - product.height,
        background: white,
      })
      .withIccProfile("srgb")
      // As Opal encodes: the same table, and no second pass for Huffman tables, which is three times as fast.
      .jpeg({ quality, chromaSubsampling: chroma, quantisationTable: 3, optimiseCoding: false })
      .toBuffer()));
}

console.log(JSON.stringify({ ready: true, version: sharp.versions.sharp, vips: sharp.versions.vips }));
for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line);
  const [photo, matte] = await Promise.all([readFile(task.photo), readFile(task.matte)]);
  const cpu = process.cpuUsage(), started = performance.now();
  const made = await make({ ...task, photo, matte });
  const seconds = (performance.now() - started) / 1e3, used = process.cpuUsage(cpu);
  await Promise.all(made.map((data, index) => writeFile(task.pictures[index].out, data)));
  console.log(JSON.stringify({ seconds, cpu_seconds: (used.user + used.system) / 1e6 }));
}
