// Power flow: grid → building and chargers → groups. Width is power; dashes move only while the
// figures are fresh and motion is welcome. Wide and tall are two drawings of the same numbers.

import { useEffect, useRef } from "preact/hooks";

import { kw } from "../format";
import { t } from "../i18n";
import { branches, points, powerW } from "../site";
import type { Phases, Snapshot } from "../words";
import { Card } from "./basics";

const GROUPS_SHOWN = 6;
const STEP_MS = 200; // a CSS animation would paint sixty times a second, which old phones feel
const STEP_PX = 3;
const DASH_PX = 22; // one dash and its gap, as the style sheet has them

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Moves the dashes of what it is put on, while the page is seen and motion is welcome. */
function useDashes(still: boolean) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (still) return undefined;
    let along = 0;
    const timer = setInterval(() => {
      if (document.hidden || calm.matches) return;
      along = (along + STEP_PX) % (DASH_PX * STEP_PX); // a whole number of dashes
      box.current?.style.setProperty("--along", String(along));
    }, STEP_MS);
    return () => clearInterval(timer);
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
  const gridW = atGrid && meter.power_w !== null ? meter.power_w
    : buildingW === null ? null : buildingW + chargersW;
  return { gridW, buildingW, chargersW, groups: shares(shot) };
}

function shares(shot: Snapshot): Branch[] {
  const groups = shot.groups ?? [];
  const top = branches(points(shot), groups)
    .filter((one) => !one.group?.parent && (one.name !== null || one.points.length > 0));
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
    grid: told(flow.gridW), building: told(flow.buildingW), chargers: kw(flow.chargersW),
  });
  return (
    <Card title={t("flow.title")} class="flow-card">
      <div ref={box}>
        <div class="flow-wide"><Drawing flow={flow} words={words} upright={false} /></div>
        <div class="flow-tall"><Drawing flow={flow} words={words} upright /></div>
      </div>
    </Card>
  );
}

const told = (w: number | null): string => (w === null ? t("info.unknown") : kw(w));

interface Place {
  x: number;
  y: number;
}

/** Three ranks of nodes. `along` runs with the flow, `across` over it. */
function Drawing({ flow, words, upright }: { flow: Flow; words: string; upright: boolean }) {
  const groups = flow.groups.length ? flow.groups : [];
  const [width, height] = upright ? [320, 344] : [480, Math.max(236, groups.length * 48 + 20)];
  const length = upright ? height : width;
  const breadth = upright ? width : height;
  const put = (along: number, across: number): Place =>
    upright ? { x: across, y: along } : { x: along, y: across };
  const ranks = upright ? [32, 146, 268] : [58, 212, length - 142];
  const grid = put(ranks[0] ?? 0, breadth / 2);
  const building = put(ranks[1] ?? 0, breadth * 0.24);
  const chargers = put(ranks[1] ?? 0, breadth * 0.74);
  const ends = groups.map((_, i) => put(ranks[2] ?? 0, (breadth * (i + 0.5)) / groups.length));
  const most = Math.max(flow.gridW ?? 0, flow.chargersW + Math.max(0, flow.buildingW ?? 0), 1);
  return (
    <svg class="flow" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={words}>
      <Stream from={grid} to={building} w={flow.buildingW ?? 0} most={most} kind="building" upright={upright} />
      <Stream from={grid} to={chargers} w={flow.chargersW} most={most} kind="chargers" upright={upright} />
      {groups.map((group, i) => (
        <Stream key={group.key} from={chargers} to={ends[i] ?? chargers} w={group.w} most={most}
          kind="chargers" upright={upright} />
      ))}
      <Node at={grid} name={t("flow.grid")} value={told(flow.gridW)} kind="grid" w={112} />
      <Node at={building} name={t("flow.building")} value={told(flow.buildingW)} kind="building" w={112} />
      <Node at={chargers} name={t("flow.chargers")} value={kw(flow.chargersW)} kind="chargers" w={112} />
      {groups.map((group, i) => (
        <Leaf key={group.key} at={ends[i] ?? chargers} group={group} upright={upright}
          room={upright ? width / groups.length : 126} turn={i % 2} many={groups.length > 3} />
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
      {Math.abs(w) >= 50 && <path class={`dashes${back}`} d={path} stroke-width={Math.min(3, thick / 2)} />}
    </g>
  );
}

interface NodeProps {
  at: Place;
  name: string;
  value: string;
  kind: string;
  w: number;
}

function Node({ at, name, value, kind, w }: NodeProps) {
  return (
    <g class={`flow-node ${kind}`}>
      <rect x={at.x - w / 2} y={at.y - 26} width={w} height={52} rx={12} />
      <text class="flow-name" x={at.x} y={at.y - 6}>{name}</text>
      <text class="flow-value" x={at.x} y={at.y + 14}>{value}</text>
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

/** A group's end: beside its name on wide screens, above it on tall ones, in two rows when crowded. */
function Leaf({ at, group, upright, room, turn, many }: LeafProps) {
  const letters = Math.max(4, Math.floor((many && upright ? room * 1.9 : room) / 7.6));
  const name = group.name.length > letters ? `${group.name.slice(0, letters - 1)}…` : group.name;
  const drop = many && turn ? 34 : 0;
  return (
    <g class="flow-leaf">
      <title>{group.name}</title>
      <circle cx={at.x} cy={at.y} r={6} />
      <text class="flow-name" x={upright ? at.x : at.x + 14} y={upright ? at.y + 24 + drop : at.y - 3}>
        {name}
      </text>
      <text class="flow-value" x={upright ? at.x : at.x + 14} y={upright ? at.y + 40 + drop : at.y + 14}>
        {kw(group.w)}
      </text>
    </g>
  );
}
