// Admin: parts started anew, what is kept safe, the clock, the logs and the maintenance report.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { clock, duration, exactly, moment } from "../format";
import { given, say, t, type Key } from "../i18n";
import { known, snapshot } from "../live";
import { Badge, Button, Card, Choices, Icon, Link, Note } from "../parts/basics";
import { announce, askDanger, inWords } from "../parts/dialog";
import { Field, Select } from "../parts/fields";
import { ReportLinks } from "../parts/report";
import { go, query, segments } from "../route";
import { byName, nameOf } from "../site";
import { byWhom } from "../why";
import type { Charger, RestartsRead } from "../words";

const AGAIN_MS = 5_000;

interface Tab {
  id: string;
  name: Key;
  show: ComponentType;
}

const TABS: readonly Tab[] = [
  { id: "restart", name: "admin.restart", show: RestartTab },
  { id: "backup", name: "admin.backup", show: BackupTab },
  { id: "time", name: "admin.time", show: TimeTab },
  { id: "logs", name: "admin.logs", show: LogsTab },
];

export function Admin() {
  const [, which] = segments();
  const tab = TABS.find((one) => one.id === which) ?? TABS[0];
  const Show = tab?.show ?? RestartTab;
  return (
    <>
      <h1>{t("nav.admin")}</h1>
      <nav class="tabs" aria-label={t("admin.tabs")}>
        {TABS.map((one) => (
          <Link key={one.id} to={`/admin/${one.id}`} current={one === tab}>
            {t(one.name)}
          </Link>
        ))}
      </nav>
      <Show />
    </>
  );
}

function useRestarts(): { told: RestartsRead | null; failed: string; again: () => void } {
  const [told, setTold] = useState<RestartsRead | null>(null);
  const [failed, setFailed] = useState("");
  const [round, setRound] = useState(0);
  useEffect(() => {
    let wanted = true;
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      try {
        if (!document.hidden) {
          const { body } = await call<RestartsRead>("GET", "/restarts");
          if (wanted) setTold(body);
        }
        if (wanted) setFailed("");
      } catch (problem) {
        if (wanted) setFailed(inWords(problem));
      }
      if (wanted) timer = setTimeout(() => void ask(), AGAIN_MS);
    };
    void ask();
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [round]);
  return { told, failed, again: () => setRound((n) => n + 1) };
}

function Failed({ text }: { text: string }) {
  return text ? (
    <Note tone="fault" live>
      {text}
    </Note>
  ) : null;
}

// --- restart -------------------------------------------------------------------------------------

const sessions = (): number => snapshot.peek()?.site.sessions ?? 0;

function askPages(): void {
  askDanger({
    title: t("admin.pages_title"),
    body: say("admin.pages_body", { n: sessions() }),
    sessions: null,
    verb: t("admin.pages_do"),
    act: async () => {
      await call("POST", "/restarts", { part: "web" });
      return t("admin.pages_done");
    },
  });
}

function askControl(whenIdle: boolean, done: () => void): void {
  askDanger({
    title: t(whenIdle ? "admin.control_idle_title" : "admin.control_title"),
    body: say(whenIdle ? "admin.control_idle_body" : "admin.control_body", { n: sessions() }),
    sessions: null,
    calm: whenIdle,
    verb: t(whenIdle ? "admin.idle" : "admin.now"),
    act: async () => {
      await call("POST", "/restarts", { part: "control", when_idle: whenIdle });
      done();
      return t(whenIdle ? "admin.idle_done" : "admin.control_done");
    },
  });
}

function askCharger(charger: Charger, kind: string, whenIdle: boolean, done: () => void): void {
  const name = nameOf(charger);
  const running = charger.connectors.filter((one) => one.transaction_id !== null).length;
  askDanger({
    title: t(whenIdle ? "admin.charger_idle_title" : "admin.charger_title", { name }),
    body: whenIdle
      ? t("admin.charger_idle_body")
      : t(kind === "reset_hard" ? "admin.hard_more" : "admin.soft_more"),
    sessions: whenIdle ? null : running,
    calm: whenIdle,
    verb: t(whenIdle ? "admin.idle" : "admin.now"),
    act: async () => {
      const path = `/chargers/${encodeURIComponent(charger.id)}/act`;
      await call("POST", path, { act: kind, when_idle: whenIdle }, { charger: true });
      done();
      return whenIdle ? t("admin.idle_done") : t("admin.charger_done", { name });
    },
  });
}

