// A graph over time: steps of means, gaps left open, drag to zoom, one cross-hair for all of a page.
// Drawn by uPlot, whose notice goes with every copy.

/*!
uPlot. The MIT License (MIT)

Copyright (c) 2022 Leon Sorokin

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";

import { ampsOf, kwOf } from "../format";
import { number, onceFor, say, t } from "../i18n";
import { heights, type Amounts, type Drawing, type Layer } from "../past";
import { Icon } from "./basics";

export interface Zoom {
  from: number; // seconds since 1970
  to: number;
}

interface GraphProps {
  drawing: Drawing;
  zone: string;
  zoom: Zoom | null;
  onZoom: (zoom: Zoom | null) => void;
  sync: string; // graphs of the same name share their cross-hair
  height?: number;
  level?: 2 | 3;
}

const LEAST_S = 5 * 60; // a shorter drag is a click
const DASH = [6, 4];
const PALE = 0.45;
const UNITS = { kw: "kW", a: "A" } as const;

export const amount = (value: number | null, unit: Drawing["unit"]): string =>
  value === null ? "–" : `${unit === "kw" ? kwOf(value) : ampsOf(value)} ${UNITS[unit]}`;

export function timeIn(zone: string, how: Intl.DateTimeFormatOptions): (at: number) => string {
  const format = onceFor(`graph ${zone} ${JSON.stringify(how)}`, (tag) => {
    try {
      return new Intl.DateTimeFormat(tag, { ...how, timeZone: zone });
    } catch {
      return new Intl.DateTimeFormat(tag, { ...how, timeZone: "UTC" });
    }
  });
  return (at) => format.format(new Date(at * 1000));
}

export const hourIn = (zone: string) =>
  timeIn(zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** The colours of this theme, as canvas and picture know them: `#rrggbb`. */
