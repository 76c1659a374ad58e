// What the pages work out of a snapshot: connectors with their offers, groups, power, headroom.

import { onceFor, say, type Key } from "./i18n";
import type { IconName } from "./icons";
import type {
  Ceiling,
  Charger,
  Code,
  Connector,
  GroupView,
  NodeRoom,
  Offer,
  PhaseName,
  Phases,
  Snapshot,
  Status,
} from "./words";
import { PHASES } from "./words";

export type Tone = "ok" | "limited" | "fault" | "idle";

/** A connector with all that is known of it. */
export interface Point {
  key: string;
  charger: Charger;
  connector: Connector;
  offer: Offer | null;
  title: string; // friendly name, or the identity
  several: boolean; // its charger has more than one connector
}

const remembered = new WeakMap<Snapshot, readonly Point[]>();

/** All of a snapshot, by name: worked out once, for whoever sums them up. */
export function points(shot: Snapshot): readonly Point[] {
  const before = remembered.get(shot);
  if (before) return before;
  const all = pointsOf(shot);
  remembered.set(shot, all);
  return all;
}

function pointsOf(shot: Snapshot): Point[] {
  const offers = new Map(shot.plan.offers.map((o) => [keyOf(o.charger, o.connector), o]));
  return byName(shot.chargers).flatMap((charger) =>
    charger.connectors.map((connector) => ({
      key: keyOf(charger.id, connector.id),
      charger,
      connector,
      offer: offers.get(keyOf(charger.id, connector.id)) ?? null,
      title: nameOf(charger),
      several: charger.connectors.length > 1,
    })),
  );
}

export const keyOf = (charger: string, connector: number): string => `${charger}/${connector}`;
export const nameOf = (charger: { id: string; name: string }): string => charger.name || charger.id;

/** In natural order by name, never by live values (web.md, A11). */
export function byName<T extends { id: string; name: string }>(chargers: readonly T[]): T[] {
  const order = onceFor(
    "order",
    (tag) => new Intl.Collator(tag, { numeric: true, sensitivity: "base" }),
  );
  return [...chargers].sort(
    (a, b) => order.compare(nameOf(a), nameOf(b)) || order.compare(a.id, b.id),
  );
}

export function highest(phases: Phases): { ma: number; phase: number } {
  const ma = Math.max(...phases);
  return { ma, phase: Math.max(0, phases.indexOf(ma)) };
}

export const phaseName = (place: number): PhaseName => PHASES[place] ?? "L1";

/** Whether one number says it for all phases that carry anything. */
export function alike(phases: Phases): boolean {
  const used = phases.filter((ma) => ma !== 0);
  return used.length !== 1 && used.every((ma) => ma === used[0]);
}

export function powerW(ma: Phases, voltage_mv: Phases): number {
  return ma.reduce((sum, amount, i) => sum + (amount * (voltage_mv[i] ?? 0)) / 1e6, 0);
}

/** What flows where, in whole tenths of a kilowatt, so that what is shown adds up. */
export interface Powers {
  gridW: number | null; // the sum of both
  buildingW: number | null; // by the plan
  chargersW: number; // by their own values
  meterW: number | null; // what the meter reads at the grid, now
}

const SHOWN_W = 100;

/** A power as it is shown. */
export const shownW = (ma: Phases, voltage_mv: Phases): number =>
  Math.round(powerW(ma, voltage_mv) / SHOWN_W) * SHOWN_W;

/** What connectors draw together: the sum of what their tiles show. */
export const togetherW = (all: readonly Point[], voltage_mv: Phases): number =>
  all.reduce((sum, point) => sum + shownW(drawnOf(point), voltage_mv), 0);

export function powers(shot: Snapshot): Powers {
  const { site, plan, meter } = shot;
  const chargersW = togetherW(points(shot), site.voltage_mv);
  const buildingW = plan.building_ma && shownW(plan.building_ma, site.voltage_mv);
  const atGrid = meter.enabled && meter.healthy && meter.location === "grid";
  return {
    gridW: buildingW === null ? null : buildingW + chargersW,
    buildingW,
    chargersW,
    meterW: atGrid ? meter.power_w : null,
  };
}

export const plus = (a: Phases, b: Phases): Phases => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const NONE: Phases = [0, 0, 0];

export function sumOf(all: readonly Phases[]): Phases {
  return all.reduce(plus, NONE);
}

/** What the charger itself could give: the ceiling of that name. */
export function maximum(point: Point): Phases | null {
  const own = point.offer?.ceilings.find((ceiling) => ceiling.code === "charger_max");
  return own?.ma ?? null;
}

