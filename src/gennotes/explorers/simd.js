/**
 * The inner loop of all layers, for processors that take four numbers at once: a WebAssembly module, put together here
 * from its instructions. The WebAssembly Core Specification lists their codes in its chapter on the binary format.
 *
 * The module holds a memory and two functions, `tile1` and `tile4`. A call computes a tile of a matrix product: LANES
 * rows times 1 or 4 columns. Its rows stand side by side in memory (`packed`), so that one instruction multiplies four
 * rows by one number of a column.
 */

export const LANES = 8; // the rows of a tile: two vectors of four numbers

// ------------------------------------------------------------------------------------------------------ instructions

// An expression is the list of its bytes: first those of its operands, then the instruction. A memory instruction names
// the alignment as a power of 2, then a number of bytes to add to the address.

const get = (local) => [0x20, local];
const set = (local, value) => [...value, 0x21, local];
const constant = (value) => [0x41, value]; // −64 to 63
const add = (a, b) => [...a, ...b, 0x6a];
const less = (a, b) => [...a, ...b, 0x49]; // without signs
const loop = (...body) => [0x03, 0x40, ...body.flat(), 0x0b];
const again = (condition) => [...condition, 0x0d, 0]; // back to the start of the loop, if so
const loadInteger = (address) => [...address, 0x28, 2, 0];
const loadFour = (address, ahead) => [...address, 0xfd, 0x00, 2, ahead];
const loadRepeated = (address) => [...address, 0xfd, 0x09, 2, 0]; // one number, four times
const addFours = (a, b) => [...a, ...b, 0xfd, 0xe4, 0x01];
const multiplyFours = (a, b) => [...a, ...b, 0xfd, 0xe6, 0x01];
const storeOne = (address, ahead, fours, lane) => [...address, ...fours, 0xfd, 0x5a, 2, ahead, lane];

const INTEGER = 0x7f; // 32 bits; addresses are integers too
const FOURS = 0x7b; // a vector of four floats

/**
 * tile(panel, offsets, end, out, rowBytes, column, …): out[row, c] = bias[row] + Σ_k a[row, k] · b[column c + offsets[k]].
 *
 * `panel` holds the bias of LANES rows, then for each k their factors a[·, k]. `offsets` to `end` holds a place for each
 * k, and there is at least one. All places are in bytes; the rows of the result are `rowBytes` apart.
 * @param {number} columns how many starts of columns are given
 */
function tile(columns) {
  let locals = 0;
  const names = (count) => Array.from({ length: count }, () => locals++);
  const [panel, offsets, end, out, rowBytes] = names(5);
  const starts = names(columns);
  const parameters = locals;
  const [low, high, factor] = names(3);
  const sums = starts.map(() => names(2)); // of the lower and the upper four rows
  const vectors = locals - parameters;
  const [offset] = names(1);

  const step = (local, bytes) => set(local, add(get(local), bytes));
  const begin = sums.map(([lower, upper]) => [set(lower, loadFour(get(panel), 0)), set(upper, loadFour(get(panel), 16))]);
  const accumulate = starts.map((start, c) => [
    set(factor, loadRepeated(add(get(start), get(offset)))),
    ...[low, high].map((four, half) =>
      set(sums[c][half], addFours(get(sums[c][half]), multiplyFours(get(four), get(factor)))),
    ),
  ]);
  const finish = Array.from({ length: LANES }, (_, row) => [
    ...sums.map((sum, c) => storeOne(get(out), 4 * c, get(sum[row < 4 ? 0 : 1]), row % 4)),
    step(out, get(rowBytes)),
  ]);
  const body = [
    begin,
    step(panel, constant(4 * LANES)),
    loop(
      set(low, loadFour(get(panel), 0)),
      set(high, loadFour(get(panel), 16)),
      set(offset, loadInteger(get(offsets))),
      accumulate.flat(2),
      step(panel, constant(4 * LANES)),
      step(offsets, constant(4)),
      again(less(get(offsets), get(end))),
    ),
    finish,
  ];
  return {
    name: `tile${columns}`,
    parameters: new Array(parameters).fill(INTEGER),
    code: [2, vectors, FOURS, 1, INTEGER, ...body.flat(Infinity), 0x0b], // the locals, by kind; the body; the end
  };
}

// -------------------------------------------------------------------------------------------------------- the module

/** A whole number, seven bits a byte, the lowest first; a byte of 128 and more says that another one follows. */
function number(value) {
  return value < 128 ? [value] : [(value % 128) + 128, ...number(Math.floor(value / 128))];
}

const text = (characters) => [characters.length, ...new TextEncoder().encode(characters)];
const vector = (items) => [items.length, ...items.flat()];
const sized = (bytes) => [...number(bytes.length), ...bytes];
const section = (id, items) => [id, ...sized(vector(items))];

/** The module as bytes: header, types, functions (each of a type), memory, exports, codes. */
function assemble() {
  const functions = [tile(1), tile(4)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, functions.map(({ parameters }) => [0x60, ...vector(parameters), 0])), // no result
    ...section(3, functions.map((_, type) => [type])),
    ...section(5, [[0, 1]]), // one page of 64 KiB at first, no limit
    ...section(7, [...functions.map(({ name }, i) => [...text(name), 0, i]), [...text("memory"), 2, 0]]),
    ...section(10, functions.map(({ code }) => sized(code))),
  ]);
}

let compiled; // once for all networks

/** A memory with its two functions. Throws an error where WebAssembly, its vectors or the memory are missing. */
export function simdTiles() {
  compiled ??= new WebAssembly.Module(assemble());
  return { way: "simd", ...new WebAssembly.Instance(compiled).exports };
}
