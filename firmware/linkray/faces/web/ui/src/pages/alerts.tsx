// Alerts: what is wrong now with its cure, and what has been wrong, how long and how often.

import { useEffect, useId, useRef, useState } from "preact/hooks";

import { call } from "../api";
import { duration, moment } from "../format";
import { has, onceFor, say, t } from "../i18n";
import { snapshot } from "../live";
import { Badge, Button, Card, Choices, Icon, Link, Note } from "../parts/basics";
import { announce, inWords } from "../parts/dialog";
import { Field, Select, TextInput } from "../parts/fields";
import { go, query, segments } from "../route";
import { INSTALLER, level } from "../session";
import { byName, nameOf } from "../site";
import type { Alert, AlertsRead, Fault } from "../words";
import { Cure, faultText } from "./info";

const AGAIN_MS = 5_000; // the history is asked for anew while it is looked at
const TYPED_MS = 300; // what is typed is asked for when the fingers rest
const STEP = 50; // alerts at once

export function Alerts() {
  const [, which] = segments();
  const history = which === "history";
  return (
    <>
      <h1>{t("nav.alerts")}</h1>
      <nav class="tabs" aria-label={t("alerts.tabs")}>
        <Link to="/alerts/open" current={!history}>
          {t("alerts.open")}
        </Link>
        <Link to="/alerts/history" current={history}>
          {t("alerts.history")}
        </Link>
      </nav>
      {history ? <History /> : <Open />}
    </>
  );
}

/** What the history says, asked for again and again, and at once where faults come or go. */
function useAlerts(asked: string): { told: AlertsRead | null; failed: string; again: () => void } {
  const [told, setTold] = useState<AlertsRead | null>(null);
  const [failed, setFailed] = useState("");
  const [round, setRound] = useState(0);
  const first = useRef(true);
  const faults = JSON.stringify(snapshot.value?.faults.map((one) => [one.code, one.subject]));
  useEffect(() => {
    let wanted = true;
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      try {
        if (!document.hidden) {
          const { body } = await call<AlertsRead>("GET", `/alerts?${asked}`);
          if (wanted) setTold(body);
        }
        if (wanted) setFailed("");
      } catch (problem) {
        if (wanted) setFailed(inWords(problem));
      }
      if (wanted) timer = setTimeout(() => void ask(), AGAIN_MS);
    };
    timer = setTimeout(() => void ask(), first.current ? 0 : TYPED_MS);
    first.current = false;
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [asked, faults, round]);
  return { told, failed, again: () => setRound((n) => n + 1) };
}

function Failed({ text }: { text: string }) {
  return text ? (
    <Note tone="fault" live>
      {text}
    </Note>
  ) : null;
}

async function see(ids: readonly number[], again: () => void): Promise<void> {
  try {
    await call("POST", "/alerts/seen", { ids });
    again();
  } catch (problem) {
    announce(inWords(problem), true);
  }
}

const now = (): number => Date.parse(snapshot.value?.at ?? "") || Date.now();

function lasted(alert: Alert): string {
  const end = alert.cleared ? Date.parse(alert.cleared) : now();
  return duration(Math.max(0, end - Date.parse(alert.since)) / 1000);
}

// --- open ----------------------------------------------------------------------------------------

function Open() {
  const { told, failed, again } = useAlerts("open=1&limit=500");
  const faults = snapshot.value?.faults ?? [];
  const kept = (fault: Fault) =>
    told?.alerts.find((one) => one.code === fault.code && one.subject === fault.subject);
  const unseen = faults.flatMap((fault) => {
    const alert = kept(fault);
    return alert && !alert.seen_by ? [alert.id] : [];
  });
  return (
    <>
      <Failed text={failed} />
      {!faults.length && snapshot.value && (
        <Card class="empty">
          <h2>
            <Icon name="circle-check" size={24} /> {t("alerts.none")}
          </h2>
          <p class="second">{t("alerts.none_more")}</p>
        </Card>
      )}
      {faults.length > 0 && (
        <section class="problems open-alerts" aria-label={t("alerts.open")}>
          <ul>
            {faults.map((fault) => (
              <OpenAlert
                key={`${fault.code}:${fault.subject ?? ""}`}
                fault={fault}
                alert={kept(fault)}
                again={again}
              />
            ))}
          </ul>
        </section>
      )}
      {unseen.length > 1 && level() >= INSTALLER && (
        <p class="note-acts">
          <Button acts icon="eye" onClick={() => void see(unseen, again)}>
            {t("alerts.see_all")}
          </Button>
        </p>
      )}
    </>
  );
}

