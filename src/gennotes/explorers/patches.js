/**
 * What a discriminator says of the patches of a picture, drawn over it: each patch in the middle of the pixels that it
 * is said of, blue with a disc where it is taken for real, orange with a cross where it is taken for made. Colour and
 * sign are the stronger the surer the discriminator is; at ½ nothing stands there.
 *
 * @typedef {{ edges: number[], fields: [number, number][] }} Axis of n patches: the n + 1 edges between them, and from
 *   where to where each looks, in pixels of the picture; a field may begin before its edge and end beyond it
 * @typedef {{ rows: Axis, columns: Axis, side: number }} Places
 */

import { clamp, make } from "./parts.js";

const REAL = "#56b4e9"; // Okabe & Ito 2008, the blue and the orange that stand on black
const MADE = "#e69f00";
const TINT = 0.5; // how opaque the colour of a sure judgement is
const LEAST = 11; // a sign is drawn on patches that are so wide, in CSS pixels

export class PatchMap {
  /** @param {Places} places */
  constructor({ rows, columns, side }) {
    Object.assign(this, { rows, columns, side });
    this.canvas = make("canvas", { class: "gn-patches", "aria-hidden": "true" });
    this.context = this.canvas.getContext("2d");
  }

  /** The row and the column of the patch at a place in widths and heights of the picture. */
  at([across, down]) {
    const among = ({ edges }, share) => {
      const place = share * this.side;
      return clamp(edges.findLastIndex((edge) => edge <= place), 0, edges.length - 2);
    };
    return [among(this.rows, down), among(this.columns, across)];
  }

  /**
   * Draws at the resolution of the device.
   * @param {ArrayLike<number>} chances to be real, from 0 to 1, row by row @param {[number, number] | null} chosen
   *     the patch whose whole field is framed
   */
  draw(chances, chosen) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const sharp = window.devicePixelRatio;
    this.canvas.width = Math.round(width * sharp); // this empties it too
    this.canvas.height = Math.round(height * sharp);
    this.context.scale(this.canvas.width / this.side, this.canvas.height / this.side);
    const pixel = this.side / width; // one of CSS
    const count = this.columns.fields.length;
    Array.from(chances).forEach((chance, i) => this.drawPatch(chance, Math.floor(i / count), i % count, pixel));
    if (!chosen) return;
    const [[top, bottom], [left, right]] = [this.rows.fields[chosen[0]], this.columns.fields[chosen[1]]];
    for (const [colour, thick] of [["#000", 4], ["#fff", 2]]) {
      Object.assign(this.context, { strokeStyle: colour, lineWidth: thick * pixel });
      this.context.strokeRect(left + pixel, top + pixel, right - left - 2 * pixel, bottom - top - 2 * pixel);
    }
  }

  drawPatch(chance, row, column, pixel) {
    const { context } = this;
    const sure = Math.abs(2 * chance - 1);
    const [left, right] = [this.columns.edges[column], this.columns.edges[column + 1]];
    const [top, bottom] = [this.rows.edges[row], this.rows.edges[row + 1]];
    context.globalAlpha = TINT * sure;
    context.fillStyle = chance > 0.5 ? REAL : MADE;
    context.fillRect(left, top, right - left, bottom - top);
    context.globalAlpha = 1;
    const room = Math.min(right - left, bottom - top);
    if (room < LEAST * pixel) return;
    const radius = Math.min(0.3 * room, 6 * pixel) * sure;
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    context.beginPath();
    if (chance > 0.5) context.arc(x, y, radius, 0, 2 * Math.PI);
    else {
      for (const slope of [1, -1]) {
        context.moveTo(x - radius, y - slope * radius);
        context.lineTo(x + radius, y + slope * radius);
      }
    }
    Object.assign(context, { lineCap: "round", lineWidth: 3.5 * pixel, strokeStyle: "#000" }); // keeps the sign off white ink
    context.stroke();
    Object.assign(context, { lineWidth: 1.75 * pixel, strokeStyle: context.fillStyle });
    if (chance > 0.5) context.fill();
    else context.stroke();
  }
}
