/**
 * Matrix products, which all layers are made of: out[i, j] = bias[i] + Σ_k a[i, k] · b[start[j] + offset[k]].
 *
 * What stands in column j of the right factor b is told by two lists of places, so that a matrix, its transpose and the
 * windows of an image (`Conv` in `onnx.js`) are read where they lie. The left factor a, usually the weights, is packed
 * into panels of LANES rows. A product is computed tile by tile: LANES rows times 4 columns, or times 1. The two functions
 * that do it, with the memory in which all of it stands, are a WebAssembly module (`simd.js`); where a browser lacks
 * that, they are the two at the end of this file.
 *
 * @typedef {Float32Array | Float64Array | Uint8Array} Numbers
 * @typedef {{ a: Numbers, rows: number, inner: number, first?: number, rowStep: number, innerStep: number,
 *             bias?: Numbers }} Left a[i, k] stands at first + i · rowStep + k · innerStep
 * @typedef {{ rows: number, inner: number, address: number }} Kept a left factor that stays for further products
 * @typedef {{ start: Int32Array, offset: Int32Array }} Places
 * @typedef {{ start: Int32Array, offset: number }} KeptPlaces
 * @typedef {{ way: "simd" | "plain", keep: (left: Left) => Kept, places: (places: Places) => KeptPlaces,
 *             multiply: (left: Left | Kept, places: KeptPlaces, b: Numbers) => Float32Array }} Products
 *   `multiply` gives rows × columns numbers, row-major, which hold until the next product
 */

import { LANES, simdTiles } from "./simd.js";

/** Products with a memory of their own, in the faster way that this browser has. @returns {Products} */
export function makeProducts() {
  const { way, memory, tile1, tile4 } = tiles();
  let floats = new Float32Array(memory.buffer);
  let taken = 0; // bytes that are kept, from the start; what stands behind them is good for one product

  /** Makes room for so many bytes more; a memory that grew is another buffer. */
  function need(bytes) {
    const lacking = taken + bytes - memory.buffer.byteLength;
    if (lacking <= 0) return;
    memory.grow(Math.ceil(lacking / PAGE));
    floats = new Float32Array(memory.buffer);
  }

  function keep(left) {
    const address = taken;
    const bytes = 4 * packedLength(left);
    need(bytes);
    pack(left, floats, address / 4);
    taken += bytes;
    return { rows: left.rows, inner: left.inner, address };
  }

  function places({ start, offset }) {
    const address = taken;
    need(offset.byteLength);
    new Int32Array(memory.buffer).set(offset.map((place) => 4 * place), address / 4); // in bytes
    taken += offset.byteLength;
    return { start: start.map((place) => 4 * place), offset: address };
  }

  function multiply(left, { start, offset }, b) {
    const { rows, inner } = left;
    const columns = start.length;
    const passing = "address" in left ? 0 : packedLength(left);
    need(4 * (passing + b.length + roundUp(rows) * columns));
    if (passing) pack(left, floats, taken / 4);
    const input = taken + 4 * passing;
    floats.set(b, input / 4);
    const result = input + 4 * b.length;
    const end = offset + 4 * inner;
    let panel = left.address ?? taken;
    for (let row = 0; row < rows; row += LANES) {
      const out = result + 4 * row * columns;
      if (columns < 4) {
        start.forEach((at, j) => tile1(panel, offset, end, out + 4 * j, 4 * columns, input + at));
      } else {
        for (let next = 0; next < columns; next += 4) {
          const j = Math.min(next, columns - 4); // where fewer than four are left, some are computed again
          const [at0, at1, at2, at3] = [start[j], start[j + 1], start[j + 2], start[j + 3]];
          tile4(panel, offset, end, out + 4 * j, 4 * columns, input + at0, input + at1, input + at2, input + at3);
        }
      }
      panel += 4 * LANES * (inner + 1);
    }
    return floats.subarray(result / 4, result / 4 + rows * columns);
  }

  return { way, keep, places, multiply };
}

const PAGE = 65536; // bytes, in which a memory of WebAssembly grows