function RestartTab() {
  const { told, failed, again } = useRestarts();
  return (
    <>
      <Failed text={failed} />
      {told && told.pending.length > 0 && <Waiting told={told} again={again} />}
      <div class="pair">
        <Card title={t("admin.control")}>
          <p class="second">{t("admin.control_more")}</p>
          <p class="note-acts">
            <Button acts icon="refresh-cw" onClick={() => askControl(false, again)}>
              {t("admin.now")}
            </Button>
            <Button acts icon="hourglass" onClick={() => askControl(true, again)}>
              {t("admin.idle")}
            </Button>
          </p>
        </Card>
        <Card title={t("admin.pages")}>
          <p class="second">{t("admin.pages_more")}</p>
          <p class="note-acts">
            <Button acts icon="refresh-cw" onClick={askPages}>
              {t("admin.pages_do")}
            </Button>
          </p>
        </Card>
        <OneCharger again={again} />
        <Card title={t("admin.box")}>
          <p class="second">
            {t(snapshot.value?.site.simulated ? "admin.box_simulated" : "admin.box_none")}
          </p>
        </Card>
      </div>
      {told && <Starts told={told} />}
    </>
  );
}

function OneCharger({ again }: { again: () => void }) {
  const [kind, setKind] = useState<"reset_soft" | "reset_hard">("reset_soft");
  const all = byName(snapshot.value?.chargers ?? []);
  const chosen = all.find((one) => one.id === query("charger")) ?? null;
  const why = !chosen
    ? t("admin.charger_choose")
    : chosen.connected
      ? undefined
      : t("admin.charger_away");
  return (
    <Card title={t("admin.charger")}>
      <p class="second">{t("admin.charger_more")}</p>
      <Field label={t("admin.charger_which")}>
        {({ id }) => (
          <Select
            id={id}
            value={chosen?.id ?? ""}
            choices={[
              { value: "", text: t("admin.charger_choose") },
              ...all.map((one) => ({ value: one.id, text: nameOf(one) })),
            ]}
            onChange={(charger) =>
              go(`/admin/restart${charger ? `?${new URLSearchParams({ charger })}` : ""}`, true)
            }
          />
        )}
      </Field>
      <Choices
        label={t("admin.charger_kind")}
        value={kind}
        choices={[
          { value: "reset_soft", text: t("admin.soft") },
          { value: "reset_hard", text: t("admin.hard") },
        ]}
        onChange={setKind}
      />
      <p class="second">{t(kind === "reset_hard" ? "admin.hard_more" : "admin.soft_more")}</p>
      <p class="note-acts">
        <Button
          acts
          icon="refresh-cw"
          why={why}
          onClick={() => chosen && askCharger(chosen, kind, false, again)}
        >
          {t("admin.now")}
        </Button>
        <Button
          acts
          icon="hourglass"
          why={why}
          onClick={() => chosen && askCharger(chosen, kind, true, again)}
        >
          {t("admin.idle")}
        </Button>
      </p>
    </Card>
  );
}

