// Numbers and times as people read them, in the visitor's language and the site's time zone.

import { number, onceFor, t } from "./i18n";
import { snapshot } from "./live";

/** `16_600` → `16.6`. */
export const ampsOf = (ma: number): string => number(ma / 1000, 1);
export const amps = (ma: number): string => t("unit.a", { v: ampsOf(ma) });
/** With its decimal always there, where figures stand below each other. */
export const ampsColumn = (ma: number): string => number(ma / 1000, 1, 1);
export function kwOf(w: number): string {
  const digits = Math.abs(w) < 99_950 ? 1 : 0;
  return number(w / 1000, digits, digits);
}
export const kw = (w: number): string => t("unit.kw", { v: kwOf(w) });
export const kwhOf = (wh: number): string => number(wh / 1000, wh < 1_000_000 ? 1 : 0);
export const kwh = (wh: number): string => t("unit.kwh", { v: kwhOf(wh) });
export const volts = (mv: number): string => t("unit.v", { v: number(mv / 1000, 1) });
/** As exactly as the meter reads it, to three decimals (metering.md, Showing). */
export const voltsExact = (mv: number): string => t("unit.v", { v: number(mv / 1000, 3) });

/** `95` → `95 s`, `3_700` → `1 h 1 min`; from an hour on without seconds. */
export function duration(s: number): string {
  const whole = Math.max(0, Math.round(s));
  if (whole < 120) return t("time.s", { v: whole });
  return uptime(whole);
}

/** A wait that is an estimate: whole minutes, and never more exact than it is. */
export function about(s: number): string {
  if (s < 60) return t("time.soon");
  return t("time.about", { v: uptime(Math.ceil(s / 60) * 60) });
}

/** Without seconds (manual, Info: uptimes). */
export function uptime(s: number): string {
  const minutes = Math.floor(s / 60);
  const days = Math.floor(minutes / 1440);
  const hours = Math.floor(minutes / 60) % 24;
  const parts: string[] = [];
  if (days) parts.push(t("time.d", { v: days }));
  if (days || hours) parts.push(t("time.h", { v: hours }));
  if (!days) parts.push(t("time.min", { v: minutes % 60 }));
  return parts.join(" ");
}

function zone(): string | undefined {
  return snapshot.value?.site.time_zone || undefined;
}

function formatted(when: Date, how: Intl.DateTimeFormatOptions): string {
  const there = zone();
  return onceFor(`time ${there} ${JSON.stringify(how)}`, (tag) => {
    try {
      return new Intl.DateTimeFormat(tag, { ...how, timeZone: there });
    } catch {
      return new Intl.DateTimeFormat(tag, { ...how, timeZone: "UTC" }); // a zone it does not know
    }
  }).format(when);
}

/** The clock time, with seconds, in the site's zone. */
export const clock = (when: Date): string => formatted(when, { timeStyle: "medium" });

/** The same for a moment told by the box, with the day where it is not today. */
export function exactly(utc: string): string {
  const when = new Date(utc);
  if (Number.isNaN(when.getTime())) return utc;
  const today = formatted(new Date(), { dateStyle: "short" });
  if (formatted(when, { dateStyle: "short" }) === today) return clock(when);
  return formatted(when, { dateStyle: "short", timeStyle: "medium" });
}

/** Day and time as fields of a form have them, in the site's zone. */
export function siteTime(when: Date): { date: string; time: string } {
  const how = (there: string | undefined) =>
    new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: there });
  const there = zone();
  const told = onceFor(`fields ${there}`, () => {
    try {
      return how(there);
    } catch {
      return how("UTC");
    }
  }).format(when);
  const [date = "", time = ""] = told.split(" ");
  return { date, time };
}

/** Day of the week (0: Monday) and minute of the day, in the site's zone. */
export function weekMinute(when: Date, timeZone = zone()): { day: number; minute: number } {
  const how = (there: string | undefined) =>
    new Intl.DateTimeFormat("en-GB", {
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      timeZone: there,
    });
  const parts = onceFor(`week ${timeZone}`, () => {
    try {
      return how(timeZone);
    } catch {
      return how("UTC");
    }
  }).formatToParts(when);
  const of = (type: string) => parts.find((part) => part.type === type)?.value ?? "0";
  const day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].indexOf(of("weekday"));
  return { day: Math.max(0, day), minute: Number(of("hour")) * 60 + Number(of("minute")) };
}

/** A moment told by the box: the time, and the day where it is not today. */
export function moment(utc: string): string {
  const when = new Date(utc);
  if (Number.isNaN(when.getTime())) return utc;
  const today = formatted(new Date(), { dateStyle: "short" });
  if (formatted(when, { dateStyle: "short" }) === today)
    return formatted(when, { timeStyle: "short" });
  return formatted(when, { dateStyle: "medium", timeStyle: "short" });
}

/** Day and time of a moment told by the box, today too: where moments stand below each other. */
export function dayAndTime(utc: string): string {
  const when = new Date(utc);
  if (Number.isNaN(when.getTime())) return utc;
  return formatted(when, { dateStyle: "medium", timeStyle: "short" });
}

/** The same without the day. */
export const timeOnly = (utc: string): string =>
  formatted(new Date(utc), { timeStyle: "short" });

/** As a bill has it: all three decimals, which are the watt-hours. */
export const kwhExact = (wh: number): string => number(wh / 1000, 3, 3);

/** `3_661` → `01:01:01` (manual, 11: Time Duration). */
export function lasted(s: number): string {
  const two = (part: number) => String(Math.floor(part)).padStart(2, "0");
  return `${two(s / 3600)}:${two((s / 60) % 60)}:${two(s % 60)}`;
}
