// Power flow: grid → building and chargers → groups. Width is power; dashes move only while the
// figures are fresh and motion is welcome. Wide and tall are two drawings of the same numbers.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { kw } from "../format";
import { t } from "../i18n";
import { branches, points, powerW } from "../site";
import type { Phases, Snapshot } from "../words";
import { Card } from "./basics";

const GROUPS_SHOWN = 6;
const NODE_PX = 112;
const STEP_MS = 600; // a CSS animation would paint sixty times a second, which old phones feel
const STEP_PX = 7;
const DASH_PX = 22; // one dash and its gap, as the style sheet has them

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const broad = matchMedia("(width >= 700px)");
/** Which of the two drawings there is room for. */
const wide = signal(broad.matches);
broad.addEventListener("change", () => {
  wide.value = broad.matches;
});

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

interface Branch {
  key: string;
  name: string;
  w: number;
}

interface Flow {
  gridW: number | null;
  buildingW: number | null;
  chargersW: number;
  groups: Branch[];
}

function flowOf(shot: Snapshot): Flow {
  const { site, plan, meter } = shot;
  const w = (ma: Phases | null) => (ma ? powerW(ma, site.voltage_mv) : null);
  const chargersW = powerW(site.used_ma, site.voltage_mv);
  const buildingW = w(plan.building_ma);
  const atGrid = meter.enabled && meter.healthy && meter.location === "grid";
  const gridW =
    atGrid && meter.power_w !== null
      ? meter.power_w
      : buildingW === null
        ? null
        : buildingW + chargersW;
  return { gridW, buildingW, chargersW, groups: shares(shot) };
}

function shares(shot: Snapshot): Branch[] {
  const groups = shot.groups ?? [];
  const top = branches(points(shot), groups).filter(
    (one) => !one.group?.parent && (one.name !== null || one.points.length > 0),
  );
  const all = top.map((one) => ({
    key: one.name ?? "",
    name: one.name ?? t("flow.loose"),
    w: powerW(one.drawn, shot.site.voltage_mv),
  }));
  if (all.length <= GROUPS_SHOWN) return all;
  const rest = all.slice(GROUPS_SHOWN - 1).reduce((sum, one) => sum + one.w, 0);
  return [...all.slice(0, GROUPS_SHOWN - 1), { key: "*", name: t("flow.other"), w: rest }];
}

export function PowerFlow({ shot, still }: { shot: Snapshot; still: boolean }) {
  const flow = flowOf(shot);
  const box = useDashes(still);
  const words = t("flow.read", {
    grid: told(flow.gridW),
    building: told(flow.buildingW),
    chargers: kw(flow.chargersW),
  });
  return (
    <Card title={t("flow.title")} class="flow-card">
      <div ref={box}>
        <div class={wide.value ? "flow-wide" : "flow-tall"}>
          <Drawing flow={flow} words={words} upright={!wide.value} />
        </div>
      </div>
    </Card>
  );
}

const told = (w: number | null): string => (w === null ? t("info.unknown") : kw(w));

interface Place {
  x: number;
  y: number;
}

interface Layout {
  size: [number, number];
  grid: Place;
  building: Place;
  chargers: Place;
  ends: Place[];
}

/** Three ranks of places, along the flow; `across` is over it. */
function laidOut(groups: number, upright: boolean): Layout {
  const size: [number, number] = upright ? [320, 344] : [480, Math.max(236, groups * 48 + 20)];
  const [length, breadth] = upright ? [size[1], size[0]] : size;
  const ranks = upright ? [32, 146, 268] : [58, 212, length - 142];
  const put = (rank: number, across: number): Place => {
    const along = ranks[rank] ?? 0;
    return upright ? { x: across, y: along } : { x: along, y: across };
  };
  return {
    size,
    grid: put(0, breadth / 2),
    building: put(1, breadth * 0.24),
    chargers: put(1, breadth * 0.74),
    ends: Array.from({ length: groups }, (_, i) => put(2, (breadth * (i + 0.5)) / groups)),
  };
}

