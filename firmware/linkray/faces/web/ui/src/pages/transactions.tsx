// Transactions: the kept sessions as a list, in files, and each by itself.

import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { call, Problem } from "../api";
import { dayAndTime, duration, kwhExact, lasted } from "../format";
import { rich, say, t, type Key } from "../i18n";
import { snapshot } from "../live";
import { Button, Card, Icon, Link, Note } from "../parts/basics";
import { inWords } from "../parts/dialog";
import { Field, Select, Switch } from "../parts/fields";
import { SessionView } from "../parts/session";
import { go, query, segments } from "../route";
import type { SessionPage, SessionRow } from "../words";
import { TagsTab } from "./tags";

interface Tab {
  id: string;
  name: Key;
  show: ComponentType;
}

const TABS: readonly Tab[] = [
  { id: "sessions", name: "tx.sessions", show: Sessions },
  { id: "days", name: "tx.days", show: DayGraphs },
  { id: "tags", name: "tx.tags", show: TagsTab },
  { id: "delivery", name: "tx.delivery", show: Delivery },
];

export function Transactions() {
  const [, which] = segments();
  const tab = TABS.find((one) => one.id === which) ?? TABS[0];
  const Show = tab?.show ?? Sessions;
  useEffect(() => {
    const tabs = document.querySelector(".tabs [aria-current]"); // narrow screens scroll them
    tabs?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [tab?.id]);
  return (
    <>
      <h1>{t("nav.transactions")}</h1>
      {TABS.length > 1 && (
        <nav class="tabs" aria-label={t("tx.tabs")}>
          {TABS.map((one) => (
            <Link key={one.id} to={`/transactions/${one.id}`} current={one === tab}>
              {t(one.name)}
            </Link>
          ))}
        </nav>
      )}
      <Show />
    </>
  );
}

/** What draws comes in one piece, for this page and for Info. */
function DayGraphs() {
  const [Shown, setShown] = useState<ComponentType | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    import("./graphs").then(
      ({ DayGraphsTab }) => setShown(() => DayGraphsTab),
      () => setFailed(true),
    );
  }, []);
  if (failed) return <p class="second">{t("app.failed")}</p>;
  return Shown ? <Shown /> : <div class="bone tall" aria-busy="true" />;
}

/** Forms come when they are opened. */
function Delivery() {
  const [Shown, setShown] = useState<ComponentType | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    import("./delivery").then(
      ({ DeliveryTab }) => setShown(() => DeliveryTab),
      () => setFailed(true),
    );
  }, []);
  if (failed) return <p class="second">{t("app.failed")}</p>;
  return Shown ? <Shown /> : <div class="bone tall" aria-busy="true" />;
}

// --- what is asked for stands in the address -----------------------------------------------------

const HERE = "/transactions/sessions";
const ROWS = 50;
const PRINTED_MAX = 2_000;
const TYPING_MS = 350;
const RANGES = [
  "today", "this_week", "last_week", "this_month", "last_month", "this_year", "last_year", "all",
] as const; // prettier-ignore
const FIRST = "this_month";
const COLUMNS = [
  "id", "started", "ended", "duration", "energy", "tag", "charger", "name", "finished",
] as const; // prettier-ignore
type Column = (typeof COLUMNS)[number];
const FILTERS = ["words", "tag", "charger", "transaction"] as const;
const ASKED = ["range", "since", "until", ...FILTERS, "sort", "ascending"] as const;
type Asked = Partial<Record<(typeof ASKED)[number], string>>;

function asked(): Asked {
  const found: Asked = {};
  for (const name of ASKED) {
    const value = query(name);
    if (value) found[name] = value;
  }
  if (found.since || found.until) delete found.range;
  else found.range ??= FIRST;
  return found;
}

const written = (what: object): string =>
  new URLSearchParams(what as Record<string, string>).toString();

/** Another selection, with its own address; a text that is typed on replaces the one before. */
function ask(change: Asked, replace = false): void {
  const next: Asked = { ...asked(), ...change };
  for (const name of ASKED) if (!next[name]) delete next[name];
  go(`${HERE}?${written(next)}`, replace);
}

// --- the list ------------------------------------------------------------------------------------

interface List {
  of: string;
  rows: readonly SessionRow[];
  page: SessionPage; // the first
  next: string | null;
}

