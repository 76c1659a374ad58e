// Why a connector may draw what it may: a cause's code and parameters made into a sentence.

import type { ComponentChildren } from "preact";

import { about, amps, clock, duration, moment } from "./format";
import { has, nth, rich, say, t, type Params } from "./i18n";
import { highest, maximum, nameOf, type Point } from "./site";
import { snapshot } from "./live";
import { PHASES, type Ceiling, type Charger, type Code, type Offer, type Reason } from "./words";

/** Every code has its entry in the catalogue: the compiler counts the 34. */
const CAUSES = {
  charger_max: "why.charger_max",
  charger_min: "why.charger_min",
  unit_rounding: "why.unit_rounding",
  no_car: "why.no_car",
  car_not_asking: "why.car_not_asking",
  car_draws_less: "why.car_draws_less",
  not_authorised: "why.not_authorised",
  tag_rejected: "why.tag_rejected",
  payment_pending: "why.payment_pending",
  schedule: "why.schedule",
  csms_profile: "why.csms_profile",
  fair_share: "why.fair_share",
  spare_redistributed: "why.spare_redistributed",
  fifo_queue: "why.fifo_queue",
  lower_priority: "why.lower_priority",
  group_limit: "why.group_limit",
  site_limit: "why.site_limit",
  building_load: "why.building_load",
  raise_hold: "why.raise_hold",
  meter_lost_half: "why.meter_lost_half",
  degraded_limit: "why.degraded_limit",
  unreachable_reserved: "why.unreachable_reserved",
  charger_fault: "why.charger_fault",
  charger_updating: "why.charger_updating",
  licence: "why.licence",
  emergency_stop: "why.emergency_stop",
  supply_limit: "why.supply_limit",
  imbalance: "why.imbalance",
  turn: "why.turn",
  wait_for_cut: "why.wait_for_cut",
  fail_safe: "why.fail_safe",
  not_adopted: "why.not_adopted",
  site_overloaded: "why.site_overloaded",
  engineering_ceiling: "why.engineering_ceiling",
} as const satisfies Record<Code, Parameters<typeof t>[0]>;

/** Who did it: "Assembler at 2026-11-21T09:03:35Z" with its time as people read it. */
export function byWhom(by: string | null | undefined): string | null {
  if (!by) return null;
  const [, who = by, utc] = /^(.*) at (\S+Z)$/.exec(by) ?? [];
  const key = /^key:(.+)$/.exec(who)?.[1];
  const name = key ? t("by.key", { id: key }) : has(`by.${who}`) ? say(`by.${who}`) : who;
  return utc ? t("by.at", { who: name, time: moment(utc) }) : name;
}

/** Whether a change waits for something to happen; else the next reading may bring one. */
const EVENTS: Record<Code, boolean> = {
  charger_max: false,
  charger_min: true,
  unit_rounding: false,
  no_car: true,
  car_not_asking: true,
  car_draws_less: false,
  not_authorised: true,
  tag_rejected: true,
  payment_pending: true,
  schedule: true,
  csms_profile: true,
  fair_share: false,
  spare_redistributed: false,
  fifo_queue: false,
  lower_priority: false,
  group_limit: false,
  site_limit: false,
  building_load: false,
  raise_hold: false,
  meter_lost_half: true,
  degraded_limit: true,
  unreachable_reserved: true,
  charger_fault: true,
  charger_updating: true,
  licence: true,
  emergency_stop: true,
  supply_limit: false,
  imbalance: false,
  turn: false,
  wait_for_cut: false,
  fail_safe: true,
  not_adopted: true,
  site_overloaded: false,
  engineering_ceiling: true,
};

/** When the next change is possible: a time where one is known, else what it comes with. */
export function nextLook(offer: Offer): string {
  const seconds = offer.next_look_s ?? offer.reason.seconds;
  if (seconds != null) {
    const isTurn = offer.reason.code === "turn"; // an estimate, the same wherever it is told
    return t("explain.next_in", { wait: isTurn ? about(seconds) : duration(seconds) });
  }
  return t(EVENTS[offer.reason.code] ? "explain.next_event" : "explain.next_reading");
}