/** The ceiling that holds the offer back most after the binding one: what would raise it. */
export function secondLowest(offer: Offer): Ceiling | null {
  const places = phasesIn(offer.ceilings.map((one) => one.ma));
  const rest = offer.ceilings.filter((ceiling) => !ceiling.binding);
  rest.sort((a, b) => lowestOn(a.ma, places) - lowestOn(b.ma, places));
  return rest[0] ?? null;
}

/** What a ceiling allows a connector: least counts, as all its phases carry the same. */
export const lowestOn = (ma: Phases, places: readonly number[]): number =>
  Math.min(...places.map((place) => ma[place] ?? 0));

/** The phases on which anything may flow, by place. */
export function phasesIn(all: readonly Phases[]): number[] {
  const used = [0, 1, 2].filter((place) => all.some((ma) => (ma[place] ?? 0) !== 0));
  return used.length ? used : [0, 1, 2];
}

/** Ceilings as they are read: the same one twice is one. */
export function told(ceilings: readonly Ceiling[]): Ceiling[] {
  const seen = new Map<string, Ceiling>();
  for (const one of ceilings) {
    const { binding, ...rest } = one;
    const key = JSON.stringify(rest);
    const before = seen.get(key);
    if (!before || (binding && !before.binding)) seen.set(key, one);
  }
  return [...seen.values()];
}

// --- limits and what is under them ---------------------------------------------------------------

export interface Headroom {
  used: number; // drawn, and what the building takes
  limit: number;
  reserved: number;
  free: number; // nobody draws it; below 0: over the limit
  offered: number; // of it, what chargers may draw any moment
  phase: number;
}

/** So much of an amount as there is room for. */
export const within = (ma: number, room: number): number => Math.max(0, Math.min(ma, room));

/** What is reserved beyond what flows of it already: no amp counts twice. */
export const keptBeyond = (node: NodeRoom, phase: number): number =>
  Math.max(0, (node.reserved_ma[phase] ?? 0) - (node.drawn_reserve_ma?.[phase] ?? 0));

/** What a limit has left on one phase, reserves counted as gone. */
export function headroomOn(node: NodeRoom, phase: number): Headroom {
  const limit = node.limit_ma[phase] ?? 0;
  const reserved = keptBeyond(node, phase);
  const used = Math.max(0, node.building_ma[phase] ?? 0) + (node.drawn_ma[phase] ?? 0);
  // what is reserved may flow and does not: it leaves nothing free, and passes no limit
  const free = used > limit ? limit - used : Math.max(0, limit - used - reserved);
  const promised = (node.promised_ma[phase] ?? 0) - (node.drawn_ma[phase] ?? 0);
  return { used, limit, reserved, free, offered: within(promised, free), phase };
}

/** A limit's tightest phase: where least is free. */
export function headroom(node: NodeRoom): Headroom {
  const all = [0, 1, 2].map((phase) => headroomOn(node, phase));
  const fed = all.filter((one) => one.limit > 0);
  return (fed.length ? fed : all).reduce((low, one) => (one.free < low.free ? one : low));
}

/** The room of a limit as the plan has it; of a group without a plan, from what is drawn. */
export function roomOf(shot: Snapshot, code: Code, name: string): NodeRoom | null {
  return (shot.plan.nodes ?? []).find((node) => node.code === code && node.name === name) ?? null;
}

export function groupRoom(shot: Snapshot, branch: Branch): NodeRoom | null {
  if (!branch.group) return null;
  const own = branch.group.limit_ma;
  const known = roomOf(shot, "group_limit", branch.group.name);
  return (
    known ?? {
      code: "group_limit",
      name: branch.group.name,
      limit_ma: [own, own, own],
      building_ma: NONE,
      reserved_ma: NONE,
      promised_ma: NONE,
      drawn_ma: branch.drawn,
    }
  );
}

export interface State {
  tone: Tone;
  icon: IconName;
  word: string;
}

const STATES: Record<Status, [Tone, IconName]> = {
  Available: ["idle", "plug"],
  Preparing: ["limited", "car"],
  Charging: ["ok", "zap"],
  SuspendedEVSE: ["limited", "pause"],
  SuspendedEV: ["idle", "car"],
  Finishing: ["idle", "check"],
  Reserved: ["limited", "lock"],
  Unavailable: ["idle", "ban"],
  Faulted: ["fault", "circle-x"],
};

export function stateOf(charger: Charger, connector: Connector): State {
  if (!charger.connected) return { tone: "fault", icon: "unplug", word: say("state.offline") };
  if (connector.status === null) {
    return { tone: "idle", icon: "circle-dashed", word: say("state.unknown") };
  }
  const [tone, icon] = STATES[connector.status] ?? ["idle", "circle-dashed"];
  return { tone, icon, word: say(`state.${connector.status}`) };
}