function useList(of: string) {
  const [list, setList] = useState<List | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const newest = useRef(of);
  newest.current = of;
  const read = async (after: string, limit: number) =>
    (await call<SessionPage>("GET", `/transactions?${of}&${written({ after, limit })}`)).body;
  useEffect(() => {
    setFailed(null);
    read("", ROWS)
      .then((page) => {
        if (newest.current === of) setList({ of, rows: page.rows, page, next: page.next });
      })
      .catch((problem: unknown) => newest.current === of && setFailed(problem));
  }, [of]);
  /** More of it, up to so many in all; what is there then. */
  const more = async (most: number): Promise<void> => {
    if (!list || busy) return;
    setBusy(true);
    try {
      let { rows, next } = list;
      do {
        if (!next) break;
        const page = await read(next, Math.min(500, Math.max(ROWS, most - rows.length)));
        rows = [...rows, ...page.rows];
        next = page.next;
      } while (rows.length < most);
      if (newest.current === of) setList({ ...list, rows, next });
    } catch (problem) {
      setFailed(problem);
    } finally {
      setBusy(false);
    }
  };
  return { list: list?.of === of ? list : null, failed, busy, more };
}

function Sessions() {
  const [, , id] = segments();
  return id ? <SessionView id={id} /> : <SessionList />;
}

function SessionList() {
  const now = asked();
  const of = written(now);
  const { list, failed, busy, more } = useList(of);
  const count = list?.page.sums?.count ?? 0;
  const print = async () => {
    await more(PRINTED_MAX);
    setTimeout(() => window.print(), 100); // once they are drawn
  };
  const wrong = failed instanceof Problem ? failed.path : null;
  return (
    <>
      <FilterCard now={now} wrong={wrong ? inWords(failed) : null} field={wrong} />
      {Boolean(failed) && !wrong && (
        <Note tone="fault" live>
          {inWords(failed)}
        </Note>
      )}
      {list ? (
        <Card class="tx-list">
          <Sums page={list.page} />
          <Files of={of} count={count} print={() => void print()} />
          {count > 0 ? (
            <>
              <SortChoice now={now} />
              <Table rows={list.rows} now={now} />
              <div class="tx-more">
                <p class="second" role="status">
                  {say("tx.shown", { shown: list.rows.length, n: count })}
                </p>
                {list.next && (
                  <Button busy={busy} onClick={() => void more(list.rows.length + ROWS)}>
                    {t("tx.show_more")}
                  </Button>
                )}
              </div>
            </>
          ) : (
            <p class="tx-none">{t("tx.none")}</p>
          )}
        </Card>
      ) : (
        !failed && (
          <div class="waiting" aria-busy="true">
            <div class="bone tall" />
          </div>
        )
      )}
    </>
  );
}

function Sums({ page }: { page: SessionPage }) {
  const since = page.since && dayAndTime(page.since);
  const until = page.until && dayAndTime(page.until);
  const key: Key =
    since && until
      ? "tx.span"
      : since
        ? "tx.span_from"
        : until
          ? "tx.span_to"
          : "tx.span_all";
  return (
    <div class="total tx-sums" role="status">
      <span>{rich("tx.sum", { n: page.sums?.count ?? 0 })}</span>
      <span>{rich("tx.sum_energy", { v: kwhExact(page.sums?.energy_wh ?? 0) })}</span>
      <span class="second">{t(key, { since, until, zone: page.time_zone })}</span>
    </div>
  );
}

// --- which ---------------------------------------------------------------------------------------

interface FilterProps {
  now: Asked;
  wrong: string | null;
  field: string | null; // `$.since`: where it is wrong
}

