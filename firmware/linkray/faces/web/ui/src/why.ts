// Why a connector may draw what it may: a cause's code and parameters made into a sentence.

import type { ComponentChildren } from "preact";

import { about, amps, duration, moment } from "./format";
import { has, nth, rich, say, t, type Params } from "./i18n";
import { highest, maximum, nameOf, type Point } from "./site";
import { snapshot } from "./live";
import type { Ceiling, Code, Offer, Reason } from "./words";

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
  const wait = offer.next_look_s ?? offer.reason.seconds;
  if (wait != null) return t("explain.next_in", { wait: duration(wait) });
  return t(EVENTS[offer.reason.code] ? "explain.next_event" : "explain.next_reading");
}

/** What would have to happen for the offer to rise, by what binds it. */
export function raise(bound: Reason | Ceiling): string {
  return t(`raise.${bound.code}`, paramsOf(bound));
}

/** The cause in words, without amounts: "shared cable Level 2". */
export function cause(reason: Reason | Ceiling): string {
  const key = CAUSES[reason.code];
  return key ? t(key, paramsOf(reason)) : reason.code;
}

function paramsOf(reason: Reason | Ceiling): Params {
  const other = snapshot.peek()?.chargers.find((charger) => charger.id === reason.charger);
  return {
    phase: reason.phase,
    group: reason.group,
    charger: other ? nameOf(other) : reason.charger,
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
  const because = cause(point.offer.reason);
  const whole = most === null || highest(most).ma === offer;
  return rich(whole ? "why.line_full" : "why.line", {
    offer: amps(offer),
    max: most ? amps(highest(most).ma) : "",
    cause: because,
  });
}
