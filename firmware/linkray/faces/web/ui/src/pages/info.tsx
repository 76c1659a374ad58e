// Info: the one page that must be right. Problems, figures, flow, phases, groups with connectors.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

import { askAllow, askDelete, setPriority } from "../acts";
import { call } from "../api";
import {
  amps,
  ampsColumn,
  ampsOf,
  kw,
  kwhOf,
  kwOf,
  moment,
  uptime,
  volts,
} from "../format";
import { given, has, say, t, type Key } from "../i18n";
import type { IconName } from "../icons";
import { freshness, snapshot, stopped } from "../live";
import { opens, pageOf } from "../menu";
import { PhaseBars, RoomLine } from "../parts/bars";
import { Button, Card, Choices, Icon, Link, Steady } from "../parts/basics";
import { announce, inWords } from "../parts/dialog";
import { PhaseTag } from "../parts/fields";
import { isRanked, PowerFlow } from "../parts/flow";
import { LastHours } from "../parts/lasthours";
import { PointTable, sameness, tick, ticked, Tile } from "../parts/points";
import { go } from "../route";
import { INSTALLER, keep, kept, level } from "../session";
import {
  branches,
  groupRoom,
  headroom,
  headroomOn,
  highest,
  phaseName,
  points,
  powers,
  powerW,
  setLimit,
  siteRoom,
  togetherW,
  type Branch,
} from "../site";
import { byWhom, cause } from "../why";
import type { Fault, GroupView, Phases, Snapshot } from "../words";
import { PHASES } from "../words";

const TABLE_ABOVE = 24; // connectors: more than that are read as a table (web.md, Info, 7)

export function Info() {
  const shot = snapshot.value;
  if (!shot) return <Waiting />;
  return (
    <>
      <h1 class="unseen">{t("info.title")}</h1>
      <Problems faults={shot.faults} />
      <div class={`live ${freshness.value}`}>
        <Figures shot={shot} />
        <div class={`pair${isRanked(shot) ? " ranked" : ""}`}>
          <PowerFlow shot={shot} still={freshness.value !== "live"} />
          <PhaseBars shot={shot} more={level() >= INSTALLER} />
        </div>
        <LastHours />
        <Groups shot={shot} />
        <Details shot={shot} />
      </div>
    </>
  );
}

function Waiting() {
  return (
    <div class="waiting" aria-busy="true">
      <h1 class="unseen">{t("info.title")}</h1>
      <div class="bone" />
      <div class="bone tall" />
      <div class="bone tall" />
      <p class="unseen" role="status">
        {t("head.connecting")}
      </p>
    </div>
  );
}

// --- problems ------------------------------------------------------------------------------------

export function faultText(fault: Pick<Fault, "code" | "text" | "subject" | "detail">): string {
  const key = `fault.${fault.code}`;
  if (!has(key)) return fault.text;
  const name = snapshot.value?.chargers.find((charger) => charger.id === fault.subject)?.name;
  const text = say(key, { subject: name || fault.subject });
  const detail = fault.code === "emergency_stop" ? byWhom(fault.detail) : given(fault.detail);
  return detail ? t("fault.detail", { text, detail }) : text;
}

