// One kept session: its facts, and its energy each quarter of an hour.

import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { amps, dayAndTime, kwhExact, lasted, timeOnly } from "../format";
import { has, say, t } from "../i18n";
import { PHASES, type Pause, type Phases, type Quarter, type SessionDetail } from "../words";
import { Card, Icon, Note } from "./basics";
import { inWords } from "./dialog";

/** A code of the charger or of LinkRay in words, else as it came. */
const wordOf = (kind: string, code: string): string =>
  has(`tx.${kind}.${code}`) ? say(`tx.${kind}.${code}`) : code;

export function SessionView({ id }: { id: string }) {
  const [told, setTold] = useState<SessionDetail | null>(null);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    setTold(null);
    setFailed("");
    call<SessionDetail>("GET", `/transactions/${encodeURIComponent(id)}`)
      .then(({ body }) => setTold(body))
      .catch((problem: unknown) => setFailed(inWords(problem)));
  }, [id]);
  return (
    <>
      <a
        class="text-link back"
        href="/transactions/sessions"
        onClick={(event) => {
          if (history.length < 2) return;
          event.preventDefault();
          history.back(); // to the same filters and the same place
        }}
      >
        <Icon name="arrow-right" /> {t("tx.back")}
      </a>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {told && <Facts of={told} />}
      {told && <Quarters quarters={told.quarters} />}
      {told && told.pauses.length > 0 && <Pauses pauses={told.pauses} />}
    </>
  );
}

function Facts({ of }: { of: SessionDetail }) {
  const { row } = of;
  const facts: [string, string][] = [
    [t("tx.col.energy"), kwhExact(row.energy_wh)],
    [t("tx.col.started"), row.incomplete ? t("tx.unknown_start") : dayAndTime(row.started)],
    [t("tx.col.ended"), row.ended ? dayAndTime(row.ended) : t("tx.charging")],
    [t("tx.col.duration"), lasted(row.duration_s)],
    [t("tx.paused"), row.paused_s ? lasted(row.paused_s) : ""],
    [t("tx.current_max"), onPhases(row.current_max_ma, row.current_max_ma)],
    [t("tx.current_mean"), onPhases(row.current_mean_ma, row.current_max_ma)],
    [t("tx.col.charger"), row.charger],
    [t("tx.col.name"), row.name],
    [t("tx.connector"), row.connector ? String(row.connector) : ""],
    [t("tx.col.tag"), row.tag],
    [t("tx.by"), wordOf("by", row.authorised_by || "unknown")],
    [t("tx.reason"), row.reason ? wordOf("reason", row.reason) : ""],
    [t("tx.csms_id"), row.csms_id === null ? "" : String(row.csms_id)],
    [
      t("tx.register"),
      t("tx.register_v", { from: kwhExact(of.meter_start_wh), to: kwhExact(of.meter_last_wh) }),
    ],
  ];
  return (
    <Card title={t("tx.title", { id: String(row.id) })}>
      {row.incomplete && <Note tone="limited">{t("tx.incomplete")}</Note>}
      {row.flagged && <Note tone="limited">{t("tx.flagged")}</Note>}
      <dl class="facts tx-facts">
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
    </Card>
  );
}

/** Of the phases that it drew on: "L1 16 A, L2 16 A". */
function onPhases(ma: Phases | null, most: Phases | null): string {
  if (!ma || !most) return "";
  const on = PHASES.filter((_, place) => (most[place] ?? 0) > 0);
  if (!on.length) return amps(0);
  return on.map((name) => `${name} ${amps(ma[PHASES.indexOf(name)] ?? 0)}`).join(", ");
}