interface OpenProps {
  fault: Fault;
  alert: Alert | undefined;
  again: () => void;
}

function OpenAlert({ fault, alert, again }: OpenProps) {
  const text = faultText(fault);
  const since = alert?.since ?? fault.since;
  const times = alert && alert.times > 1 ? ` · ${say("alerts.times", { n: alert.times })}` : "";
  return (
    <li>
      <Icon name="triangle-alert" />
      <div class="problem-words">
        <b>{text}</b>
        <span class="second">
          {t("alerts.since", { time: moment(since), for: alert ? lasted(alert) : null })}
          {times}
        </span>
        <span class="second">
          {has(`cure.${fault.code}`) ? say(`cure.${fault.code}`) : fault.cure}
        </span>
        {alert?.seen_by && (
          <span class="second seen">
            <Icon name="eye" size={16} />{" "}
            {t("alerts.seen", { by: alert.seen_by, time: moment(alert.seen_at) })}
          </span>
        )}
      </div>
      <div class="alert-acts">
        {alert && !alert.seen_by && level() >= INSTALLER && (
          <Button
            acts
            icon="eye"
            label={t("alerts.see_which", { text })}
            onClick={() => void see([alert.id], again)}
          >
            {t("alerts.see")}
          </Button>
        )}
        <Cure fault={fault} />
      </div>
    </li>
  );
}

// --- history -------------------------------------------------------------------------------------

const FILTERS = ["q", "code", "charger", "from", "to"] as const;
type Filter = Record<(typeof FILTERS)[number], string>;

function filter(): Filter {
  const found = FILTERS.map((name) => [name, query(name) ?? ""]);
  return Object.fromEntries(found) as Filter;
}

const inUrl = (chosen: Filter): string =>
  new URLSearchParams(Object.entries(chosen).filter(([, value]) => value)).toString();

function show(chosen: Filter): void {
  const search = inUrl(chosen);
  go(`/alerts/history${search ? `?${search}` : ""}`, true);
}

/** The day so many days ago, as the site counts them: 2026-11-23. */
function day(ago: number): string {
  const zone = snapshot.value?.site.time_zone;
  const format = (timeZone: string | undefined) =>
    new Intl.DateTimeFormat("en-CA", {
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      timeZone,
    });
  const days = onceFor(`day ${zone}`, () => {
    try {
      return format(zone);
    } catch {
      return format("UTC");
    }
  });
  return days.format(new Date(now() - ago * 86_400_000));
}

function History() {
  const chosen = filter();
  const search = inUrl(chosen);
  const [shown, setShown] = useState(STEP);
  useEffect(() => setShown(STEP), [search]);
  const { told, failed } = useAlerts(`${search}&limit=${shown}`);
  const n = told?.total ?? 0;
  return (
    <>
      <Card>
        <Filters chosen={chosen} kinds={told?.kinds ?? []} />
      </Card>
      <Failed text={failed} />
      {told && (
        <Card class="alert-card">
          <div class="alert-sum">
            <p class="figure" role="status">
              {n
                ? say("alerts.sum", {
                    n,
                    times: told.times > n ? say("alerts.times", { n: told.times }) : null,
                    for: duration(told.lasted_s),
                  })
                : t("alerts.sum_none")}
            </p>
            {n > 0 && (
              <a class="button plain" href={`/api/v1/alerts/export?${search}`} download>
                <Icon name="download" /> <span>{t("alerts.csv")}</span>
              </a>
            )}
          </div>
          <ol class="alert-list">
            {told.alerts.map((alert) => (
              <Kept key={alert.id} alert={alert} />
            ))}
          </ol>
          {told.alerts.length < n && (
            <p>
              <Button onClick={() => setShown(shown + STEP)}>{t("alerts.more")}</Button>
            </p>
          )}
          <p class="second">
            {told.oldest && t("alerts.kept", { time: moment(told.oldest) })} {t("alerts.again")}
          </p>
        </Card>
      )}
    </>
  );
}

