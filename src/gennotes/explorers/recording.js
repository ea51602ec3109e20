/** A recorded run as `training.py` packs it, taken apart again. */

import { fromBase64 } from "./parts.js";

const OUTSIDE = 65535; // the code of a point that is not in the picture
const MOST = 65534; // the code of a point at its right or upper edge

/**
 * @typedef {{ points: number, size: number, samples: string, surface: string, range: [number, number][],
 *   counts: number[][], losses: Object<string, number[]>, critic: boolean }} Packed
 *   points: samples a frame. size: cells along a side of the surface. samples: two bytes, the lower one first, for each
 *   coordinate. surface: a byte for each cell, from the lowest row up. range: what 0 and 255 stand for, for each frame.
 *   counts: samples of high quality by mode, for each frame.
 */

export class Recording {
  /** @param {Packed} packed @param {number} extent the picture is the square [−extent, extent]² */
  constructor(packed, extent) {
    Object.assign(this, packed);
    this.extent = extent;
    this.codes = fromBase64(packed.samples);
    this.bytes = fromBase64(packed.surface);
  }

  /** The samples of a frame as pairs (x, y); those outside of the picture are left out. */
  samplesAt(frame) {
    const view = new DataView(this.codes.buffer, this.codes.byteOffset + 4 * this.points * frame, 4 * this.points);
    const found = [];
    for (let i = 0; i < this.points; i++) {
      const codes = [view.getUint16(4 * i, true), view.getUint16(4 * i + 2, true)];
      if (!codes.includes(OUTSIDE)) found.push(codes.map((code) => ((2 * code) / MOST - 1) * this.extent));
    }
    return found;
  }

  /** The surface of a frame as bytes, row by row from the lowest. */
  surfaceAt(frame) {
    const cells = this.size * this.size;
    return this.bytes.subarray(frame * cells, (frame + 1) * cells);
  }

  /** Modes with at least one sample of high quality. */
  foundAt(frame) {
    return this.counts[frame].filter((count) => count > 0).length;
  }
}
