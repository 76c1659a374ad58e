// Day graphs: a day of the site's past, picked from the days of a month that have any.

import { useEffect, useMemo, useState } from "preact/hooks";

import { amps } from "../format";
import { t } from "../i18n";
import { snapshot } from "../live";
import { Button, Card, Choices, Icon, Link, Note } from "../parts/basics";
import { inWords } from "../parts/dialog";
import { Graph, Marks, timeIn, type Zoom } from "../parts/graph";
import { AsTable } from "../parts/graphtable";
import { pictureOf, savePng, saveSvg } from "../parts/picture";
import {
  limitMarks,
  phaseDrawings,
  readDays,
  readPast,
  sharesDrawing,
  siteDrawing,
  type Drawing,
  type Past,
  type PastDays,
} from "../past";
import { go, query } from "../route";

const AT = "/transactions/days";
const DAY_S = 86_400;
const PARTS = ["0", "6", "12", "18"] as const; // hours at which a quarter of the day begins
const PART_H = 6;

type View = "stacked" | "overlaid";

interface Chosen {
  month: string; // 2026-11
  day: string | null;
  view: View;
  minutes: 1 | 15;
  zoom: Zoom | null;
}

const isMonth = (text: string | null): text is string => /^2\d{3}-(0[1-9]|1[0-2])$/.test(text ?? "");
const isDay = (text: string | null): text is string => /^2\d{3}-\d\d-\d\d$/.test(text ?? "");

function chosen(today: string): Chosen {
  const [day, month] = [query("day"), query("month")];
  const [from, to] = (query("part") ?? "").split("-").map(Number);
  return {
    month: isMonth(month) ? month : (isDay(day) ? day : today).slice(0, 7),
    day: isDay(day) ? day : null,
    view: query("view") === "overlaid" ? "overlaid" : "stacked",
    minutes: query("minutes") === "1" ? 1 : 15,
    zoom: from && to && to > from ? { from, to } : null,
  };
}

function addressOf(now: Chosen, change: Partial<Chosen>): string {
  const next = { ...now, ...change };
  const asked = new URLSearchParams({ month: next.month });
  if (next.day) asked.set("day", next.day);
  if (next.view === "overlaid") asked.set("view", next.view);
  if (next.minutes === 1) asked.set("minutes", "1");
  if (next.zoom) asked.set("part", `${next.zoom.from}-${next.zoom.to}`);
  return `${AT}?${asked}`;
}

/** What an answer is of, so that an older one never stands in a newer one's place. */
function useAnswer<T>(key: string, ask: () => Promise<T>): { told: T | null; failed: string } {
  const [found, setFound] = useState<{ key: string; told: T | null; failed: string } | null>(null);
  useEffect(() => {
    let over = false;
    ask().then(
      (told) => over || setFound({ key, told, failed: "" }),
      (problem) => over || setFound({ key, told: null, failed: inWords(problem) }),
    );
    return () => {
      over = true;
    };
  }, [key]);
  return found?.key === key ? found : { told: null, failed: "" };
}

function lastDay(month: string): string {
  const [year = 2000, number = 1] = month.split("-").map(Number);
  return `${month}-${new Date(Date.UTC(year, number, 0)).getUTCDate()}`;
}

function shifted(month: string, by: number): string {
  const [year = 2000, number = 1] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number - 1 + by, 1)).toISOString().slice(0, 7);
}

const dayWords = (day: string, how: Intl.DateTimeFormatOptions): string =>
  timeIn("UTC", how)(Date.parse(`${day}T12:00:00Z`) / 1000);

function todayThere(): string {
  const zone = snapshot.peek()?.site.time_zone || "UTC";
  const parts = (zone_: string) =>
    new Intl.DateTimeFormat("en-CA", { timeZone: zone_, dateStyle: "short" }).format(new Date());
  try {
    return parts(zone);
  } catch {
    return parts("UTC");
  }
}

export function DayGraphsTab() {
  const now = chosen(todayThere());
  const { told, failed } = useAnswer(`days ${now.month}`, () =>
    readDays(`${now.month}-01`, lastDay(now.month)),
  );
  const newest = told?.days[told.days.length - 1]?.day ?? null;
  const day = now.day?.startsWith(now.month) ? now.day : newest;
  return (
    <>
      <Card title={t("days.title")} class="past-days">
        <MonthBar now={now} />
        {failed && <Note tone="fault">{failed}</Note>}
        {told && <DayList told={told} now={now} day={day} />}
        {!told && !failed && <div class="bone" aria-busy="true" />}
      </Card>
      {day && <Day key={day} now={{ ...now, day }} day={day} />}
    </>
  );
}

function MonthBar({ now }: { now: Chosen }) {
  const to = (month: string) => addressOf(now, { month, day: null, zoom: null });
  return (
    <div class="month-bar">
      <Link class="button plain back" to={to(shifted(now.month, -1))}>
        <Icon name="arrow-right" /> <span>{t("days.before")}</span>
      </Link>
      <b class="figure">{dayWords(`${now.month}-15`, { month: "long", year: "numeric" })}</b>
      {shifted(now.month, 1) <= todayThere().slice(0, 7) && (
        <Link class="button plain" to={to(shifted(now.month, 1))}>
          <span>{t("days.after")}</span> <Icon name="arrow-right" />
        </Link>
      )}
    </div>
  );
}