export interface Branch {
  name: string | null; // null: directly at the site
  group: GroupView | null;
  points: Point[];
  under: Point[]; // with those of the groups that it feeds
  drawn: Phases; // by all of them
}

/** Names of groups, each before those that it feeds. */
function feeding(groups: readonly GroupView[], parent: string | null = null): string[] {
  return groups
    .filter((group) => (group.parent ?? null) === parent)
    .flatMap((group) => [group.name, ...feeding(groups, group.name)]);
}

/** What a connector draws; where a session's current is not known, its offer: the safe side. */
export function drawnOf({ connector, offer }: Point): Phases {
  const unknown = connector.transaction_id === null ? NONE : (offer?.offer_ma ?? NONE);
  return connector.drawn_ma ?? unknown;
}

/** Groups with their connectors, in the order of the settings; what has none comes last. */
export function branches(all: readonly Point[], groups: readonly GroupView[]): Branch[] {
  const names = groups.map((group) => group.name);
  const stray = all.map((p) => p.charger.group).filter((name): name is string => name !== null);
  const known = [...new Set([...feeding(groups), ...names, ...stray])];
  const inside = (name: string | null) => all.filter((point) => point.charger.group === name);
  const under = (name: string): Point[] => [
    ...inside(name),
    ...groups.filter((group) => group.parent === name).flatMap((group) => under(group.name)),
  ];
  const branch = (name: string | null, own: Point[], all_: Point[]): Branch => ({
    name,
    group: groups.find((group) => group.name === name) ?? null,
    points: own,
    under: all_,
    drawn: sumOf(all_.map(drawnOf)),
  });
  const made = known.map((name) => branch(name, inside(name), under(name)));
  const loose = inside(null);
  if (loose.length || !made.length) made.push(branch(null, loose, loose));
  return made;
}

/** A limit with those that hang on it. */
export interface Limb {
  node: NodeRoom;
  children: Limb[];
}

/** The limits as they feed each other: the site, its groups, the supplies that connectors share. */
export function tree(shot: Snapshot): Limb {
  const nodes = shot.plan.nodes ?? [];
  const groups = shot.groups ?? [];
  const named = new Set(groups.map((group) => group.name));
  const made = branches(points(shot), groups);
  const supplies = (group: string | null): Limb[] =>
    nodes
      .filter((node) => node.code === "supply_limit")
      .filter((node) => {
        const of = shot.chargers.find((charger) => charger.id === node.name)?.group ?? null;
        return (of !== null && named.has(of) ? of : null) === group;
      })
      .map((node) => ({ node, children: [] }));
  const under = (parent: string | null): Limb[] => [
    ...groups
      .filter((group) => (group.parent ?? null) === parent)
      .flatMap((group) => {
        const branch = made.find((one) => one.name === group.name);
        const node = branch && groupRoom(shot, branch);
        return node ? [{ node, children: under(group.name) }] : [];
      }),
    ...supplies(parent),
  ];
  return { node: siteRoom(shot), children: under(null) };
}

/** The room of the site: the same on every page, also while nothing of it is offered. */
export function siteRoom(shot: Snapshot): NodeRoom {
  return (
    roomOf(shot, "site_limit", "") ?? {
      code: "site_limit",
      name: "",
      limit_ma: shot.site.limit_ma,
      building_ma: shot.plan.building_ma ?? NONE,
      reserved_ma: shot.plan.reserved_ma,
      promised_ma: NONE,
      drawn_ma: shot.site.used_ma,
    }
  );
}

/** The site's limit as it is set; where degraded limits rule, another one is in force. */
export function setLimit(shot: Snapshot): Phases {
  const own = shot.site.configured_limit_ma;
  return own?.some((ma) => ma > 0) ? own : shot.site.limit_ma;
}

export interface LedLook {
  key: Key;
  tone: Tone;
  motion: "still" | "blink" | "fast" | "turn";
}

const LOOKS: Record<string, LedLook> = {
  "green solid": { key: "led.green_solid", tone: "ok", motion: "still" },
  "green blinking": { key: "led.green_blinking", tone: "ok", motion: "blink" },
  "red solid": { key: "led.red_solid", tone: "fault", motion: "still" },
  "both fast": { key: "led.both_fast", tone: "limited", motion: "fast" },
  identify: { key: "led.identify", tone: "limited", motion: "turn" },
};

export function ledLook(look: string): LedLook {
  return LOOKS[look] ?? { key: "led.unknown", tone: "idle", motion: "still" };
}
