// Graphs as a picture, SVG or PNG, made here of the same layers that the page shows.

import { weekMinute } from "../format";
import { number } from "../i18n";
import { heights, type Amounts, type Drawing } from "../past";
import { hourIn, looks, palette, type Zoom } from "./graph";

const WIDE = 1200;
const HIGH = 260; // of one graph
const [LEFT, RIGHT, TOP, BOTTOM] = [70, 24, 44, 64];
const HEAD = 56;
const HOURS = [1, 2, 3, 6].map((hours) => hours * 3600);
const TICKS_MAX = 14;
const NAME_PX = 8; // of a letter of the legend, about

interface Span {
  from: number;
  to: number;
}

const safe = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/[\0-\x08\x0b-\x1f]/g, " ");

function round(most: number): number {
  const unit = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map((n) => n * unit).find((step) => most / step <= 6) ?? unit;
}

/** The steps of a layer within the span; a gap ends a piece and the next begins anew. */
function pieces(values: Amounts, edges: number[], span: Span, x: Place, y: Place): string[][] {
  const found: string[][] = [];
  let piece: string[] = [];
  values.forEach((value, slot) => {
    const [from, to] = [Math.max(edges[slot] ?? 0, span.from), Math.min(edges[slot + 1] ?? 0, span.to)];
    if (value === null || to <= from) {
      if (piece.length) found.push(piece);
      piece = [];
      return;
    }
    piece.push(`${x(from)},${y(value)}`, `${x(to)},${y(value)}`);
  });
  return piece.length ? [...found, piece] : found;
}

type Place = (value: number) => string;

function graph(drawing: Drawing, span: Span, top: number, zone: string): string {
  const colours = palette();
  const tops = heights(drawing, new Set());
  const all = [...tops.values()].flat().filter((one) => one !== null);
  const [least, most] = [Math.min(0, ...all), Math.max(1000, ...all) * 1.05];
  const [wide, high] = [WIDE - LEFT - RIGHT, HIGH - TOP - BOTTOM];
  const x: Place = (at) => (LEFT + ((at - span.from) / (span.to - span.from)) * wide).toFixed(1);
  const y: Place = (v) => (top + TOP + (1 - (v - least) / (most - least)) * high).toFixed(1);
  const text = (at: string, up: string, words: string, more = "") =>
    `<text x="${at}" y="${up}" fill="${colours("--second")}" ${more}>${safe(words)}</text>`;
  const out = [
    `<text x="${LEFT}" y="${top + 28}" font-weight="600" fill="${colours("--text")}">` +
      `${safe(drawing.title)} · ${drawing.unit === "kw" ? "kW" : "A"}</text>`,
  ];
  const step = round(most - least);
  for (let v = Math.ceil(least / step) * step; v <= most; v += step) {
    out.push(`<path d="M${LEFT} ${y(v)}H${WIDE - RIGHT}" stroke="${colours("--hair")}"/>`);
    out.push(text(String(LEFT - 8), y(v), number(v / 1000, 1), 'text-anchor="end" dy="4"'));
  }
  const every = HOURS.find((s) => (span.to - span.from) / s <= TICKS_MAX) ?? 6 * 3600;
  const since = weekMinute(new Date(span.from * 1000), zone).minute * 60;
  for (let at = span.from + ((every - (since % every)) % every); at <= span.to; at += every)
    out.push(text(x(at), String(top + HIGH - BOTTOM + 18), hourIn(zone)(at), 'text-anchor="middle"'));
  const areas = drawing.layers.filter((layer) => layer.kind === "area").reverse();
  for (const layer of [...areas, ...drawing.layers.filter((one) => one.kind !== "area")]) {
    const { stroke, fill } = looks(layer, colours);
    for (const points of pieces(tops.get(layer.id) ?? [], drawing.edges, span, x, y)) {
      const [first = "", last = ""] = [points[0], points[points.length - 1]];
      const base = `${last.split(",")[0]},${y(0)} ${first.split(",")[0]},${y(0)}`;
      if (layer.kind === "area")
        out.push(`<polygon points="${points.join(" ")} ${base}" fill="${fill}"/>`);
      const dash = layer.kind === "limit" ? ' stroke-dasharray="7 5"' : "";
      out.push(
        `<polyline points="${points.join(" ")}" fill="none" stroke="${stroke}" ` +
          `stroke-width="${layer.kind === "area" ? 1 : 2}"${dash}/>`,
      );
    }
  }
  return out.join("\n") + legend(drawing, top + HIGH - 22, colours);
}

function legend(drawing: Drawing, top: number, colours: ReturnType<typeof palette>): string {
  let left = LEFT;
  const out: string[] = [];
  for (const layer of drawing.layers) {
    const name = layer.name.length > 20 ? `${layer.name.slice(0, 19)}…` : layer.name;
    const wide = 40 + name.length * NAME_PX;
    if (left + wide > WIDE - RIGHT) break; // the page's legend and the CSV name them all
    const { stroke, fill } = looks(layer, colours);
    const box = layer.kind === "area" ? fill : "none";
    const dash = layer.kind === "limit" ? ' stroke-dasharray="4 3"' : "";
    out.push(
      layer.kind === "area"
        ? `<rect x="${left}" y="${top - 10}" width="16" height="11" fill="${box}" stroke="${stroke}"/>`
        : `<path d="M${left} ${top - 4}h16" stroke="${stroke}" stroke-width="2"${dash}/>`,
      `<text x="${left + 22}" y="${top}" fill="${colours("--second")}">${safe(name)}</text>`,
    );
    left += wide;
  }
  return out.join("\n");
}

/** All of these, one below the other, under a heading. */
export function pictureOf(
  drawings: readonly Drawing[],
  title: string,
  zone: string,
  zoom: Zoom | null,
): string {
  const edges = drawings[0]?.edges ?? [0, 1];
  const span = zoom ?? { from: edges[0] ?? 0, to: edges[edges.length - 1] ?? 1 };
  const tall = HEAD + drawings.length * HIGH;
  const colours = palette();
  const font = "system-ui, sans-serif";
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDE}" height="${tall}" viewBox="0 0 ${WIDE} ${tall}" font-family="${font}" font-size="13">
<rect width="100%" height="100%" fill="${colours("--surface")}"/>
<text x="${LEFT}" y="36" font-size="20" font-weight="600" fill="${colours("--text")}">${safe(title)}</text>
${drawings.map((one, place) => graph(one, span, HEAD + place * HIGH, zone)).join("\n")}
</svg>
`;
}

function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function saveSvg(name: string, svg: string): void {
  save(`${name}.svg`, new Blob([svg], { type: "image/svg+xml" }));
}

export async function savePng(name: string, svg: string): Promise<void> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const content = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  if (content) save(`${name}.png`, content);
}