function Kept({ alert }: { alert: Alert }) {
  const span = alert.cleared
    ? t("alerts.span", {
        from: moment(alert.since),
        to: moment(alert.cleared),
        for: lasted(alert),
      })
    : t("alerts.since", { time: moment(alert.since), for: lasted(alert) });
  return (
    <li>
      <Badge
        state={
          alert.cleared
            ? { tone: "idle", icon: "check", word: t("alerts.is_over") }
            : { tone: "fault", icon: "triangle-alert", word: t("alerts.is_open") }
        }
      />
      <div class="alert-words">
        <b>{faultText(alert)}</b>
        <span class="second figure">
          {span}
          {alert.times > 1 && ` · ${say("alerts.times", { n: alert.times })}`}
        </span>
        {alert.seen_by && (
          <span class="second seen">
            <Icon name="eye" size={16} />{" "}
            {t("alerts.seen", { by: alert.seen_by, time: moment(alert.seen_at) })}
          </span>
        )}
      </div>
    </li>
  );
}

function Filters({ chosen, kinds }: { chosen: Filter; kinds: readonly string[] }) {
  const known = byName(snapshot.value?.chargers ?? []);
  const put = (next: Partial<Filter>) => show({ ...chosen, ...next });
  const words = (code: string) =>
    has(`fault.${code}`) ? say(`fault.${code}`, { subject: t("alerts.charger") }) : code;
  const listed = known.some((one) => one.id === chosen.charger) || !chosen.charger;
  const codes = [...new Set([...kinds, ...(chosen.code ? [chosen.code] : [])])];
  return (
    <div class="form alert-filter">
      <div class="form-row">
        <Field label={t("alerts.search")}>
          {({ id }) => (
            <TextInput
              id={id}
              value={chosen.q}
              placeholder={t("alerts.search_hint")}
              onValue={(q) => put({ q })}
            />
          )}
        </Field>
        <Field label={t("alerts.kind")}>
          {({ id }) => (
            <Select
              id={id}
              value={chosen.code}
              choices={[
                { value: "", text: t("alerts.any_kind") },
                ...codes.map((code) => ({ value: code, text: words(code) })),
              ]}
              onChange={(code) => put({ code })}
            />
          )}
        </Field>
        <Field label={t("alerts.charger")}>
          {({ id }) => (
            <Select
              id={id}
              value={chosen.charger}
              choices={[
                { value: "", text: t("alerts.any_charger") },
                ...known.map((one) => ({ value: one.id, text: nameOf(one) })),
                ...(listed ? [] : [{ value: chosen.charger, text: chosen.charger }]),
              ]}
              onChange={(charger) => put({ charger })}
            />
          )}
        </Field>
      </div>
      <Span chosen={chosen} put={put} />
    </div>
  );
}

interface SpanProps {
  chosen: Filter;
  put: (next: Partial<Filter>) => void;
}

function Span({ chosen, put }: SpanProps) {
  const id = useId();
  const today = day(0);
  const ranges = [
    { value: "all", text: t("alerts.all"), from: "", to: "" },
    { value: "today", text: t("alerts.today"), from: today, to: today },
    { value: "week", text: t("alerts.week"), from: day(6), to: today },
    { value: "month", text: t("alerts.month"), from: day(29), to: today },
  ];
  const holds = ranges.find((one) => one.from === chosen.from && one.to === chosen.to);
  return (
    <div class="alert-span">
      <Choices
        label={t("alerts.range")}
        value={holds?.value ?? ""}
        choices={ranges}
        onChange={(value) => {
          const range = ranges.find((one) => one.value === value);
          if (range) put({ from: range.from, to: range.to });
        }}
      />
      {(["from", "to"] as const).map((end) => (
        <div class="field" key={end}>
          <label for={`${id}-${end}`}>{t(`alerts.${end}`)}</label>
          <input
            id={`${id}-${end}`}
            type="date"
            value={chosen[end]}
            max={today}
            onChange={(event) => put({ [end]: event.currentTarget.value })}
          />
        </div>
      ))}
    </div>
  );
}