function Drawing({ flow, words, upright }: { flow: Flow; words: string; upright: boolean }) {
  const { groups, gridW, chargersW } = flow;
  const { size, grid, building, chargers, ends } = laidOut(groups.length, upright);
  const buildingW = flow.buildingW ?? 0;
  const most = Math.max(gridW ?? 0, chargersW + Math.max(0, buildingW), 1);
  const stream = { most, upright };
  return (
    <svg class="flow" viewBox={`0 0 ${size[0]} ${size[1]}`} role="img" aria-label={words}>
      <Stream from={grid} to={building} w={buildingW} kind="building" {...stream} />
      <Stream from={grid} to={chargers} w={chargersW} kind="chargers" {...stream} />
      {groups.map((group, i) => (
        <Stream
          key={group.key}
          from={chargers}
          to={ends[i] ?? chargers}
          w={group.w}
          kind="chargers"
          {...stream}
        />
      ))}
      <Node at={grid} name={t("flow.grid")} value={told(gridW)} kind="grid" />
      <Node at={building} name={t("flow.building")} value={told(flow.buildingW)} kind="building" />
      <Node at={chargers} name={t("flow.chargers")} value={kw(chargersW)} kind="chargers" />
      {groups.map((group, i) => (
        <Leaf
          key={group.key}
          at={ends[i] ?? chargers}
          group={group}
          upright={upright}
          room={upright ? size[0] / groups.length : 126}
          turn={i % 2}
          many={groups.length > 3}
        />
      ))}
    </svg>
  );
}

interface StreamProps {
  from: Place;
  to: Place;
  w: number;
  most: number;
  kind: string;
  upright: boolean;
}

function Stream({ from, to, w, most, kind, upright }: StreamProps) {
  const bend = upright
    ? `C${from.x} ${(from.y + to.y) / 2} ${to.x} ${(from.y + to.y) / 2} ${to.x} ${to.y}`
    : `C${(from.x + to.x) / 2} ${from.y} ${(from.x + to.x) / 2} ${to.y} ${to.x} ${to.y}`;
  const path = `M${from.x} ${from.y}${bend}`;
  const thick = Math.abs(w) < 50 ? 1.5 : 2 + 16 * Math.min(1, Math.abs(w) / most);
  const back = w < 0 ? " back" : "";
  return (
    <g class={`stream ${kind}${Math.abs(w) < 50 ? " idle" : ""}`}>
      <path class="bed" d={path} stroke-width={thick} />
      {Math.abs(w) >= 50 && (
        <path class={`dashes${back}`} d={path} stroke-width={Math.min(3, thick / 2)} />
      )}
    </g>
  );
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
      <rect x={at.x - NODE_PX / 2} y={at.y - 26} width={NODE_PX} height={52} rx={12} />
      <text class="flow-name" x={at.x} y={at.y - 6}>
        {name}
      </text>
      <text class="flow-value" x={at.x} y={at.y + 14}>
        {value}
      </text>
    </g>
  );
}

interface LeafProps {
  at: Place;
  group: Branch;
  upright: boolean;
  room: number;
  turn: number;
  many: boolean;
}

/** A group's end: beside its name on wide screens, above it on tall ones. */
function Leaf({ at, group, upright, room, turn, many }: LeafProps) {
  const letters = Math.max(4, Math.floor((many && upright ? room * 1.9 : room) / 7.6));
  const name = group.name.length > letters ? `${group.name.slice(0, letters - 1)}…` : group.name;
  const drop = many && turn ? 34 : 0;
  return (
    <g class="flow-leaf">
      <title>{group.name}</title>
      <circle cx={at.x} cy={at.y} r={6} />
      <text
        class="flow-name"
        x={upright ? at.x : at.x + 14}
        y={upright ? at.y + 24 + drop : at.y - 3}
      >
        {name}
      </text>
      <text
        class="flow-value"
        x={upright ? at.x : at.x + 14}
        y={upright ? at.y + 40 + drop : at.y + 14}
      >
        {kw(group.w)}
      </text>
    </g>
  );
}
