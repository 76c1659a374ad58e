// Power flow: grid → building and chargers → groups → groups that they feed. Width is power; dashes
// move only while the figures are fresh and motion is welcome. Wide is a tree from left to right,
// tall a list with its groups indented: two drawings of the same numbers.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { kw } from "../format";
import { t } from "../i18n";
import { branches, points, powers, togetherW, type Powers } from "../site";
import type { Snapshot } from "../words";
import { Card } from "./basics";

const GROUPS_SHOWN = 6; // fed by one place; further ones are shown as one
const ROWS_MOST = 12; // of all ranks; where there are more, the deepest are left out
const RANKS_WIDE = 3; // so many there is room for beside each other
const NODE_PX = 112;
const RANK_PX = 190;
const LEAF_PX = 54;
const ROW_PX = 46;
const INDENT_PX = 28;
const BEND_PX = 12;
const LETTER_PX = 7.6;
const NAME_PX = 128;
const STEP_MS = 600; // a CSS animation would paint sixty times a second, which old phones feel
const STEP_PX = 7;
const DASH_PX = 22; // one dash and its gap, as the style sheet has them

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const broad = matchMedia("(width >= 700px)");
const broader = matchMedia("(width >= 1000px)"); // what groups within groups need
/** How much room there is: none, for one rank of groups, for several. */
const room = signal(0);
const measure = () => {
  room.value = Number(broad.matches) + Number(broader.matches);
};
measure();
broad.addEventListener("change", measure);
broader.addEventListener("change", measure);

/** Moves the dashes of what it is put on, while the page is seen and motion is welcome. */
function useDashes(still: boolean) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (still) return undefined;
    let along = 0;
    let inSight = true;
    const sight = new IntersectionObserver((seen) => {
      inSight = seen.some((one) => one.isIntersecting);
    });
    if (box.current) sight.observe(box.current);
    const timer = setInterval(() => {
      if (document.hidden || !inSight || calm.matches) return;
      along = (along + STEP_PX) % (DASH_PX * STEP_PX); // a whole number of dashes
      // each path its own: a property that all inherit would have the whole drawing styled anew
      for (const path of box.current?.querySelectorAll<SVGPathElement>(".dashes") ?? []) {
        const back = path.classList.contains("back");
        path.style.strokeDashoffset = String(back ? along : -along);
      }
    }, STEP_MS);
    return () => {
      clearInterval(timer);
      sight.disconnect();
    };
  }, [still]);
  return box;
}

interface Stem {
  key: string;
  name: string;
  w: number;
  stems: Stem[]; // what it feeds
}

interface Flow extends Powers {
  stems: Stem[];
}

const flowOf = (shot: Snapshot): Flow => ({ ...powers(shot), stems: grown(shot) });

/** The groups as they feed each other, as many ranks as can be shown. */
function grown(shot: Snapshot): Stem[] {
  const made = branches(points(shot), shot.groups ?? []);
  const under = (parent: string | null, ranks: number): Stem[] => {
    const own = made.filter(
      (one) =>
        (one.group?.parent ?? null) === parent && (one.name !== null || one.points.length > 0),
    );
    const all = own.map((one) => ({
      key: one.name ?? "",
      name: one.name ?? t("flow.loose"),
      w: togetherW(one.under, shot.site.voltage_mv),
      stems: ranks > 1 && one.name !== null ? under(one.name, ranks - 1) : [],
    }));
    if (all.length <= GROUPS_SHOWN) return all;
    const rest = all.slice(GROUPS_SHOWN - 1).reduce((sum, one) => sum + one.w, 0);
    const others = { key: "*", name: t("flow.other"), w: rest, stems: [] };
    return [...all.slice(0, GROUPS_SHOWN - 1), others];
  };
  for (let ranks = RANKS_WIDE; ranks > 1; ranks -= 1) {
    const stems = under(null, ranks);
    if (listed(stems).length <= ROWS_MOST) return stems;
  }
  return under(null, 1);
}

/** All of them, each before what it feeds, with how deep it is. */
function listed(stems: readonly Stem[], depth = 0): { stem: Stem; depth: number }[] {
  return stems.flatMap((stem) => [{ stem, depth }, ...listed(stem.stems, depth + 1)]);
}

const ranksOf = (stems: readonly Stem[]): number =>
  stems.reduce((most, one) => Math.max(most, 1 + ranksOf(one.stems)), 0);

/** Whether groups feed groups: such a drawing wants a row of its own. */
export const isRanked = (shot: Snapshot): boolean =>
  (shot.groups ?? []).some((group) => group.parent !== null);

