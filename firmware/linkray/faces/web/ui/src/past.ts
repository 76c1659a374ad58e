// The site's past as the API tells it, and the layers that graphs are made of. Powers are in W and
// currents in mA; null is a gap, and stays one.

import { call } from "./api";
import { t } from "./i18n";
import { byName, nameOf } from "./site";
import type { Charger, PhaseName, Snapshot } from "./words";
import { PHASES } from "./words";

type Column = (number | null)[] | null;
type Columns = [Column, Column, Column];
export type Amounts = (number | null)[];

export interface PastPoint {
  charger: string;
  connector: number;
  name: string;
  power_w: Column;
  current_ma: Columns;
}

/** `GET /api/v1/graphs`. */
export interface Past {
  time_zone: string;
  start: string;
  step_s: number;
  slots: number;
  day: string | null;
  limit_ma: Columns;
  degraded: Column;
  limit_w: Column;
  current_ma: Columns;
  current_low_ma: Columns;
  current_high_ma: Columns;
  power_w: Columns;
  total_w: Column;
  total_low_w: Column;
  total_high_w: Column;
  building_ma: Columns;
  building_w: Column;
  points: PastPoint[];
}

export interface PastDays {
  time_zone: string;
  today: string;
  days: { day: string; quarters: number; of: number }[];
}

export async function readPast(day: string | null, minutes: number): Promise<Past> {
  const asked = new URLSearchParams({ minutes: String(minutes), ...(day && { day }) });
  return (await call<Past>("GET", `/graphs?${asked}`)).body;
}

export async function readDays(from: string, to: string): Promise<PastDays> {
  return (await call<PastDays>("GET", `/graphs/days?${new URLSearchParams({ from, to })}`)).body;
}

// --- layers --------------------------------------------------------------------------------------

export type Unit = "kw" | "a";

/** One line of a graph. `colour` is a token; a second round of colours is paler. */
export interface Layer {
  id: string;
  name: string;
  colour: string;
  pale?: boolean;
  values: Amounts;
  kind: "line" | "limit" | "area";
  low?: Amounts; // the lowest and highest of each slot
  high?: Amounts;
}

export interface Drawing {
  id: string;
  title: string;
  unit: Unit;
  stacked: boolean;
  edges: number[]; // seconds since 1970: where slots begin, and where the last one ends
  layers: Layer[];
  marks: Mark[];
}

/** The limit in force has changed. */
export interface Mark {
  at: number; // seconds since 1970
  words: string;
}

const COLOURS = ["--g1", "--g2", "--g3", "--g4", "--g5", "--g6"];
const REST = "--g-rest";
const GROUPS_MAX = 6;

export function edgesOf(past: Past): number[] {
  const start = Date.parse(past.start) / 1000;
  return Array.from({ length: past.slots + 1 }, (_, slot) => start + slot * past.step_s);
}

const gaps = (past: Past): Amounts => Array<null>(past.slots).fill(null);
const of = (past: Past, column: Column | undefined): Amounts => column ?? gaps(past);

/** Slot by slot; what is a gap in all of them is one in the sum. */
function added(past: Past, columns: readonly (Column | undefined)[]): Amounts {
  return gaps(past).map((_, slot) => {
    const known = columns.flatMap((column) => column?.[slot] ?? []);
    return known.length ? known.reduce((sum, amount) => sum + amount, 0) : null;
  });
}

const energy = (values: Amounts): number => values.reduce<number>((sum, w) => sum + (w ?? 0), 0);
const some = (column: Column | undefined): boolean => Boolean(column?.some((one) => one !== null));

/** What of a connector is drawn: its power, or its current on a phase. */
const partOf = (point: PastPoint, phase: number | null): Column =>
  phase === null ? point.power_w : (point.current_ma[phase] ?? null);

function limitLayer(past: Past, phase: number | null): Layer {
  const column = phase === null ? past.limit_w : past.limit_ma[phase];
  return {
    id: "limit",
    name: t("graph.limit"),
    colour: "--limit-mark",
    values: of(past, column),
    kind: "limit",
  };
}

function buildingLayer(past: Past, phase: number | null, kind: Layer["kind"]): Layer[] {
  const column = phase === null ? past.building_w : past.building_ma[phase];
  if (!some(column)) return [];
  const values = of(past, column);
  return [{ id: "building", name: t("graph.building"), colour: "--building", values, kind }];
}

/** Each connector that drew anything, by name; without any, those that could have. */
function connectorLayers(past: Past, phase: number | null, kind: Layer["kind"]): Layer[] {
  const busy = past.points.filter((point) => (point.power_w ?? []).some((w) => w));
  const named = (busy.length ? busy : []).map((point) => ({ ...point, id: point.charger }));
  const several = new Set(past.points.filter((one) => one.connector > 1).map((one) => one.charger));
  return byName(named).map((point, place) => ({
    id: `${point.charger}/${point.connector}`,
    name: several.has(point.charger)
      ? `${nameOf(point)} · ${t("tile.connector", { id: point.connector })}`
      : nameOf(point),
    colour: COLOURS[place % COLOURS.length] ?? REST,
    pale: place % (2 * COLOURS.length) >= COLOURS.length,
    values: of(past, partOf(point, phase)),
    kind,
  }));
}