/** Each with its cure; that all is stopped is told by the red bar of the header alone. */
function Problems({ faults }: { faults: readonly Fault[] }) {
  const told = faults.filter((fault) => fault.code !== "emergency_stop" || !stopped.value);
  if (!told.length) return null;
  return (
    <section class="problems" id="problems" aria-label={t("info.problems")}>
      <ul>
        {told.map((fault) => (
          <li key={`${fault.code}:${fault.subject ?? ""}`}>
            <Icon name="triangle-alert" />
            <div class="problem-words">
              <b>{faultText(fault)}</b>
              <span class="second">
                {t("info.since", { time: moment(fault.since) })} ·{" "}
                {has(`cure.${fault.code}`) ? say(`cure.${fault.code}`) : fault.cure}
              </span>
            </div>
            <Cure fault={fault} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The button that leads to the cure, where this level may open it. */
export function Cure({ fault }: { fault: Fault }) {
  if (fault.code === "emergency_stop") {
    if (level() < INSTALLER) return null;
    return (
      <Button acts icon="circle-check" onClick={askAllow}>
        {t("head.allow")}
      </Button>
    );
  }
  const page = pageOf(fault.page);
  if (!page || page.id === "info" || !opens(page)) return null;
  const meters = fault.code === "meter" ? "/meter" : fault.code === "csms" ? "/csms" : "";
  const one =
    fault.page === "chargers" && fault.subject ? `/${encodeURIComponent(fault.subject)}` : "";
  return (
    <Link class="button plain" to={`${page.to}${meters}${one}`}>
      <span>{t("info.cure_open", { page: t(page.name) })}</span>{" "}
      <Icon name="arrow-right" size={18} />
    </Link>
  );
}

// --- the four figures ----------------------------------------------------------------------------

function Figures({ shot }: { shot: Snapshot }) {
  const { site, plan } = shot;
  const { free, offered, phase, limit } = headroom(siteRoom(shot));
  const building = plan.building_ma;
  const { buildingW, chargersW } = powers(shot);
  const top = building ? highest(building) : null;
  return (
    <section class="figures" aria-label={t("info.figures")}>
      <Figure
        icon="zap"
        name={t("info.charging")}
        value={kwOf(chargersW)}
        unit="kW"
        more={say("info.sessions", { n: site.sessions })}
      />
      <Figure
        icon="activity"
        name={t("info.free")}
        value={ampsOf(Math.max(0, free))}
        unit="A"
        more={t(plan.stopped ? "info.free_stopped" : "info.free_on", {
          phase: phaseName(phase),
          limit: amps(limit),
          offered: offered > 0 ? amps(offered) : null,
        })}
      />
      <Figure
        icon="building"
        name={t("info.building")}
        value={buildingW === null ? "–" : kwOf(buildingW)}
        unit={buildingW === null ? "" : "kW"}
        more={
          top === null
            ? t(shot.meter.enabled ? "info.building_lost" : "info.building_none")
            : (buildingW ?? 0) < 0
              ? t("info.exporting")
              : t("info.building_max", { phase: phaseName(top.phase), amps: amps(top.ma) })
        }
      />
      <Figure
        icon="plug-zap"
        name={t("info.energy")}
        value={kwhOf(site.energy_today_wh)}
        unit="kWh"
        more={t("info.energy_more")}
      />
    </section>
  );
}

const LONG = 5; // characters of a figure: more are written smaller

interface FigureProps {
  icon: IconName;
  name: string;
  value: string;
  unit: string;
  more: string;
}

function Figure({ icon, name, value, unit, more }: FigureProps) {
  return (
    <div class="figure-card">
      <span class="figure-name">
        <Icon name={icon} size={18} /> {name}
      </span>
      <span class={`figure-value figure${value.length > LONG ? " long" : ""}`}>
        {value}
        <small> {unit}</small>
      </span>
      <span class="second">{more}</span>
    </div>
  );
}

// --- groups and connectors -----------------------------------------------------------------------

type View = "tiles" | "table";
const chosenView = signal<View | null>(kept("info.view") as View | null);

function Groups({ shot }: { shot: Snapshot }) {
  const all = points(shot);
  const groups: GroupView[] = shot.groups ?? [];
  const view = chosenView.value ?? (all.length > TABLE_ABOVE ? "table" : "tiles");
  const choose = (chosen: View) => {
    chosenView.value = chosen;
    keep("info.view", chosen);
  };
  return (
    <section class="groups" aria-labelledby="groups-title">
      <header class="groups-head">
        <h2 id="groups-title">{t("groups.title")}</h2>
        <Choices
          label={t("view.label")}
          value={view}
          onChange={choose}
          choices={[
            { value: "tiles", text: t("view.tiles"), icon: "layout-grid" },
            { value: "table", text: t("view.table"), icon: "rows-3" },
          ]}
        />
      </header>
      {!all.length && (
        <Card class="empty">
          <Icon name="plug" size={32} />
          <p>
            <b>{t("groups.none")}</b>
          </p>
          <p class="second">{t("groups.none_more")}</p>
        </Card>
      )}
      {(all.length > 0 || groups.length > 0) &&
        branches(all, groups).map((branch) => (
          <GroupPart
            key={branch.name ?? "*loose"}
            branch={branch}
            shot={shot}
            view={view}
          />
        ))}
      <TickedBar shot={shot} />
    </section>
  );
}

interface PartProps {
  branch: Branch;
  shot: Snapshot;
  view: View;
}

function GroupPart({ branch, shot, view }: PartProps) {
  const voltage = shot.site.voltage_mv;
  const title = branch.name ?? t("groups.loose");
  return (
    <section class="group" aria-label={title}>
      <GroupHead branch={branch} title={title} shot={shot} />
      {!branch.points.length && <p class="second group-empty">{fedWords(branch, shot)}</p>}
      {branch.points.length > 0 && view === "tiles" && (
        <ul class="tiles">
          {branch.points.map((point) => (
            <Steady key={point.key} same={sameness(point, voltage)}>
              <Tile point={point} voltage={voltage} />
            </Steady>
          ))}
        </ul>
      )}
      {branch.points.length > 0 && view === "table" && (
        <PointTable branch={branch} voltage={voltage} title={title} />
      )}
    </section>
  );
}

/** A group without chargers of its own: what it feeds. */
function fedWords(branch: Branch, shot: Snapshot): string {
  const fed = (shot.groups ?? []).filter((group) => group.parent === branch.name);
  const names = fed.map((group) => group.name).join(", ");
  return fed.length && branch.name !== null ? t("groups.feeds", { names }) : t("groups.empty");
}

function GroupHead({ branch, title, shot }: { branch: Branch; title: string; shot: Snapshot }) {
  const room = groupRoom(shot, branch);
  return (
    <header class="group-head">
      <h3>
        {title}
        {branch.group?.parent && (
          <span class="second"> {t("groups.fed", { parent: branch.group.parent })}</span>
        )}
      </h3>
      {room ? (
        <RoomLine room={headroom(room)} />
      ) : (
        <span class="group-words second">
          {t("groups.total", { power: kw(togetherW(branch.under, shot.site.voltage_mv)) })}
        </span>
      )}
    </header>
  );
}

/** What can be done with the ticked: the manual's High Priority, Balanced, Delete. */
function TickedBar({ shot }: { shot: Snapshot }) {
  const chosen = shot.chargers.filter((charger) => ticked.value.has(charger.id));
  if (!chosen.length || level() < INSTALLER) return null;
  const ids = chosen.map((charger) => charger.id);
  const clear = () => tick(ids, false);
  const edit = () => {
    const only = ids[0] ?? "";
    go(
      ids.length === 1
        ? `/chargers/${encodeURIComponent(only)}`
        : `/chargers/edit?${new URLSearchParams(ids.map((id) => ["id", id]))}`,
    );
  };
  return (
    <div class="ticked-bar" role="region" aria-label={say("ticked.n", { n: ids.length })}>
      <b>{say("ticked.n", { n: ids.length })}</b>
      <div class="ticked-acts">
        <Button acts icon="star" onClick={() => void setPriority(ids, "high")}>
          {t("ticked.high")}
        </Button>
        <Button acts icon="undo-2" onClick={() => void setPriority(ids, "normal")}>
          {t("ticked.balanced")}
        </Button>
        <Button icon="pencil" onClick={edit}>
          {t("ticked.edit")}
        </Button>
        <Button acts kind="danger" icon="trash" onClick={() => askDelete(chosen, clear)}>
          {t("ticked.delete")}
        </Button>
        <Button kind="quiet" icon="x" label={t("ticked.clear")} onClick={clear} />
      </div>
    </div>
  );
}

// --- all the manual's figures --------------------------------------------------------------------

const detailed = signal(kept("info.details") === "open");

function Details({ shot }: { shot: Snapshot }) {
  const toggled = (open: boolean) => {
    detailed.value = open;
    keep("info.details", open ? "open" : "shut");
  };
  return (
    <details
      class="card details"
      open={detailed.value}
      onToggle={(event) => toggled(event.currentTarget.open)}
    >
      <summary>
        <h2>{t("details.title")}</h2> <Icon name="chevron-down" />
      </summary>
      {detailed.value && (
        <div class="details-parts">
          <SiteFacts shot={shot} />
          <PowerTable shot={shot} />
          <Transactions shot={shot} />
          <GroupTotals shot={shot} />
        </div>
      )}
    </details>
  );
}

function Facts({ facts }: { facts: readonly [Key, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{t(name)}</dt>
          <dd class="figure">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function SiteFacts({ shot }: { shot: Snapshot }) {
  const { site } = shot;
  const of = (n: number, total: number) => t("details.of", { n, total });
  const identify = () => {
    call("POST", "/identify").then(
      () => announce(t("details.identified")),
      (problem) => announce(inWords(problem), true),
    );
  };
  return (
    <section>
      <h3>{t("details.site")}</h3>
      <Facts
        facts={[
          ["details.connected", of(site.chargers_connected, site.chargers_configured)],
          ["details.licences", of(site.licences_used, site.licences_total)],
          ["details.uptime", uptime(site.uptime_s)],
          ["details.system_uptime", uptime(site.system_uptime_s)],
          ["details.fifo", t(site.fifo ? "details.fifo_on" : "details.fifo_off")],
          ["details.csms", site.csms || t("conf.csms_none")],
          ["details.serial", site.serial || "–"],
          ["details.version", site.version],
          ["details.plan", t("details.plan_ms", { a: site.plan_ms_p50, b: site.plan_ms_p99 })],
        ]}
      />
      {level() >= INSTALLER && (
        <p>
          <Button acts icon="lightbulb" onClick={identify}>
            {t("details.identify")}
          </Button>{" "}
          <span class="second">{t("details.identify_more")}</span>
        </p>
      )}
    </section>
  );
}

interface Line {
  name: string;
  ma?: Phases | null;
  w?: number; // where it is not what the amps give
  texts?: string[];
}

function powerLines(shot: Snapshot): Line[] {
  const { site, plan, meter } = shot;
  const room = siteRoom(shot);
  const unused = [0, 1, 2].map((i) =>
    Math.max(0, headroomOn(room, i).free),
  ) as Phases;
  const stopped = plan.stopped ? cause(plan.stopped) : null;
  const lines: Line[] = [
    { name: t("details.used"), ma: site.used_ma, w: togetherW(points(shot), site.voltage_mv) },
    { name: t("details.available", { stopped }), ma: plan.budget_ma },
    { name: t("details.free"), ma: unused },
    { name: t(plan.degraded || plan.held ? "details.limit_degraded" : "details.limit"), ma: plan.limit_ma },
    { name: t("details.site_limit"), ma: setLimit(shot) },
    { name: t("details.reserved"), ma: plan.reserved_ma },
    { name: t("details.building"), ma: plan.building_ma },
    { name: t("details.voltage"), texts: site.voltage_mv.map(volts) },
  ];
  if (!meter.enabled) return lines;
  const read = meter.voltage_mv.map((mv) => (mv === null ? "–" : volts(mv)));
  return [
    ...lines,
    { name: t("details.meter_current"), ma: meter.current_ma },
    { name: t("details.meter_voltage"), texts: read },
  ];
}

function PowerTable({ shot }: { shot: Snapshot }) {
  const { meter } = shot;
  return (
    <section>
      <h3>{t("details.power")}</h3>
      <div class="table-scroll" tabIndex={0} role="group" aria-label={t("details.power")}>
        <table class="power">
          <thead>
            <tr>
              <th scope="col">{t("details.row")}</th>
              {PHASES.map((name, i) => (
                <th scope="col" class="num" key={name}>
                  <PhaseTag place={i} />
                </th>
              ))}
              <th scope="col" class="num">
                {t("details.total")}
              </th>
            </tr>
          </thead>
          <tbody>
            {powerLines(shot).map((line) => (
              <tr key={line.name}>
                <th scope="row">{line.name}</th>
                {[0, 1, 2].map((i) => (
                  <td class="num" key={i}>
                    {line.texts?.[i] ??
                      (line.ma ? t("unit.a", { v: ampsColumn(line.ma[i] ?? 0) }) : "–")}
                  </td>
                ))}
                <td class="num">
                  {line.ma ? kw(line.w ?? powerW(line.ma, shot.site.voltage_mv)) : ""}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {meter.enabled && (
        <p class="second">
          {t("details.meter", { name: meter.name })} · {t("details.meter_age")}:{" "}
          {meter.age_s === null
            ? t("meter.never")
            : t("details.meter_ago", { s: Math.round(meter.age_s * 10) / 10 })}
          {meter.error && ` · ${meter.error}`}
        </p>
      )}
    </section>
  );
}

function GroupTotals({ shot }: { shot: Snapshot }) {
  const made = branches(points(shot), shot.groups ?? []);
  const voltage = shot.site.voltage_mv;
  return (
    <section>
      <h3>{t("details.groups")}</h3>
      <div class="table-scroll" tabIndex={0} role="group" aria-label={t("details.groups")}>
        <table class="power">
          <thead>
            <tr>
              <th scope="col">{t("details.group")}</th>
              {PHASES.map((name, i) => (
                <th scope="col" class="num" key={name}>
                  <PhaseTag place={i} />
                </th>
              ))}
              <th scope="col" class="num">
                {t("details.total")}
              </th>
              <th scope="col" class="num">
                {t("phases.limit")}
              </th>
            </tr>
          </thead>
          <tbody>
            {[
              ...made.map(
                (branch) =>
                  [
                    branch.name ?? t("groups.loose"),
                    branch.drawn,
                    togetherW(branch.under, voltage),
                    branch.group?.limit_ma,
                  ] as const,
              ),
              [
                t("details.total"),
                shot.site.used_ma,
                togetherW(points(shot), voltage),
                undefined,
              ] as const,
            ].map(([name, drawn, watts, limit], i) => (
              <tr key={i}>
                <th scope="row">{name}</th>
                {drawn.map((ma, phase) => (
                  <td class="num" key={phase}>
                    {t("unit.a", { v: ampsColumn(ma) })}
                  </td>
                ))}
                <td class="num">{kw(watts)}</td>
                <td class="num">{limit === undefined ? "" : amps(limit)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Transactions({ shot }: { shot: Snapshot }) {
  const running = points(shot).filter((point) => point.connector.transaction_id !== null);
  return (
    <section>
      <h3>{t("details.transactions")}</h3>
      {!running.length && <p class="second">{t("details.no_transactions")}</p>}
      {running.length > 0 && (
        <dl class="facts">
          {running.map((point) => (
            <div key={point.key}>
              <dt>
                {point.title}
                {point.several && ` · ${t("tile.connector", { id: point.connector.id })}`}
              </dt>
              <dd class="figure">{point.connector.transaction_id}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}