function Waiting({ told, again }: { told: RestartsRead; again: () => void }) {
  const nameBy = (id: string) => {
    const charger = snapshot.value?.chargers.find((one) => one.id === id);
    return charger ? nameOf(charger) : id;
  };
  const callOff = async (charger: string) => {
    try {
      await call("POST", "/restarts/cancel", { charger });
      announce(t("admin.called_off"));
    } catch (problem) {
      announce(inWords(problem), true);
    }
    again();
  };
  return (
    <Card title={t("admin.waiting")}>
      <ul class="alert-list">
        {told.pending.map((one) => (
          <li key={one.charger} class="waits">
            <span class="alert-words">
              {t("admin.waits", {
                what: one.charger
                  ? t("admin.waits_charger", {
                      name: nameBy(one.charger),
                      kind: t(one.kind === "reset_hard" ? "act.reset_hard" : "act.reset_soft"),
                    })
                  : t("admin.waits_control"),
                by: byWhom(one.by) ?? one.by,
                time: moment(one.since),
              })}
            </span>
            <Button icon="x" onClick={() => void callOff(one.charger)}>
              {t("admin.call_off")}
            </Button>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Starts({ told }: { told: RestartsRead }) {
  return (
    <Card title={t("admin.starts")}>
      <ol class="alert-list">
        {told.began.map((one) => (
          <li key={one.at}>
            <time class="figure" dateTime={one.at}>
              {exactly(one.at)}
            </time>
            <div class="alert-words">
              <span>{given(one.why)}</span>
              <span class="second">
                {one.updated_from
                  ? t("admin.updated", { version: one.version, from: one.updated_from })
                  : t("admin.version", { version: one.version })}
              </span>
            </div>
          </li>
        ))}
      </ol>
    </Card>
  );
}

// --- backup --------------------------------------------------------------------------------------

function BackupTab() {
  return (
    <div class="pair">
      <Card title={t("admin.settings")}>
        <p class="second">{t("admin.settings_more")}</p>
        <p class="note-acts">
          <a class="button plain" href="/api/v1/settings/export" download="linkray-settings.json">
            <Icon name="download" /> <span>{t("admin.settings_get")}</span>
          </a>
          <Link class="button plain" to="/configuration/files">
            <span>{t("admin.settings_put")}</span> <Icon name="arrow-right" size={18} />
          </Link>
        </p>
      </Card>
      <Card title={t("admin.records")}>
        <p class="note-acts">
          <a class="button plain" href="/api/v1/alerts/export" download>
            <Icon name="download" /> <span>{t("admin.records_alerts")}</span>
          </a>
        </p>
      </Card>
      <Card title={t("admin.copies")}>
        <p class="second">{t("admin.copies_more")}</p>
      </Card>
    </div>
  );
}

// --- time ----------------------------------------------------------------------------------------

function TimeTab() {
  const shot = snapshot.value;
  if (!shot) return null;
  const at = new Date(shot.at);
  const unset = shot.faults.some((one) => one.code === "clock");
  return (
    <div class="pair">
      <Card
        title={t("admin.clock")}
        aside={
          <Badge
            state={
              !known.value
                ? { tone: "idle", icon: "circle-dashed", word: t("admin.clock_unknown") }
                : unset
                  ? { tone: "fault", icon: "circle-x", word: t("admin.clock_unset") }
                  : { tone: "ok", icon: "circle-check", word: t("admin.clock_set") }
            }
          />
        }
      >
        <dl class="facts rows">
          <div>
            <dt>{t("admin.clock_here")}</dt>
            <dd class="figure">{clock(at)}</dd>
          </div>
          <div>
            <dt>{t("admin.clock_utc")}</dt>
            <dd class="figure">{`${shot.at.slice(0, 10)} ${shot.at.slice(11, 19)}`}</dd>
          </div>
          <div>
            <dt>{t("admin.clock_zone")}</dt>
            <dd>{shot.site.time_zone}</dd>
          </div>
          <div>
            <dt>{t("admin.clock_off")}</dt>
            <dd>{apart(at)}</dd>
          </div>
        </dl>
        <p class="note-acts">
          <Link class="button plain" to="/configuration/site">
            <span>{t("admin.zone_change")}</span> <Icon name="arrow-right" size={18} />
          </Link>
        </p>
      </Card>
      <Card title={t("admin.servers")}>
        <p class="second">
          {t(shot.site.simulated ? "admin.servers_simulated" : "admin.servers_none")}
        </p>
      </Card>
    </div>
  );
}

const NEAR_S = 3; // a snapshot is a second old, and on its way for a while

/** How this device's clock stands to the box's. */
function apart(box: Date): string {
  const s = Math.round((Date.now() - box.getTime()) / 1000);
  if (!known.value) return t("admin.clock_unknown");
  if (Math.abs(s) <= NEAR_S) return t("admin.clock_same");
  const v = duration(Math.abs(s));
  return t(s > 0 ? "admin.clock_ahead" : "admin.clock_behind", { v });
}

// --- logs ----------------------------------------------------------------------------------------

function LogsTab() {
  const { told, failed, again } = useRestarts();
  const setLevel = async (extended: boolean) => {
    try {
      await call("PUT", "/log/level", { extended });
    } catch (problem) {
      announce(inWords(problem), true);
    }
    again();
  };
  return (
    <>
      <Failed text={failed} />
      <div class="pair">
        <Card title={t("admin.log")}>
          {told && (
            <Choices
              label={t("admin.log_level")}
              value={told.extended_log ? "extended" : "normal"}
              choices={[
                { value: "normal", text: t("admin.normal") },
                { value: "extended", text: t("admin.extended") },
              ]}
              onChange={(chosen) => void setLevel(chosen === "extended")}
            />
          )}
          <p class="second">{t("admin.log_more")}</p>
          <p class="note-acts">
            <a class="button plain" href="/api/v1/log/file" download>
              <Icon name="download" /> <span>{t("admin.log_text")}</span>
            </a>
            <a class="button plain" href="/api/v1/log/file?form=db" download>
              <Icon name="download" /> <span>{t("admin.log_db")}</span>
            </a>
            <Link class="button plain" to="/debug/log">
              <span>{t("admin.log_live")}</span> <Icon name="arrow-right" size={18} />
            </Link>
            <Link class="button plain" to="/debug/ocpp">
              <span>{t("admin.log_ocpp")}</span> <Icon name="arrow-right" size={18} />
            </Link>
          </p>
        </Card>
        <Card title={t("admin.report")}>
          <p class="second">{t("admin.report_more")}</p>
          <ReportLinks of="maintenance" />
        </Card>
        <Card title={t("walk.report")}>
          <p class="second">{t("walk.report_more")}</p>
          <ReportLinks of="commissioning" />
        </Card>
      </div>
    </>
  );
}