export function palette(): (token: string, share?: number) => string {
  const style = getComputedStyle(document.documentElement);
  const pen = document.createElement("canvas").getContext("2d");
  const plain = (token: string): string => {
    const value = style.getPropertyValue(token).trim() || "#808080";
    if (!pen) return value;
    pen.fillStyle = value;
    return pen.fillStyle;
  };
  const parts = (hex: string) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const back = parts(plain("--surface"));
  return (token, share = 1) => {
    const mixed = parts(plain(token)).map((part, i) =>
      Math.round(part * share + (back[i] ?? 0) * (1 - share)),
    );
    return `#${mixed.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
  };
}

/** A layer's line, and what fills it. */
export function looks(layer: Layer, colours: ReturnType<typeof palette>) {
  const stroke = colours(layer.colour, layer.pale ? 0.6 : 1);
  return { stroke, fill: colours(layer.colour, layer.pale ? 0.25 : PALE) };
}

/** The last value lasts to the end of its slot. */
export function closed(values: Amounts): Amounts {
  const out = [...values, null];
  for (let slot = out.length - 2; slot >= 0; slot -= 1) {
    if (out[slot] === null) continue;
    out[slot + 1] = out[slot] ?? null;
    break;
  }
  return out;
}

/** What a graph shows, lowest first, in the order in which it is drawn. */
function shown(drawing: Drawing, hidden: ReadonlySet<string>): [Layer, Amounts][] {
  const tops = heights(drawing, hidden);
  const there = drawing.layers.flatMap((layer): [Layer, Amounts][] => {
    const values = tops.get(layer.id);
    return values ? [[layer, values]] : [];
  });
  const areas = there.filter(([layer]) => layer.kind === "area").reverse(); // the tallest behind
  return [...areas, ...there.filter(([layer]) => layer.kind !== "area")];
}

export function Graph(props: GraphProps) {
  const { drawing, zone, zoom } = props;
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [slot, setSlot] = useState<number | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const failed = useChart(box, latest, hidden, setSlot, [drawing, zone, hidden, zoom?.from, zoom?.to]);
  const toggle = (id: string) => {
    const next = new Set(hidden);
    if (!next.delete(id)) next.add(id);
    setHidden(next);
  };
  const Heading = props.level === 3 ? "h4" : "h3";
  return (
    <figure class="graph">
      <figcaption>
        <Heading>{drawing.title}</Heading>
        <span class="second">{UNITS[drawing.unit]}</span>
        <span class="graph-at figure">{slot === null ? "" : hourIn(zone)(drawing.edges[slot] ?? 0)}</span>
      </figcaption>
      <div
        class="graph-canvas"
        ref={box}
        role="img"
        aria-label={inShort(drawing)}
        style={{ blockSize: `${props.height ?? 220}px` }}
      >
        {failed && <p class="second">{t("app.failed")}</p>}
      </div>
      <ul class="graph-legend">
        {drawing.layers.map((layer) => (
          <li key={layer.id}>
            <button
              type="button"
              aria-pressed={!hidden.has(layer.id)}
              onClick={() => toggle(layer.id)}
            >
              <Swatch layer={layer} />
              <span class="graph-name">{layer.name}</span>
              <span class="figure graph-value">
                {slot === null ? "" : amount(layer.values[slot] ?? null, drawing.unit)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </figure>
  );
}

function Swatch({ layer }: { layer: Layer }) {
  const look = layer.kind === "limit" ? "dashed" : layer.kind;
  return (
    <svg class={`graph-swatch ${look}${layer.pale ? " pale" : ""}`} width="18" height="14" viewBox="0 0 18 14" aria-hidden="true">
      {layer.kind === "area" ? (
        <rect x="1" y="1" width="16" height="12" rx="3" style={{ "--c": `var(${layer.colour})` }} />
      ) : (
        <path d="M1 7h16" style={{ "--c": `var(${layer.colour})` }} />
      )}
    </svg>
  );
}

/** In words, for whoever does not see it: the highest of each line. */
function inShort(drawing: Drawing): string {
  const parts = drawing.layers.flatMap((layer) => {
    const known = layer.values.filter((one) => one !== null);
    if (!known.length) return [];
    return t("graph.up_to", { name: layer.name, most: amount(Math.max(...known), drawing.unit) });
  });
  return t("graph.in_short", { title: drawing.title, parts: parts.join(", ") || t("graph.nothing") });
}

// --- the canvas ----------------------------------------------------------------------------------

type Latest = { current: GraphProps };

/** Draws it, and anew when what it shows, the theme or its room changes; whether it cannot. */
function useChart(
  box: { current: HTMLDivElement | null },
  latest: Latest,
  hidden: ReadonlySet<string>,
  onSlot: (slot: number | null) => void,
  when: readonly unknown[],
): boolean {
  const [failed, setFailed] = useState(false);
  const [look, setLook] = useState(0);
  useEffect(() => {
    const watch = new MutationObserver(() => setLook((n) => n + 1));
    watch.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    let chart: uPlot | null = null;
    let over = false;
    const room = new ResizeObserver(() => {
      const width = box.current?.clientWidth ?? 0;
      if (chart && width && width !== chart.width)
        chart.setSize({ width, height: latest.current.height ?? 220 });
    });
    import("uplot").then(
      ({ default: Plot }) => {
        if (over || !box.current) return;
        const { options, data } = planned(Plot, latest, hidden, onSlot, box.current.clientWidth);
        chart = new Plot(options, data, box.current);
        room.observe(box.current);
      },
      () => setFailed(true),
    );
    return () => {
      over = true;
      room.disconnect();
      chart?.destroy();
    };
  }, [...when, look]);
  return failed;
}

function planned(
  Plot: typeof uPlot,
  latest: Latest,
  hidden: ReadonlySet<string>,
  onSlot: (slot: number | null) => void,
  width: number,
): { options: uPlot.Options; data: uPlot.AlignedData } {
  const { drawing, zone, zoom, sync, height } = latest.current;
  const colours = palette();
  const stepped = Plot.paths.stepped?.({ align: 1, alignGaps: 1 });
  const series: uPlot.Series[] = [{}];
  const data: uPlot.AlignedData = [drawing.edges];
  const bands: uPlot.Band[] = [];
  for (const [layer, values] of shown(drawing, hidden)) {
    const { stroke, fill } = looks(layer, colours);
    const line = { paths: stepped as uPlot.Series.PathBuilder, points: { show: false } };
    if (layer.low && layer.high) {
      for (const edge of [layer.high, layer.low]) {
        series.push({ ...line, stroke: "transparent", width: 0 });
        data.push(closed(edge));
      }
      bands.push({ series: [series.length - 2, series.length - 1], fill: colours(layer.colour, 0.22) });
    }
    series.push({
      ...line,
      stroke,
      width: layer.kind === "area" ? 1 : 2,
      ...(layer.kind === "area" && { fill }),
      ...(layer.kind === "limit" && { dash: DASH }),
    });
    data.push(closed(values));
  }
  const [first = 0, last = 1] = [drawing.edges[0], drawing.edges[drawing.edges.length - 1]];
  const options: uPlot.Options = {
    width,
    height: height ?? 220,
    padding: [8, 22, 0, 0],
    legend: { show: false },
    tzDate: (at) => inZone(Plot, at, zone),
    scales: {
      x: { time: true, range: () => [zoom?.from ?? first, zoom?.to ?? last] },
      y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1000, (high ?? 0) * 1.06)] },
    },
    axes: axesOf(colours, zone, drawing.unit),
    series,
    bands,
    cursor: {
      sync: { key: sync, setSeries: false, scales: ["x", null] },
      drag: { x: true, y: false, setScale: false },
      points: { show: false },
      y: false,
    },
    hooks: {
      setCursor: [(plot) => onSlot(slotAt(plot, drawing))],
      setSelect: [(plot) => dragged(plot, latest.current.onZoom)],
      draw: [(plot) => drawMarks(plot, drawing, colours("--limit-mark"))],
    },
  };
  return { options, data };
}

function inZone(Plot: typeof uPlot, at: number, zone: string): Date {
  try {
    return Plot.tzDate(new Date(at * 1000), zone);
  } catch {
    return Plot.tzDate(new Date(at * 1000), "Etc/UTC");
  }
}

function axesOf(
  colours: ReturnType<typeof palette>,
  zone: string,
  unit: Drawing["unit"],
): uPlot.Axis[] {
  const hour = hourIn(zone);
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const grid = { stroke: colours("--hair"), width: 1 };
  const common = { stroke: colours("--second"), font, grid, ticks: { show: false } };
  return [
    { ...common, space: 64, size: 28, values: (_, at) => at.map(hour) },
    {
      ...common,
      space: 36,
      size: 46,
      values: (_, all) => all.map((one) => number(one / 1000, unit === "kw" ? 1 : 0)),
    },
  ];
}

/** The slot below the cross-hair. */
function slotAt(plot: uPlot, drawing: Drawing): number | null {
  const { left } = plot.cursor;
  if (left === undefined || left < 0) return null;
  const at = plot.posToVal(left, "x");
  const slot = drawing.edges.findLastIndex((edge) => edge <= at);
  return slot < 0 || slot >= drawing.edges.length - 1 ? null : slot;
}

function dragged(plot: uPlot, zoomTo: (zoom: Zoom | null) => void): void {
  const { left, width } = plot.select;
  if (!width) return;
  const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  if (to - from >= LEAST_S) zoomTo({ from: Math.round(from), to: Math.round(to) });
}

/** A small mark below the upper edge wherever the limit in force has changed. */
function drawMarks(plot: uPlot, drawing: Drawing, colour: string): void {
  const { ctx, bbox } = plot;
  const size = 5 * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = colour;
  for (const mark of drawing.marks) {
    const x = plot.valToPos(mark.at, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x - size, bbox.top);
    ctx.lineTo(x + size, bbox.top);
    ctx.lineTo(x, bbox.top + 1.6 * size);
    ctx.fill();
  }
  ctx.restore();
}

/** The changes of the limit, said. */
export function Marks({ drawing, zone }: { drawing: Drawing | undefined; zone: string }) {
  const said = useMemo(() => drawing?.marks ?? [], [drawing]);
  if (!said.length) return null;
  const hour = hourIn(zone);
  return (
    <details class="graph-more">
      <summary>
        <Icon name="chevron-right" size={18} /> {say("graph.marks", { n: said.length })}
      </summary>
      <ul class="graph-marks">
        {said.map((mark) => (
          <li key={mark.at}>
            <span class="figure">{hour(mark.at)}</span> {mark.words}
          </li>
        ))}
      </ul>
    </details>
  );
}