export function PowerFlow({ shot, still }: { shot: Snapshot; still: boolean }) {
  const flow = flowOf(shot);
  const box = useDashes(still);
  const parts = listed(flow.stems).map(({ stem }) =>
    t("flow.part", { name: stem.name, power: kw(stem.w) }),
  );
  const words = t("flow.read", {
    grid: told(flow.gridW),
    building: told(flow.buildingW),
    chargers: kw(flow.chargersW),
    groups: parts.join(", "),
  });
  const wide = room.value >= Math.min(2, Math.max(1, ranksOf(flow.stems)));
  return (
    <Card title={t("flow.title")} class="flow-card">
      <div ref={box}>
        <div class={wide ? "flow-wide" : "flow-tall"}>
          {wide ? <Wide flow={flow} words={words} /> : <Tall flow={flow} words={words} />}
        </div>
      </div>
      {flow.gridW !== null && (
        <p class="second">
          {t("flow.sum", { power: flow.meterW === null ? null : kw(flow.meterW) })}
        </p>
      )}
    </Card>
  );
}

const told = (w: number | null): string => (w === null ? t("info.unknown") : kw(w));

interface Place {
  x: number;
  y: number;
}

interface DrawingProps {
  flow: Flow;
  words: string;
}

/** What the widest stream carries. */
const mostOf = ({ gridW, buildingW, chargersW }: Flow): number =>
  Math.max(gridW ?? 0, chargersW + Math.max(0, buildingW ?? 0), 1);

// --- from left to right --------------------------------------------------------------------------

interface Twig {
  stem: Stem;
  from: Place;
  at: Place;
}

/** Ends below each other, what feeds them beside their middle. */
function twigs(stems: readonly Stem[], from: Place, first: number, breadth: number): Twig[] {
  const ends = Math.max(1, listed(stems).filter(({ stem }) => !stem.stems.length).length);
  const made: Twig[] = [];
  let end = 0;
  const put = (all: readonly Stem[], rank: number, feeder: Place): number[] =>
    all.map((stem) => {
      const at: Place = { x: first + rank * RANK_PX, y: 0 };
      made.push({ stem, from: feeder, at });
      const inner = put(stem.stems, rank + 1, at);
      if (inner.length) at.y = ((inner[0] ?? 0) + (inner.at(-1) ?? 0)) / 2;
      else at.y = (breadth * (end++ + 0.5)) / ends;
      return at.y;
    });
  put(stems, 0, from);
  return made;
}

/** Room for the names at the ends; a drawing with the whole width has more of it. */
function namesPx(stems: readonly Stem[], ranks: number): number {
  if (ranks === 1) return NAME_PX;
  const letters = listed(stems).map(({ stem }) => stem.name.length + 1);
  return Math.min(NAME_PX * 2, Math.max(NAME_PX, Math.max(...letters) * LETTER_PX));
}

function Wide({ flow, words }: DrawingProps) {
  const { stems, gridW, chargersW } = flow;
  const ranks = ranksOf(stems);
  const ends = listed(stems).filter(({ stem }) => !stem.stems.length).length;
  const breadth = Math.max(236, ends * (ranks > 1 ? LEAF_PX : 48) + 20);
  const first = ranks > 1 ? 408 : 338; // a box needs more room than a point
  const length = ranks ? first + (ranks - 1) * RANK_PX + 14 + namesPx(stems, ranks) : 282;
  const grid = { x: 58, y: breadth / 2 };
  const building = { x: 212, y: breadth * 0.24 };
  const chargers = { x: 212, y: breadth * 0.74 };
  const most = mostOf(flow);
  const made = twigs(stems, chargers, first, breadth);
  return (
    <svg
      class="flow"
      viewBox={`0 0 ${length} ${breadth}`}
      style={ranks === 1 ? {} : { maxWidth: `${length * 1.1}px` }}
      role="img"
      aria-label={words}
    >
      <Stream path={across(grid, building)} w={flow.buildingW ?? 0} kind="building" most={most} />
      <Stream path={across(grid, chargers)} w={chargersW} kind="chargers" most={most} />
      {made.map(({ stem, from, at }) => (
        <Stream key={stem.key} path={across(from, at)} w={stem.w} kind="chargers" most={most} />
      ))}
      <Node at={grid} name={t("flow.grid")} value={told(gridW)} kind="grid" />
      <Node at={building} name={t("flow.building")} value={told(flow.buildingW)} kind="building" />
      <Node at={chargers} name={t("flow.chargers")} value={kw(chargersW)} kind="chargers" />
      {made.map(({ stem, at }) =>
        stem.stems.length ? (
          <Node key={stem.key} at={at} name={stem.name} value={kw(stem.w)} kind="group" />
        ) : (
          <Leaf key={stem.key} at={at} stem={stem} width={length - at.x - 14} />
        ),
      )}
    </svg>
  );
}

function across(from: Place, to: Place): string {
  const half = (from.x + to.x) / 2;
  return `M${from.x} ${from.y}C${half} ${from.y} ${half} ${to.y} ${to.x} ${to.y}`;
}

// --- from top to bottom --------------------------------------------------------------------------

const TALL = { width: 320, grid: 32, middle: 130, first: 200, trunk: 44 };

interface Bough {
  key: string;
  path: string;
  w: number;
}

