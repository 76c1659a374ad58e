// Schedule: the times of the week in which no charger charges.

import { useId, useState } from "preact/hooks";

import { duration, weekMinute } from "../format";
import { locale, onceFor, say, t } from "../i18n";
import { snapshot } from "../live";
import { Button, Card, Icon, Link } from "../parts/basics";
import { Dialog } from "../parts/dialog";
import { FieldError, TextInput } from "../parts/fields";
import { base, draft, errorAt, setValue } from "../settings";
import {
  changed,
  clockOf,
  coming,
  copied,
  EMPTY,
  folded,
  has,
  MIDNIGHT,
  minuteOf,
  unfolded,
  type Span,
  type Week,
} from "../week";
import { DAYS } from "../words";

const MONDAY = Date.UTC(2024, 0, 1); // any Monday, to name the days by
const HOURS = [0, 6, 12, 18, 24];

function dayName(day: number, how: "long" | "short" = "long"): string {
  const format = onceFor(
    `day ${how}`,
    (tag) => new Intl.DateTimeFormat(tag, { weekday: how, timeZone: "UTC" }),
  );
  return format.format(new Date(MONDAY + day * 86_400_000));
}

interface WeekInfo {
  firstDay: number;
}

/** The days in the order of the visitor's calendar. */
function inOrder(): number[] {
  const tag = new Intl.Locale(locale()) as Intl.Locale & {
    getWeekInfo?: () => WeekInfo;
    weekInfo?: WeekInfo;
  };
  const first = (tag.getWeekInfo?.() ?? tag.weekInfo)?.firstDay ?? 1;
  return DAYS.map((_, place) => (place + first - 1) % 7);
}

/** "Monday, Tuesday" or "every day". */
function daysInWords(days: readonly number[]): string {
  if (days.length === 7) return t("week.every_day");
  const list = new Intl.ListFormat(locale(), { type: "conjunction" });
  return list.format(inOrder().filter((day) => days.includes(day)).map((day) => dayName(day)));
}

const inWords = (span: Span): string =>
  t(span.end === MIDNIGHT ? "week.span_midnight" : "week.span", {
    start: clockOf(span.start),
    end: clockOf(span.end),
  });

const put = (week: Week): void => setValue(["schedule"], folded(week));

interface Edited {
  day: number;
  span: Span | null; // null: a new one
  start: number;
}

export function ScheduleTab() {
  const [edited, setEdited] = useState<Edited | null>(null);
  const [copying, setCopying] = useState<number | null>(null);
  const week = unfolded(draft.value?.schedule ?? []);
  const zone = draft.value?.site.time_zone ?? "UTC";
  const wrong = errorAt(["schedule"]);
  return (
    <>
      <InForce />
      <Card
        title={t("week.title")}
        aside={
          <Button icon="plus" onClick={() => setEdited({ day: 0, span: null, start: 0 })}>
            {t("week.add")}
          </Button>
        }
        class="week-card"
      >
        <p class="second">{t("week.more")}</p>
        <div class="week">
          <div class="week-hours" aria-hidden="true">
            {HOURS.map((hour) => (
              <span key={hour}>{clockOf(hour * 60)}</span>
            ))}
          </div>
          {inOrder().map((day) => (
            <DayRow
              key={day}
              day={day}
              spans={week[day] ?? []}
              onEdit={setEdited}
              onCopy={() => setCopying(day)}
            />
          ))}
        </div>
        {wrong && <FieldError id="schedule-error" text={wrong} />}
        <p class="second">
          {t("week.zone", { zone })}{" "}
          <Link class="text-link" to="/configuration/site">
            {t("week.zone_change")} <Icon name="arrow-right" size={18} />
          </Link>
        </p>
      </Card>
      {edited && <SpanDialog edited={edited} week={week} onClose={() => setEdited(null)} />}
      {copying !== null && <CopyDialog from={copying} week={week} onClose={() => setCopying(null)} />}
    </>
  );
}