/** What would have to happen for the offer to rise, by what binds it. */
export function raise(bound: Reason | Ceiling): string {
  return t(`raise.${bound.code}`, paramsOf(bound));
}

/** The cause in words, without amounts: "shared cable Level 2". */
export function cause(reason: Reason | Ceiling): string {
  if (holdsOn(reason)) return t("why.held", { phase: reason.phase, until: heldUntil() });
  const key = CAUSES[reason.code];
  return key ? t(key, paramsOf(reason)) : reason.code;
}

/** The cause of a connector's offer; of one that is not connected, just that. */
export function causeOf({ charger, offer }: Point): string {
  return offer ? ofLost(offer.reason, charger) ?? cause(offer.reason) : "";
}

/** What a charger that is not connected is offered has that cause alone. */
export const ofLost = (reason: Reason | Ceiling, charger: Charger): string | null =>
  reason.code === "fail_safe" && !charger.connected ? t("why.lost") : null;

/** The cause of an offer of the past: how long it would have lasted is over. */
export const causeThen = (reason: Reason): string => cause({ ...reason, seconds: null });

/** Whether it is a limit of the meter's failure that holds although the meter is back. */
const holdsOn = ({ code, seconds }: Reason | Ceiling): boolean =>
  (code === "degraded_limit" || code === "meter_lost_half") && seconds != null;

/** Until when it does, by the clock; null: the meter is lost, or all is as it should be. */
export function heldUntil(): string | null {
  const until = snapshot.peek()?.plan.held?.until;
  return until ? clock(new Date(until)) : null;
}

/** What a tile says besides, for the minute after the meter has come back. */
export function heldWords({ offer }: Point): string | null {
  const held = snapshot.peek()?.plan.held;
  const isStopped = snapshot.peek()?.plan.stopped;
  if (!held || isStopped || (offer && holdsOn(offer.reason))) return null;
  const all = held.phases.length === PHASES.length;
  return t("tile.held", { until: heldUntil(), phases: all ? null : held.phases.join(", ") });
}

/** How much is kept for a connector that cannot be told, and where; null: nothing has to be. */
export function keptWords({ charger, offer }: Point): string | null {
  const reserve = offer?.reserve;
  if (!reserve) return null;
  const kept = highest(reserve.ma).ma;
  if (!kept) {
    const may = amps(highest(reserve.may_ma).ma);
    return charger.connected ? null : t("kept.seen", { may });
  }
  if (highest(reserve.site_ma).ma) return t("kept.site", { kept: amps(kept) });
  const group = charger.group;
  return t(group ? "kept.group" : "kept.supply", { kept: amps(kept), group });
}

/** Why nothing is offered to anybody, in a sentence; null: it is. */
export function stoppedWords(): string | null {
  const why = snapshot.value?.plan.stopped;
  return why ? t("stopped.note", { cause: cause(why) }) : null;
}

/** In which line it stands: "L1 of North row". */
function line({ phase, group, charger }: Params): string {
  if (group) return t("line.group", { phase, group });
  return charger ? t("line.supply", { phase, charger }) : t("line.site", { phase });
}

function paramsOf(reason: Reason | Ceiling): Params {
  const other = snapshot.peek()?.chargers.find((charger) => charger.id === reason.charger);
  const { phase, group } = reason;
  const charger = other ? nameOf(other) : reason.charger;
  return {
    phase,
    group,
    charger,
    line: line({ phase, group, charger }),
    connector: reason.connector,
    place: reason.place,
    wait: reason.seconds == null ? null : duration(reason.seconds),
    about: reason.seconds == null ? null : about(reason.seconds),
    nth: reason.place == null ? null : nth(reason.place),
    amount: typeof reason.ma === "number" ? amps(reason.ma) : null,
    by: byWhom(reason.by),
  };
}

/** "**8 A** of 32 A — shared cable Level 2", or null where no plan knows the connector. */
export function sentence(point: Point): ComponentChildren | null {
  if (!point.offer) return null;
  const offer = highest(point.offer.offer_ma).ma;
  const most = maximum(point);
  const because = causeOf(point);
  const whole = most === null || highest(most).ma === offer;
  return rich(whole ? "why.line_full" : "why.line", {
    offer: amps(offer),
    max: most ? amps(highest(most).ma) : "",
    cause: because,
  });
}