/** Trunks down and branches to the right: a trunk carries what is still to branch off. */
function boughs(stems: readonly Stem[], from: Place, y: (stem: Stem) => number): Bough[] {
  const x = from.x + INDENT_PX;
  let [above, left] = [from.y, stems.reduce((sum, one) => sum + one.w, 0)];
  return stems.flatMap((stem): Bough[] => {
    const at = y(stem);
    const bend = at - BEND_PX;
    const trunk = { key: `${stem.key}|`, path: `M${from.x} ${above}V${bend}`, w: left };
    const branch = {
      key: stem.key,
      path: `M${from.x} ${bend}Q${from.x} ${at} ${from.x + BEND_PX} ${at}H${x}`,
      w: stem.w,
    };
    [above, left] = [bend, left - stem.w];
    return [trunk, branch, ...boughs(stem.stems, { x, y: at }, y)];
  });
}

function Tall({ flow, words }: DrawingProps) {
  const { stems, gridW, chargersW } = flow;
  const rows = listed(stems);
  const yOf = new Map(rows.map(({ stem }, i) => [stem, TALL.first + i * ROW_PX]));
  const grid = { x: TALL.width / 2, y: TALL.grid };
  const chargers = { x: 76, y: TALL.middle };
  const building = { x: 244, y: TALL.middle };
  const most = mostOf(flow);
  const down = boughs(stems, { x: TALL.trunk, y: TALL.middle }, (stem) => yOf.get(stem) ?? 0);
  const height = rows.length ? TALL.first + (rows.length - 1) * ROW_PX + 26 : TALL.middle + 36;
  return (
    <svg class="flow" viewBox={`0 0 ${TALL.width} ${height}`} role="img" aria-label={words}>
      <Stream path={downward(grid, building)} w={flow.buildingW ?? 0} kind="building" most={most} />
      <Stream path={downward(grid, chargers)} w={chargersW} kind="chargers" most={most} />
      {down.map(({ key, path, w }) => (
        <Stream key={key} path={path} w={w} kind="chargers" most={most} />
      ))}
      <Node at={grid} name={t("flow.grid")} value={told(gridW)} kind="grid" />
      <Node at={building} name={t("flow.building")} value={told(flow.buildingW)} kind="building" />
      <Node at={chargers} name={t("flow.chargers")} value={kw(chargersW)} kind="chargers" />
      {rows.map(({ stem, depth }) => {
        const at = { x: TALL.trunk + (depth + 1) * INDENT_PX, y: yOf.get(stem) ?? 0 };
        return <Leaf key={stem.key} at={at} stem={stem} width={TALL.width - at.x - 14} />;
      })}
    </svg>
  );
}

function downward(from: Place, to: Place): string {
  const half = (from.y + to.y) / 2;
  return `M${from.x} ${from.y}C${from.x} ${half} ${to.x} ${half} ${to.x} ${to.y}`;
}

// --- what both are made of -----------------------------------------------------------------------

const IDLE_W = 50;

interface StreamProps {
  path: string;
  w: number;
  most: number;
  kind: string;
}

function Stream({ path, w, most, kind }: StreamProps) {
  const idle = Math.abs(w) < IDLE_W;
  const thick = idle ? 1.5 : 2 + 16 * Math.min(1, Math.abs(w) / most);
  const back = w < 0 ? " back" : "";
  return (
    <g class={`stream ${kind}${idle ? " idle" : ""}`}>
      <path class="bed" d={path} stroke-width={thick} />
      {!idle && <path class={`dashes${back}`} d={path} stroke-width={Math.min(3, thick / 2)} />}
    </g>
  );
}

/** As much of a name as there is room for. */
function fitted(name: string, width: number): string {
  const letters = Math.max(4, Math.floor(width / LETTER_PX));
  return name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
}

interface NodeProps {
  at: Place;
  name: string;
  value: string;
  kind: string;
}

function Node({ at, name, value, kind }: NodeProps) {
  return (
    <g class={`flow-node ${kind}`}>
      <title>{name}</title>
      <rect x={at.x - NODE_PX / 2} y={at.y - 26} width={NODE_PX} height={52} rx={12} />
      <text class="flow-name" x={at.x} y={at.y - 6}>
        {fitted(name, NODE_PX - 8)}
      </text>
      <text class="flow-value" x={at.x} y={at.y + 14}>
        {value}
      </text>
    </g>
  );
}

/** A group's end, its name and power beside it. */
function Leaf({ at, stem, width }: { at: Place; stem: Stem; width: number }) {
  return (
    <g class="flow-leaf">
      <title>{stem.name}</title>
      <circle cx={at.x} cy={at.y} r={6} />
      <text class="flow-name" x={at.x + 14} y={at.y - 3}>
        {fitted(stem.name, width)}
      </text>
      <text class="flow-value" x={at.x + 14} y={at.y + 14}>
        {kw(stem.w)}
      </text>
    </g>
  );
}