function Pauses({ pauses }: { pauses: readonly Pause[] }) {
  return (
    <Card title={t("tx.pauses")} level={3}>
      <table class="power tx-pauses">
        <thead>
          <tr>
            <th scope="col">{t("tx.pause_at")}</th>
            <th scope="col">{t("tx.pause_for")}</th>
            <th scope="col">{t("tx.pause_why")}</th>
          </tr>
        </thead>
        <tbody>
          {pauses.map((one) => (
            <tr key={one.began}>
              <th scope="row">{dayAndTime(one.began)}</th>
              <td>{one.ended ? lasted(seconds(one.began, one.ended)) : t("tx.pause_lasts")}</td>
              <td>{whyPaused(one)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

/** The plan's cause, with the group that it was for. */
function whyPaused({ code, group }: Pause): string {
  const why = code === "turn" ? t("tx.pause_turn") : say(`why.${code}`, { group });
  return group && !why.includes(group) ? t("tx.pause_of", { why, group }) : why;
}

const seconds = (began: string, ended: string): number =>
  Math.max(0, Math.round((Date.parse(ended) - Date.parse(began)) / 1000));

const HEIGHT = 160;
const FOOT = 24;
const LEFT = 48;
const LABELS_MAX = 6;

/** Bars on a scale from 0; a session of days is as wide as it needs to be, and scrolls. */
function Quarters({ quarters }: { quarters: readonly Quarter[] }) {
  if (!quarters.length) {
    return (
      <Card title={t("tx.quarters")} level={3}>
        <p>{t("tx.no_energy")}</p>
      </Card>
    );
  }
  const most = Math.max(...quarters.map((one) => one.wh));
  const each = Math.max(14, Math.min(48, Math.floor(900 / quarters.length)));
  const width = LEFT + each * quarters.length + 8;
  const every = Math.max(1, Math.ceil(quarters.length / LABELS_MAX), Math.ceil(48 / each));
  const top = (wh: number) => HEIGHT - (wh / most) * (HEIGHT - 16);
  return (
    <Card title={t("tx.quarters")} level={3}>
      <div class="tx-chart" tabIndex={0} role="group" aria-label={t("tx.quarters")}>
        <svg
          width={width}
          height={HEIGHT + FOOT}
          role="img"
          aria-label={t("tx.quarters_of", { n: quarters.length, v: kwhExact(most) })}
        >
          <defs>
            <pattern id="tx-hatch" width="6" height="6" patternUnits="userSpaceOnUse">
              <path d="M0 6 6 0" class="tx-hatch" />
            </pattern>
          </defs>
          {[0, most].map((wh) => (
            <g key={wh}>
              <line x1={LEFT} x2={width} y1={top(wh)} y2={top(wh)} class="tx-line" />
              <text x={LEFT - 6} y={top(wh) + 4} text-anchor="end">
                {kwhExact(wh)}
              </text>
            </g>
          ))}
          {quarters.map((one, place) => {
            const box = { x: LEFT + place * each + 1, y: top(one.wh), width: each - 2 };
            return (
              <g key={one.at}>
                <title>{words(one)}</title>
                <rect {...box} height={HEIGHT - box.y} class="tx-bar" />
                {one.estimated && <rect {...box} height={HEIGHT - box.y} fill="url(#tx-hatch)" />}
                {place % every === 0 && (
                  <text x={box.x} y={HEIGHT + 17}>
                    {timeOnly(one.at)}
                  </text>
                )}
              </g>
            );
          })}
        </svg>
      </div>
      {quarters.some((one) => one.estimated) && <p class="help">{t("tx.estimated")}</p>}
      <details>
        <summary class="text-link">
          {t("tx.as_table")} <Icon name="chevron-down" size={18} />
        </summary>
        <table class="power">
          <thead>
            <tr>
              <th scope="col">{t("tx.quarter_at")}</th>
              <th scope="col" class="num">
                {t("tx.quarter_wh")}
              </th>
            </tr>
          </thead>
          <tbody>
            {quarters.map((one) => (
              <tr key={one.at}>
                <th scope="row">{dayAndTime(one.at)}</th>
                <td class="num">
                  {one.estimated ? "≈ " : ""}
                  {kwhExact(one.wh)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </Card>
  );
}

const words = (one: Quarter): string =>
  t(one.estimated ? "tx.quarter_estimated" : "tx.quarter", {
    at: timeOnly(one.at),
    v: kwhExact(one.wh),
  });