function DayList({ told, now, day }: { told: PastDays; now: Chosen; day: string | null }) {
  if (!told.days.length) return <p class="second">{t("days.none")}</p>;
  return (
    <nav class="day-list" aria-label={t("days.list")}>
      {told.days.map((one) => (
        <Link
          key={one.day}
          class={one.quarters < one.of ? "part" : ""}
          to={addressOf(now, { day: one.day, zoom: null })}
          current={one.day === day}
        >
          <small>{dayWords(one.day, { weekday: "short" })}</small>
          <span class="figure">{Number(one.day.slice(8))}</span>
        </Link>
      ))}
    </nav>
  );
}

// --- one day -------------------------------------------------------------------------------------

function Day({ now, day }: { now: Chosen; day: string }) {
  const { told, failed } = useAnswer(`${day} ${now.minutes}`, () => readPast(day, now.minutes));
  const title = dayWords(day, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
  return (
    <Card title={title} class="day-card" aside={<Choosing now={now} past={told} />}>
      {failed && <Note tone="fault">{failed}</Note>}
      {told && <Drawn now={now} past={told} title={title} />}
      {!told && !failed && (
        <div class="day-waits" aria-busy="true">
          <div class="bone tall" />
        </div>
      )}
    </Card>
  );
}

function Choosing({ now, past }: { now: Chosen; past: Past | null }) {
  const start = past ? Date.parse(past.start) / 1000 : 0;
  const whole = past ? past.slots * past.step_s : DAY_S;
  const partOf = (begins: string): Zoom => ({
    from: start + Number(begins) * 3600,
    to: Math.min(start + whole, start + (Number(begins) + PART_H) * 3600),
  });
  const part = PARTS.find((one) => partOf(one).from === now.zoom?.from && partOf(one).to === now.zoom.to);
  const pick = (value: string) =>
    go(addressOf(now, { zoom: value === "all" ? null : partOf(value) }), true);
  return (
    <div class="day-choices">
      <Choices
        label={t("graph.view")}
        value={now.view}
        onChange={(view) => go(addressOf(now, { view }), true)}
        choices={[
          { value: "stacked", text: t("graph.stacked") },
          { value: "overlaid", text: t("graph.overlaid") },
        ]}
      />
      <Choices
        label={t("graph.means")}
        value={String(now.minutes)}
        onChange={(chosen_) => go(addressOf(now, { minutes: chosen_ === "1" ? 1 : 15 }), true)}
        choices={[
          { value: "15", text: t("time.min", { v: 15 }) },
          { value: "1", text: t("time.min", { v: 1 }) },
        ]}
      />
      <Choices
        label={t("graph.part")}
        value={now.zoom ? (part ?? "") : "all"}
        onChange={pick}
        choices={[
          { value: "all", text: t("graph.whole") },
          ...PARTS.map((begins) => ({ value: begins, text: `${begins}–${Number(begins) + PART_H}` })),
        ]}
      />
    </div>
  );
}

function Drawn({ now, past, title }: { now: Chosen; past: Past; title: string }) {
  const drawings = useMemo((): Drawing[] => {
    const wanted = { past, view: now.view, marks: limitMarks(past, amps) };
    const shares = sharesDrawing(wanted, null, t("graph.by_charger"));
    return [siteDrawing(wanted), shares, ...phaseDrawings(wanted)];
  }, [past, now.view]);
  const zoom = (chosen_: Zoom | null) => go(addressOf(now, { zoom: chosen_ }), true);
  return (
    <>
      <p class="second graph-hint">
        {t("graph.zone", { zone: past.time_zone })} {t("graph.drag")}
        {now.zoom && (
          <Button small icon="undo-2" onClick={() => zoom(null)}>
            {t("graph.whole_day")}
          </Button>
        )}
      </p>
      <div class="graphs">
        {drawings.map((one) => (
          <Graph
            key={one.id}
            drawing={one}
            zone={past.time_zone}
            zoom={now.zoom}
            onZoom={zoom}
            sync="days"
            height={one.id === "shares" ? 280 : 200}
          />
        ))}
      </div>
      <Marks drawing={drawings[0]} zone={past.time_zone} />
      <AsTable drawings={drawings} past={past} zoom={now.zoom} />
      <Downloads now={now} past={past} drawings={drawings} title={title} />
    </>
  );
}

function Downloads(props: { now: Chosen; past: Past; drawings: Drawing[]; title: string }) {
  const { now, past, drawings, title } = props;
  const name = `linkray-graphs-${past.day ?? "24h"}`;
  const drawn = () => {
    const site = snapshot.peek()?.site.name;
    return pictureOf(drawings, site ? `${site} · ${title}` : title, past.time_zone, now.zoom);
  };
  const days = new URLSearchParams({ day: past.day ?? "", minutes: String(now.minutes) });
  const month = new URLSearchParams({
    from: `${now.month}-01`,
    to: lastDay(now.month),
    minutes: String(now.minutes),
  });
  return (
    <div class="graph-files">
      <a class="button plain" href={`/api/v1/graphs/csv?${days}`} download>
        <Icon name="download" /> <span>{t("graph.csv")}</span>
      </a>
      <a class="button plain" href={`/api/v1/graphs/csv?${month}`} download>
        <Icon name="download" /> <span>{t("graph.csv_month")}</span>
      </a>
      <Button icon="download" onClick={() => void savePng(name, drawn())}>
        {t("graph.png")}
      </Button>
      <Button icon="download" onClick={() => saveSvg(name, drawn())}>
        {t("graph.svg")}
      </Button>
    </div>
  );
}