/** Groups with their chargers, the six that took most energy and the rest together. */
function groupLayers(past: Past, shot: Snapshot, phase: number | null, kind: Layer["kind"]): Layer[] {
  const groupOf = new Map(shot.chargers.map((one: Charger) => [one.id, one.group]));
  const names = [...new Set(past.points.map((point) => groupOf.get(point.charger) ?? null))];
  const members = names.map((name) => {
    const points = past.points.filter((one) => (groupOf.get(one.charger) ?? null) === name);
    return { name, points, took: energy(added(past, points.map((one) => one.power_w))) };
  });
  members.sort((a, b) => b.took - a.took);
  const apart = members.slice(0, members.length > GROUPS_MAX ? GROUPS_MAX : undefined);
  const rest = members.slice(apart.length).flatMap((one) => one.points);
  const ordered = byName(
    apart.map((one) => ({ ...one, id: one.name ?? "", name: one.name ?? t("groups.loose") })),
  );
  const layers = ordered.map(({ id, name, points }, place): Layer => ({
    id: `group ${id}`,
    name,
    colour: COLOURS[place] ?? REST,
    values: added(past, points.map((one) => partOf(one, phase))),
    kind,
  }));
  if (!rest.length) return layers;
  const values = added(past, rest.map((one) => partOf(one, phase)));
  return [...layers, { id: "rest", name: t("graph.rest"), colour: REST, values, kind }];
}

/** When the limit in force was another than in the slot before. */
export function limitMarks(past: Past, unit: (ma: number) => string): Mark[] {
  const edges = edgesOf(past);
  const told = (slot: number): string | null => {
    const each = past.limit_ma.map((column) => column?.[slot] ?? null);
    if (each.some((ma) => ma === null)) return null;
    const same = each.every((ma) => ma === each[0]);
    const words = same ? unit(each[0] ?? 0) : each.map((ma) => unit(ma ?? 0)).join(" · ");
    return past.degraded?.[slot] ? t("graph.degraded", { limit: words }) : words;
  };
  const marks: Mark[] = [];
  let before: string | null = null;
  for (let slot = 0; slot < past.slots; slot += 1) {
    const now = told(slot);
    if (now !== null && before !== null && now !== before)
      marks.push({ at: edges[slot] ?? 0, words: t("graph.mark", { from: before, to: now }) });
    before = now ?? before;
  }
  return marks;
}

// --- drawings ------------------------------------------------------------------------------------

type View = "stacked" | "overlaid";

interface Wanted {
  past: Past;
  view: View;
  shot?: Snapshot; // groups instead of connectors
  marks: Mark[];
}

/** Building and chargers, or their groups: power, or the current of a phase. */
export function sharesDrawing(wanted: Wanted, phase: number | null, title: string): Drawing {
  const { past, view, shot, marks } = wanted;
  const kind = view === "stacked" ? "area" : "line";
  const parts = shot ? groupLayers(past, shot, phase, kind) : connectorLayers(past, phase, kind);
  return {
    id: phase === null ? "shares" : `shares-${phase}`,
    title,
    unit: phase === null ? "kw" : "a",
    stacked: view === "stacked",
    edges: edgesOf(past),
    layers: [...buildingLayer(past, phase, kind), ...parts, limitLayer(past, phase)],
    marks,
  };
}

/** What came through the supply; without a meter what all chargers took. */
export function siteDrawing({ past, marks }: Wanted): Drawing {
  const metered = some(past.total_w);
  const values = metered
    ? of(past, past.total_w)
    : added(past, past.points.map((one) => one.power_w));
  const spread =
    metered && past.total_low_w && past.total_high_w
      ? { low: past.total_low_w, high: past.total_high_w }
      : {};
  const name = t(metered ? "graph.site" : "graph.chargers");
  return {
    id: "site",
    title: t("graph.site_power"),
    unit: "kw",
    stacked: false,
    edges: edgesOf(past),
    layers: [
      { id: "site", name, colour: "--accent", values, kind: "line", ...spread },
      limitLayer(past, null),
    ],
    marks,
  };
}

/** A phase at the supply against its limit; none without a meter. */
export function phaseDrawings({ past, marks }: Wanted): Drawing[] {
  return PHASES.flatMap((name: PhaseName, phase): Drawing[] => {
    const column = past.current_ma[phase];
    if (!some(column)) return [];
    const [low, high] = [past.current_low_ma[phase], past.current_high_ma[phase]];
    const spread = low && high ? { low, high } : {};
    return [
      {
        id: name,
        title: t("graph.phase", { phase: name }),
        unit: "a",
        stacked: false,
        edges: edgesOf(past),
        layers: [
          {
            id: "site",
            name: t("graph.site"),
            colour: `--l${phase + 1}`,
            values: of(past, column),
            kind: "line",
            ...spread,
          },
          ...buildingLayer(past, phase, "line"),
          limitLayer(past, phase),
        ],
        marks,
      },
    ];
  });
}

/** As they are drawn: of a stack each layer on top of those before it that are shown. */
export function heights(drawing: Drawing, hidden: ReadonlySet<string>): Map<string, Amounts> {
  const found = new Map<string, Amounts>();
  const below = drawing.edges.slice(1).map(() => 0);
  for (const layer of drawing.layers) {
    if (hidden.has(layer.id)) continue;
    if (!drawing.stacked || layer.kind !== "area") {
      found.set(layer.id, layer.values);
      continue;
    }
    const tops = layer.values.map((value, slot) => {
      if (value === null) return null;
      below[slot] = (below[slot] ?? 0) + Math.max(0, value); // what is fed in takes nothing off
      return below[slot] ?? null;
    });
    found.set(layer.id, tops);
  }
  return found;
}
