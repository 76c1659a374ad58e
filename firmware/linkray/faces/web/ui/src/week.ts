// The week of the schedule: times without charging by day, as people edit them and settings keep it.

import { DAYS, type Exclusion } from "./words";

export const MIDNIGHT = 1440;
const LAST_MINUTE = MIDNIGHT - 1; // as an end it means midnight (the manual's example)
const WEEK = 7 * MIDNIGHT;

/** From its first minute until, not including, its last. */
export interface Span {
  start: number;
  end: number;
}

/** The spans of each day, Monday first; each day's in order and apart from each other. */
export type Week = readonly (readonly Span[])[];

export const EMPTY: Week = DAYS.map(() => []);

const two = (n: number): string => String(n).padStart(2, "0");

/** `1440` → `24:00`: what people see. */
export const clockOf = (minute: number): string =>
  `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;

/** What is kept: an end at midnight is 23:59. */
const kept = (minute: number): string => clockOf(Math.min(minute, LAST_MINUTE));

/** `6`, `6:30`, `0630` or `24:00` as minutes; null: no time of a day. */
export function minuteOf(text: string): number | null {
  const found = /^(\d{1,2})(?::?(\d{2}))?$/.exec(text.trim().replace(".", ":"));
  if (!found) return null;
  const [hours, minutes] = [Number(found[1]), Number(found[2] ?? 0)];
  if (minutes > 59 || hours > 24 || (hours === 24 && minutes > 0)) return null;
  return hours * 60 + minutes;
}

/** In order, those that touch made one. */
export function merged(spans: readonly Span[]): Span[] {
  const made: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    const last = made.at(-1);
    if (last && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else if (span.start < span.end) made.push({ ...span });
  }
  return made;
}

/** A span that runs over midnight lies on two days. */
function put(week: Span[][], day: number, span: Span): void {
  if (span.start < span.end) {
    week[day]?.push(span);
    return;
  }
  week[day]?.push({ start: span.start, end: MIDNIGHT });
  if (span.end > 0) week[(day + 1) % 7]?.push({ start: 0, end: span.end });
}

export function unfolded(schedule: readonly Exclusion[]): Week {
  const week: Span[][] = DAYS.map(() => []);
  for (const { days, start, end } of schedule) {
    const last = minuteOf(end) ?? 0;
    const span = { start: minuteOf(start) ?? 0, end: last === LAST_MINUTE ? MIDNIGHT : last };
    for (const day of days) put(week, DAYS.indexOf(day), span);
  }
  return week.map(merged);
}

/** As the settings keep it: one entry for all days that share a span. */
export function folded(week: Week): Exclusion[] {
  const made = new Map<string, Exclusion>();
  week.forEach((spans, day) => {
    for (const span of spans) {
      const [start, end] = [kept(span.start), kept(span.end)];
      const entry = made.get(start + end) ?? { days: [], start, end };
      entry.days.push(DAYS[day] ?? "Mon");
      made.set(start + end, entry);
    }
  });
  return [...made.values()];
}

export const has = (week: Week, day: number, span: Span): boolean =>
  (week[day] ?? []).some((one) => one.start === span.start && one.end === span.end);

/** The week without `old` on any of its days, and with `next` on the days given. */
export function changed(
  week: Week,
  old: Span | null,
  next: Span | null,
  days: readonly number[],
): Week {
  const made = week.map((spans) =>
    spans.filter((one) => !old || one.start !== old.start || one.end !== old.end),
  );
  if (next) for (const day of days) put(made, day, next);
  return made.map(merged);
}

/** The days given hold what one day holds. */
export function copied(week: Week, from: number, to: readonly number[]): Week {
  return week.map((spans, day) => (to.includes(day) ? [...(week[from] ?? [])] : spans));
}

export interface Change {
  paused: boolean; // whether a time without charging runs now
  day: number;
  minute: number; // when that changes
}

/** What holds at a minute of the week, and when it changes; null: it never does. */
export function coming(week: Week, day: number, minute: number): Change | null {
  const now = day * MIDNIGHT + minute;
  const all = merged(
    week.flatMap((spans, place) =>
      spans.map(({ start, end }) => ({
        start: place * MIDNIGHT + start,
        end: place * MIDNIGHT + end,
      })),
    ),
  );
  const paused = all.some((span) => span.start <= now && now < span.end);
  const whole = all.length === 1 && all[0]?.start === 0 && all[0].end === WEEK;
  if (!all.length || whole) return null;
  const runsOver = all[0]?.start === 0 && all.at(-1)?.end === WEEK; // from Sunday into Monday
  const edges = all
    .flatMap(({ start, end }) => (paused ? end : start))
    .filter((edge) => !runsOver || (edge !== 0 && edge !== WEEK))
    .flatMap((edge) => [edge, edge + WEEK]);
  const next = edges.filter((edge) => edge > now).sort((a, b) => a - b)[0];
  if (next === undefined) return null;
  const within = next % WEEK;
  return { paused, day: Math.floor(within / MIDNIGHT), minute: within % MIDNIGHT };
}