function FilterCard({ now, wrong, field }: FilterProps) {
  const exact = !now.range;
  const [open, setOpen] = useState(exact);
  const filtered = FILTERS.some((name) => now[name]);
  const at = (name: string) => (field === `$.${name}` ? wrong : null);
  return (
    <Card class="tx-filters">
      <div class="tx-ranges" role="group" aria-label={t("tx.range")}>
        {RANGES.map((range) => (
          <button
            type="button"
            key={range}
            aria-pressed={now.range === range}
            onClick={() => {
              setOpen(false);
              ask({ range, since: "", until: "" });
            }}
          >
            {t(`tx.range.${range}`)}
          </button>
        ))}
        <button
          type="button"
          aria-pressed={exact}
          aria-expanded={open || exact}
          onClick={() => setOpen(!open || exact)}
        >
          {t("tx.range.exact")}
        </button>
      </div>
      {(open || exact) && (
        <div class="form-row">
          <Moment name="since" label={t("tx.since")} now={now} error={at("since")} />
          <Moment name="until" label={t("tx.until")} now={now} error={at("until")} />
        </div>
      )}
      <Typed name="words" label={t("tx.words")} help={t("tx.words_help")} error={at("words")} />
      <details class="tx-more-filters" open={Boolean(now.tag || now.charger || now.transaction)}>
        <summary class="text-link">
          {t("tx.more_filters")} <Icon name="chevron-down" size={18} />
        </summary>
        <div class="form-row">
          <Typed name="tag" label={t("tx.tag")} error={at("tag")} />
          <Typed
            name="charger"
            label={t("tx.charger")}
            error={at("charger")}
            known={snapshot.value?.chargers.map((one) => one.id)}
          />
          <Typed name="transaction" label={t("tx.transaction")} error={at("transaction")} />
        </div>
        <p class="help">{t("tx.exact_help")}</p>
      </details>
      {filtered && (
        <div>
          <Button
            icon="x"
            kind="quiet"
            onClick={() => ask({ words: "", tag: "", charger: "", transaction: "" })}
          >
            {t("tx.clear")}
          </Button>
        </div>
      )}
    </Card>
  );
}

interface MomentProps {
  name: "since" | "until";
  label: string;
  now: Asked;
  error: string | null;
}

/** A time of the site; the browser's own field for it. */
function Moment({ name, label, now, error }: MomentProps) {
  return (
    <Field label={label} error={error}>
      {(ids) => (
        <input
          id={ids.id}
          type="datetime-local"
          aria-describedby={ids.described}
          aria-invalid={error ? "true" : undefined}
          value={local(now[name], name === "until")}
          onChange={(event) => ask({ range: "", [name]: event.currentTarget.value }, true)}
        />
      )}
    </Field>
  );
}

/** A day alone is its beginning, or with all its hours its end. */
const local = (value: string | undefined, isEnd: boolean): string =>
  value && value.length === 10 ? `${value}T${isEnd ? "23:59" : "00:00"}` : (value ?? "");

interface TypedProps {
  name: (typeof FILTERS)[number];
  label: string;
  help?: string;
  error: string | null;
  known?: readonly string[] | undefined;
}

/** A filter that is typed: asked for once nothing more comes for a moment. */
function Typed({ name, label, help, error, known }: TypedProps) {
  const value = query(name) ?? "";
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const own = useRef(value);
  useEffect(() => {
    if (value !== own.current) setText(value);
    own.current = value;
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const take = (typed: string) => {
    setText(typed);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      own.current = typed.trim();
      ask({ [name]: typed.trim() }, true);
    }, TYPING_MS);
  };
  return (
    <Field label={label} {...(help ? { help } : {})} error={error}>
      {(ids) => (
        <>
          <input
            id={ids.id}
            type="text"
            inputMode={name === "transaction" ? "numeric" : undefined}
            autocomplete="off"
            maxLength={100}
            value={text}
            list={known && `${ids.id}-known`}
            aria-describedby={ids.described}
            aria-invalid={error ? "true" : undefined}
            onInput={(event) => take(event.currentTarget.value)}
          />
          {known && (
            <datalist id={`${ids.id}-known`}>
              {known.map((one) => (
                <option key={one} value={one} />
              ))}
            </datalist>
          )}
        </>
      )}
    </Field>
  );
}

// --- files ---------------------------------------------------------------------------------------

const OPTIONS = {
  separator: ["comma", "semicolon", "tab"],
  decimal: ["point", "comma"],
  minutes: ["15", "5", "30"],
  market: ["+10:00", "+09:30", "+08:00"],
} as const;

interface FilesProps {
  of: string;
  count: number;
  print: () => void;
}