function roundUp(rows) {
  return Math.ceil(rows / LANES) * LANES;
}

function packedLength({ rows, inner }) {
  return roundUp(rows) * (inner + 1);
}

/**
 * Writes panels of LANES rows: their bias, then for each k the numbers a[·, k]; zeros fill the last panel.
 * @param {Left} left
 */
function pack({ a, rows, inner, first = 0, rowStep, innerStep, bias }, floats, to) {
  for (let top = 0; top < rows; top += LANES) {
    for (let row = top; row < top + LANES; row++) floats[to++] = (row < rows && bias?.[row]) || 0;
    const full = Math.min(LANES, rows - top);
    for (let k = 0; k < inner; k++, to += LANES) {
      const from = first + top * rowStep + k * innerStep;
      for (let lane = 0; lane < full; lane++) floats[to + lane] = a[from + lane * rowStep];
      for (let lane = full; lane < LANES; lane++) floats[to + lane] = 0;
    }
  }
}

function tiles() {
  try {
    return simdTiles();
  } catch {
    return plainTiles();
  }
}

// -------------------------------------------------------------------------------------------------- plain JavaScript

/** What `simdTiles` gives, without WebAssembly: about five times slower. */
function plainTiles() {
  let floats = new Float32Array(0);
  let integers = new Int32Array(0);
  const memory = {
    buffer: new ArrayBuffer(0),
    grow(pages) {
      const larger = new Uint8Array(memory.buffer.byteLength + pages * PAGE);
      larger.set(new Uint8Array(memory.buffer));
      memory.buffer = larger.buffer;
      floats = new Float32Array(memory.buffer);
      integers = new Int32Array(memory.buffer);
    },
  };

  function tile1(panel, offsets, end, out, rowBytes, at) {
    for (let lane = 0; lane < LANES; lane++) {
      let from = panel / 4 + lane;
      let sum = floats[from];
      for (let k = offsets; k < end; k += 4) sum += floats[(from += LANES)] * floats[(at + integers[k / 4]) / 4];
      floats[(out + lane * rowBytes) / 4] = sum;
    }
  }

  /** Four rows at once: eight numbers are then read for sixteen products, and all sums stay in the processor. */
  function tile4(panel, offsets, end, out, rowBytes, at0, at1, at2, at3) {
    for (let top = 0; top < LANES; top += 4) {
      let from = (panel >> 2) + top;
      let [s00, s10, s20, s30] = [floats[from], floats[from + 1], floats[from + 2], floats[from + 3]];
      let [s01, s11, s21, s31] = [s00, s10, s20, s30];
      let [s02, s12, s22, s32] = [s00, s10, s20, s30];
      let [s03, s13, s23, s33] = [s00, s10, s20, s30];
      for (let k = offsets >> 2; k < end >> 2; k++) {
        from += LANES;
        const place = integers[k];
        const b0 = floats[(at0 + place) >> 2];
        const b1 = floats[(at1 + place) >> 2];
        const b2 = floats[(at2 + place) >> 2];
        const b3 = floats[(at3 + place) >> 2];
        const a0 = floats[from];
        s00 += a0 * b0;
        s01 += a0 * b1;
        s02 += a0 * b2;
        s03 += a0 * b3;
        const a1 = floats[from + 1];
        s10 += a1 * b0;
        s11 += a1 * b1;
        s12 += a1 * b2;
        s13 += a1 * b3;
        const a2 = floats[from + 2];
        s20 += a2 * b0;
        s21 += a2 * b1;
        s22 += a2 * b2;
        s23 += a2 * b3;
        const a3 = floats[from + 3];
        s30 += a3 * b0;
        s31 += a3 * b1;
        s32 += a3 * b2;
        s33 += a3 * b3;
      }
      const rows = [s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33];
      rows.forEach((sum, i) => {
        floats[((out + (top + (i >> 2)) * rowBytes) >> 2) + (i & 3)] = sum;
      });
    }
  }

  return { way: "plain", memory, tile1, tile4 };
}