/** What holds now by what is saved, and what comes next. */
function InForce() {
  const shot = snapshot.value;
  if (!shot || !base.value) return null;
  const now = weekMinute(new Date(shot.at), base.value.site.time_zone);
  const week = unfolded(base.value.schedule ?? []);
  const next = coming(week, now.day, now.minute);
  const left = shot.plan.excluded_until_s ?? null;
  const paused = left !== null || (next?.paused ?? same(week));
  const when = next && t("week.at", { day: dayName(next.day), time: clockOf(next.minute) });
  return (
    <div class={`note ${paused ? "limited" : "ok"}`} role="status">
      <Icon name={paused ? "pause" : "circle-check"} />
      <div>
        <b>{t(paused ? "week.now_paused" : "week.now_open")}</b>
        <span class="second">
          {when
            ? t(paused ? "week.next_open" : "week.next_paused", {
                when,
                left: paused && left !== null ? duration(left) : null,
              })
            : t(paused ? "week.never_open" : "week.never_paused")}{" "}
          {t("week.clock", { day: dayName(now.day), time: clockOf(now.minute) })}
        </span>
      </div>
    </div>
  );
}

/** Whether the whole week is excluded: nothing ever changes. */
const same = (week: Week): boolean =>
  week.every((spans) => spans.length === 1 && spans[0]?.start === 0 && spans[0].end === MIDNIGHT);

interface DayProps {
  day: number;
  spans: readonly Span[];
  onEdit: (edited: Edited) => void;
  onCopy: () => void;
}

function DayRow({ day, spans, onEdit, onCopy }: DayProps) {
  const name = dayName(day);
  const now = useNow(day);
  const draw = (event: MouseEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const hour = Math.floor(((event.clientX - box.left) / box.width) * 24);
    onEdit({ day, span: null, start: Math.max(0, Math.min(23, hour)) * 60 });
  };
  return (
    <section class={`day${now === null ? "" : " today"}`} aria-label={name}>
      <h3>
        {name}
        {now !== null && <span class="second"> {t("week.today")}</span>}
      </h3>
      <div class="day-track" aria-hidden="true" onClick={draw}>
        {spans.map((span) => (
          <span
            key={span.start}
            class="day-span"
            style={{
              insetInlineStart: `${(span.start / MIDNIGHT) * 100}%`,
              width: `${((span.end - span.start) / MIDNIGHT) * 100}%`,
            }}
          />
        ))}
        {now !== null && (
          <span class="day-now" style={{ insetInlineStart: `${(now / MIDNIGHT) * 100}%` }} />
        )}
      </div>
      <div class="day-spans">
        {!spans.length && <span class="second">{t("week.none")}</span>}
        {spans.map((span) => (
          <Button
            key={span.start}
            small
            label={t("week.edit", { span: inWords(span), day: name })}
            onClick={() => onEdit({ day, span, start: span.start })}
          >
            <span class="figure">{inWords(span)}</span>
          </Button>
        ))}
      </div>
      <div class="day-acts">
        <Button
          kind="quiet"
          small
          icon="plus"
          label={t("week.add_on", { day: name })}
          onClick={() => onEdit({ day, span: null, start: 0 })}
        />
        <Button
          kind="quiet"
          small
          icon="copy"
          label={t("week.copy", { day: name })}
          onClick={onCopy}
        />
      </div>
    </section>
  );
}

/** The minute of today in the site's zone, where the day is today. */
function useNow(day: number): number | null {
  const at = snapshot.value?.at;
  if (!at) return null;
  const now = weekMinute(new Date(at), base.value?.site.time_zone);
  return now.day === day ? now.minute : null;
}

// --- one time ------------------------------------------------------------------------------------

interface SpanProps {
  edited: Edited;
  week: Week;
  onClose: () => void;
}

/** What is wrong with the two times, or null. */
function fault(start: number | null, end: number | null): string | null {
  if (start === null || end === null || start === MIDNIGHT) return t("week.bad_time");
  return start === end ? t("week.bad_same") : null;
}