/** What the files hold is what the list holds: they are asked for with the same words. */
function Files({ of, count, print }: FilesProps) {
  const [how, setHow] = useState<Record<string, string>>({});
  const file = (format: string) =>
    `/api/v1/transactions/export?${of}&${written({ format, ...how })}`;
  return (
    <div class="tx-files">
      <div class="tx-acts">
        {(["csv", "nem12", "cdr"] as const).map((format) => (
          <a key={format} class="button" href={file(format)} download>
            <Icon name="download" /> <span>{t(`tx.${format}`)}</span>
          </a>
        ))}
        <Button icon="printer" onClick={print}>
          {t("tx.print")}
        </Button>
      </div>
      <details>
        <summary class="text-link">
          {t("tx.options")} <Icon name="chevron-down" size={18} />
        </summary>
        <div class="form-row">
          {(Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]).map((name) => (
            <Field
              key={name}
              label={t(`tx.${name}`)}
              {...(name === "market" ? { help: t("tx.market_help") } : {})}
            >
              {(ids) => (
                <Select
                  id={ids.id}
                  described={ids.described}
                  value={how[name] ?? OPTIONS[name][0]}
                  choices={OPTIONS[name].map((value) => ({ value, text: worded(name, value) }))}
                  onChange={(value) => setHow({ ...how, [name]: value })}
                />
              )}
            </Field>
          ))}
          <Switch
            label={t("tx.bom")}
            checked={how["bom"] === "1"}
            onChange={(on) => setHow({ ...how, bom: on ? "1" : "0" })}
          />
        </div>
        <p class="help">{say("tx.files_of", { n: count })}</p>
      </details>
    </div>
  );
}

function worded(name: string, value: string): string {
  if (name === "minutes") return t("tx.minutes.n", { v: value });
  return name === "market" ? `UTC${value}` : say(`tx.${name}.${value}`);
}

// --- the table: on a narrow screen each row is a card --------------------------------------------

function sortBy(now: Asked, column: Column): void {
  const up = now.sort === column || (!now.sort && column === "started") ? !now.ascending : false;
  ask({ sort: column, ascending: up ? "1" : "" }, true);
}

function SortChoice({ now }: { now: Asked }) {
  const value = `${now.sort ?? "started"}${now.ascending ? "" : " down"}`;
  return (
    <div class="tx-sort">
      <Field label={t("tx.sort")}>
        {(ids) => (
          <Select
            id={ids.id}
            value={value}
            choices={COLUMNS.flatMap((column) => {
              const name = t(`tx.col.${column}`);
              return [
                { value: `${column} down`, text: t("tx.sorted.down", { name }) },
                { value: column, text: t("tx.sorted.up", { name }) },
              ];
            })}
            onChange={(chosen) => {
              const [sort = "", down] = chosen.split(" ");
              ask({ sort, ascending: down ? "" : "1" }, true);
            }}
          />
        )}
      </Field>
    </div>
  );
}

function Table({ rows, now }: { rows: readonly SessionRow[]; now: Asked }) {
  const by = now.sort ?? "started";
  return (
    <div class="tx-scroll">
      <table class="tx">
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <th
                key={column}
                scope="col"
                class={column === "energy" ? "num" : ""}
                aria-sort={column === by ? (now.ascending ? "ascending" : "descending") : undefined}
              >
                <button type="button" onClick={() => sortBy(now, column)}>
                  {t(`tx.col.${column}`)}
                  {column === by && (
                    <Icon name={now.ascending ? "arrow-up" : "arrow-down"} size={16} />
                  )}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.id} row={row} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

const PAUSED_S = 60; // what is shorter nobody asks about
const paused = (s: number | null): string =>
  s !== null && s >= PAUSED_S ? t("tx.paused_for", { v: duration(s) }) : "";

function Row({ row }: { row: SessionRow }) {
  const cell = (column: Column, value: string, more = "") => (
    <td data-name={t(`tx.col.${column}`)} class={`c-${column}${column === "energy" ? " num" : ""}`}>
      {more ? (
        <span>
          {value} <span class="second tx-paused">{more}</span>
        </span>
      ) : (
        value
      )}
    </td>
  );
  return (
    <tr>
      <th scope="row" class="c-id" data-name={t("tx.col.id")}>
        <Link to={`${HERE}/${row.id}`} class="text-link">
          {String(row.id)}
        </Link>
      </th>
      {cell("started", row.incomplete ? t("tx.unknown_start") : dayAndTime(row.started))}
      {cell("ended", row.ended ? dayAndTime(row.ended) : "–")}
      {cell("duration", lasted(row.duration_s), paused(row.paused_s))}
      {cell("energy", kwhExact(row.energy_wh))}
      {cell("tag", row.tag)}
      {cell("charger", row.charger)}
      {cell("name", row.name)}
      {cell("finished", row.finished ? t("tx.finished") : t("tx.charging"))}
    </tr>
  );
}