function SpanDialog({ edited, week, onClose }: SpanProps) {
  const { span, day } = edited;
  const [from, setFrom] = useState(clockOf(edited.start));
  const [to, setTo] = useState(span ? clockOf(span.end) : clockOf(Math.min(edited.start + 360, MIDNIGHT)));
  const before = span ? DAYS.map((_, one) => one).filter((one) => has(week, one, span)) : [day];
  const [days, setDays] = useState<readonly number[]>(before);
  const [tried, setTried] = useState(false);
  const id = useId();
  const start = minuteOf(from);
  const given = minuteOf(to);
  const end = given === 0 ? MIDNIGHT : given;
  const wrong = fault(start, end) ?? (days.length ? null : t("week.bad_days"));
  const over = start !== null && end !== null && end < start;
  const save = (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (wrong || start === null || end === null) return;
    put(changed(week, span, { start, end }, days));
    onClose();
  };
  const remove = () => {
    put(changed(week, span, null, []));
    onClose();
  };
  return (
    <Dialog title={t(span ? "week.edit_title" : "week.add_title")} onClose={onClose}>
      <form class="form" onSubmit={save} novalidate>
        <div class="form-row times">
          <TimeField id={`${id}-from`} label={t("week.from")} value={from} onValue={setFrom} />
          <div class="field">
            <label for={`${id}-to`}>{t("week.to")}</label>
            <div class="with-act">
              <TextInput id={`${id}-to`} value={to} onValue={setTo} maxLength={5} />
              <Button small onClick={() => setTo(clockOf(MIDNIGHT))}>
                {t("week.to_midnight")}
              </Button>
            </div>
          </div>
        </div>
        {over && <p class="help">{t("week.over", { end: clockOf(end) })}</p>}
        <DayPicks days={days} onDays={setDays} />
        {tried && wrong && <FieldError id={`${id}-error`} text={wrong} />}
        <footer class="dialog-foot">
          {span && (
            <Button kind="danger" icon="trash" onClick={remove}>
              {t("week.remove")}
            </Button>
          )}
          <Button onClick={onClose}>{t("dialog.cancel")}</Button>
          <Button kind="primary" type="submit">
            {t(span ? "week.change" : "week.add")}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

interface TimeProps {
  id: string;
  label: string;
  value: string;
  onValue: (text: string) => void;
}

function TimeField({ id, label, value, onValue }: TimeProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <TextInput id={id} value={value} onValue={onValue} maxLength={5} />
    </div>
  );
}

interface PickProps {
  days: readonly number[];
  onDays: (days: readonly number[]) => void;
  without?: number;
}

const WEEKDAYS = [0, 1, 2, 3, 4];
const WEEKEND = [5, 6];

function DayPicks({ days, onDays, without }: PickProps) {
  const sets: [Parameters<typeof t>[0], readonly number[]][] = [
    ["week.weekdays", WEEKDAYS],
    ["week.weekend", WEEKEND],
    ["week.every_day", [...WEEKDAYS, ...WEEKEND]],
  ];
  const toggle = (day: number) =>
    onDays(days.includes(day) ? days.filter((one) => one !== day) : [...days, day]);
  return (
    <fieldset class="field">
      <legend>{t("week.days")}</legend>
      <div class="day-picks">
        {inOrder()
          .filter((day) => day !== without)
          .map((day) => (
            <label key={day} class="day-pick">
              <input
                type="checkbox"
                aria-label={dayName(day)}
                checked={days.includes(day)}
                onChange={() => toggle(day)}
              />
              <span>{dayName(day, "short")}</span>
            </label>
          ))}
      </div>
      <div class="day-sets">
        {sets.map(([name, set]) => (
          <Button
            key={name}
            small
            kind="quiet"
            onClick={() => onDays(set.filter((one) => one !== without))}
          >
            {t(name)}
          </Button>
        ))}
      </div>
    </fieldset>
  );
}

function CopyDialog({ from, week, onClose }: { from: number; week: Week; onClose: () => void }) {
  const [days, setDays] = useState<readonly number[]>([]);
  const spans = week[from] ?? EMPTY[0] ?? [];
  const copy = () => {
    put(copied(week, from, days));
    onClose();
  };
  return (
    <Dialog title={t("week.copy_title", { day: dayName(from) })} onClose={onClose}>
      <p>
        {spans.length
          ? t("week.copy_what", { spans: spans.map(inWords).join(", ") })
          : t("week.copy_nothing", { day: dayName(from) })}
      </p>
      <DayPicks days={days} onDays={setDays} without={from} />
      {days.length > 0 && <p class="second">{t("week.copy_to", { days: daysInWords(days) })}</p>}
      <footer class="dialog-foot">
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="primary" icon="copy" disabled={!days.length} onClick={copy}>
          {say("week.copy_do", { n: days.length })}
        </Button>
      </footer>
    </Dialog>
  );
}
