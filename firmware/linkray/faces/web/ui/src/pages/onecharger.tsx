// One charger beyond its settings: its OCPP keys, its messages, what was offered, what it may do.

import { Fragment } from "preact";
import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { moment } from "../format";
import { given, has, number, say, t, type Key } from "../i18n";
import { snapshot } from "../live";
import { Button, Card, Icon, Link, Note } from "../parts/basics";
import { askDanger, inWords } from "../parts/dialog";
import { Changes } from "../parts/explain";
import { Field, Select, TextInput } from "../parts/fields";
import { nameOf, points } from "../site";
import type { Charger, ChargerKey, ChargerSaid, DiagnosticsView } from "../words";
import { OcppLog } from "./debug";

/** Narrow screens scroll the tabs: the one that is shown is in sight. */
export function useTabInSight(tab: string): void {
  useEffect(() => {
    const current = document.querySelector(".tabs [aria-current]");
    current?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [tab]);
}

export const CHARGER_TABS: readonly { id: string; name: Key }[] = [
  { id: "status", name: "charger.status" },
  { id: "configuration", name: "charger.configuration" },
  { id: "messages", name: "charger.messages" },
  { id: "history", name: "charger.history" },
];

const OVERVIEWS = ["adopt", "groups", "firmware", "edit"]; // no charger's name at that place

/** Where a charger's page is; one that is called like a tab of all chargers says its own tab. */
export function chargerPath(id: string, tab = "status"): string {
  const own = `/chargers/${encodeURIComponent(id)}`;
  return tab === "status" && !OVERVIEWS.includes(id) ? own : `${own}/${tab}`;
}

const apiPath = (id: string): string => `/chargers/${encodeURIComponent(id)}`;
const sessionsOf = (seen: Charger, connector = 0): number =>
  seen.connectors.filter((c) => c.transaction_id !== null && (!connector || c.id === connector))
    .length;

/** What was sent, and what came of it. */
interface Step {
  sent: boolean;
  ok: boolean;
  text: string;
}

function Told({ step }: { step: Step | null }) {
  if (!step) return null;
  return (
    <p class={`told ${step.sent ? "" : step.ok ? "ok" : "fault"}`} role="status">
      <Icon name={step.sent ? "hourglass" : step.ok ? "circle-check" : "circle-x"} size={18} />
      <span>{step.sent ? t("charger.sent") : t("charger.answered", { word: step.text })}</span>
    </p>
  );
}

// --- OCPP configuration --------------------------------------------------------------------------

export function KeysTab({ seen }: { seen: Charger }) {
  const [keys, setKeys] = useState<readonly ChargerKey[] | null>(null);
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const read = async () => {
    setBusy(true);
    try {
      const path = `${apiPath(seen.id)}/configuration`;
      setKeys((await call<ChargerKey[]>("GET", path, undefined, { charger: true })).body);
      setFailed("");
    } catch (problem) {
      setFailed(inWords(problem));
    }
    setBusy(false);
  };
  useEffect(() => {
    if (seen.connected) void read();
  }, [seen.id, seen.connected]);
  const changed = (key: string, value: string) =>
    setKeys((old) => old?.map((one) => (one.key === key ? { ...one, value } : one)) ?? null);
  const mine = keys?.filter((one) => !one.readonly && !one.ours) ?? [];
  const ours = keys?.filter((one) => one.ours) ?? [];
  const fixed = keys?.filter((one) => one.readonly && !one.ours) ?? [];
  return (
    <>
      <div class="log-bar">
        <p class="second">{t("keys.more")}</p>
        <Button acts icon="refresh-cw" busy={busy} onClick={() => void read()}>
          {t("keys.again")}
        </Button>
      </div>
      {!seen.connected && <Note tone="limited">{t("keys.away")}</Note>}
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {busy && !keys && <p role="status">{t("keys.reading")}</p>}
      {keys && (
        <>
          <Card title={t("keys.yours", { n: number(mine.length, 0) })}>
            <ul class="keys">
              {mine.map((one) => (
                <KeyForm key={one.key} one={one} seen={seen} onChanged={changed} />
              ))}
            </ul>
            <OtherKey seen={seen} onChanged={() => void read()} />
          </Card>
          <Card title={t("keys.ours")}>
            <p class="second">{t("keys.ours_more")}</p>
            <Fixed keys={ours} />
          </Card>
          <Card title={t("keys.fixed", { n: number(fixed.length, 0) })}>
            <Fixed keys={fixed} />
          </Card>
        </>
      )}
    </>
  );
}

function Fixed({ keys }: { keys: readonly ChargerKey[] }) {
  return (
    <ul class="keys">
      {keys.map((one) => {
        const why = `okey.${one.key.toLowerCase()}`;
        return (
          <li key={one.key}>
            <b class="key-name">
              <Icon name="lock" size={16} /> {one.key}
            </b>
            <span class="key-value">
              {one.secret ? t("keys.secret") : <Listed text={one.value ?? "–"} />}
            </span>
            {one.ours && has(why) && <span class="second">{say(why)}</span>}
          </li>
        );
      })}
    </ul>
  );
}

/** A list breaks after its commas. */
function Listed({ text }: { text: string }) {
  return text.split(",").map((part, place) => (
    <Fragment key={place}>
      {place > 0 && (
        <>
          ,<wbr />
        </>
      )}
      {part}
    </Fragment>
  ));
}

interface KeyProps {
  one: ChargerKey;
  seen: Charger;
  onChanged: (key: string, value: string) => void;
}

/** Sends ChangeConfiguration and says what the charger answered: nothing is pretended. */
async function change(charger: string, key: string, value: string): Promise<Step> {
  try {
    const path = `${apiPath(charger)}/configuration`;
    const told = await call<ChargerSaid>("PUT", path, { key, value }, { charger: true });
    const word = `said.${told.body.status}`;
    return { sent: false, ok: true, text: has(word) ? say(word) : told.body.status };
  } catch (problem) {
    return { sent: false, ok: false, text: inWords(problem) };
  }
}

function KeyForm({ one, seen, onChanged }: KeyProps) {
  const [text, setText] = useState(one.value ?? "");
  const [step, setStep] = useState<Step | null>(null);
  useEffect(() => setText(one.value ?? ""), [one.value]);
  const send = async (event: Event) => {
    event.preventDefault();
    setStep({ sent: true, ok: true, text: "" });
    const came = await change(seen.id, one.key, text);
    setStep(came);
    if (came.ok) onChanged(one.key, text);
  };
  return (
    <li>
      <form class="key-form" onSubmit={(event) => void send(event)}>
        <Field label={one.key}>
          {(ids) => (
            <TextInput id={ids.id} value={text} maxLength={500} onValue={setText} />
          )}
        </Field>
        <Button
          acts
          type="submit"
          label={t("keys.change_of", { key: one.key })}
          disabled={text === (one.value ?? "") || Boolean(step?.sent)}
        >
          {t("keys.change")}
        </Button>
      </form>
      <Told step={step} />
    </li>
  );
}

/** A key that the charger did not list: some makes hide theirs. */
function OtherKey({ seen, onChanged }: { seen: Charger; onChanged: () => void }) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [step, setStep] = useState<Step | null>(null);
  const send = async (event: Event) => {
    event.preventDefault();
    setStep({ sent: true, ok: true, text: "" });
    const came = await change(seen.id, key.trim(), value);
    setStep(came);
    if (came.ok) onChanged();
  };
  return (
    <details class="details other-key">
      <summary>
        {t("keys.other")} <Icon name="chevron-down" />
      </summary>
      <form class="key-form two" onSubmit={(event) => void send(event)}>
        <Field label={t("keys.key")}>
          {(ids) => <TextInput id={ids.id} value={key} maxLength={50} onValue={setKey} />}
        </Field>
        <Field label={t("keys.value")}>
          {(ids) => <TextInput id={ids.id} value={value} maxLength={500} onValue={setValue} />}
        </Field>
        <Button acts type="submit" disabled={!key.trim() || Boolean(step?.sent)}>
          {t("keys.send")}
        </Button>
      </form>
      <Told step={step} />
    </details>
  );
}

// --- messages and history ------------------------------------------------------------------------

export function MessagesTab({ id }: { id: string }) {
  return <OcppLog only={id} />;
}

export function HistoryTab({ id }: { id: string }) {
  const shot = snapshot.value;
  const own = shot ? points(shot).filter((point) => point.charger.id === id) : [];
  const seen = own[0]?.charger;
  return (
    <>
      {seen && (
        <Card title={t("history.charger")}>
          <dl class="facts rows">
            <div>
              <dt>{t("history.link")}</dt>
              <dd>{seen.since ? moment(seen.since) : t("passport.none")}</dd>
            </div>
            <div>
              <dt>{t("passport.firmware")}</dt>
              <dd>
                {seen.firmware || t("passport.none")}
                {seen.firmware_since && (
                  <span class="second">
                    {" "}
                    {t("history.since", { time: moment(seen.firmware_since) })}
                  </span>
                )}
              </dd>
            </div>
            {seen.notes.length > 0 && (
              <div>
                <dt>{t("passport.notes")}</dt>
                <dd>{seen.notes.map((one) => given(one)).join(" · ")}</dd>
              </div>
            )}
          </dl>
          <p>
            <Link class="text-link" to={chargerPath(id, "messages")}>
              {t("history.messages")} <Icon name="arrow-right" size={18} />
            </Link>
          </p>
        </Card>
      )}
      {own.map((point) => (
        <Card
          key={point.key}
          title={t("history.connector", { n: String(point.connector.id) })}
          class="history"
        >
          <Changes point={point} />
        </Card>
      ))}
      {!own.length && <p class="second">{t("explain.history_none")}</p>}
    </>
  );
}

// --- what it may be asked to do ------------------------------------------------------------------

const TRIGGERS = [
  "StatusNotification",
  "MeterValues",
  "Heartbeat",
  "BootNotification",
  "FirmwareStatusNotification",
  "DiagnosticsStatusNotification",
];

export function Acts({ seen }: { seen: Charger }) {
  const [step, setStep] = useState<Step | null>(null);
  const [message, setMessage] = useState(TRIGGERS[0] ?? "");
  const send = async (body: Record<string, unknown>): Promise<string> => {
    const path = `${apiPath(seen.id)}/act`;
    const told = await call<ChargerSaid>("POST", path, body, { charger: true });
    const word = `said.${told.body.status}`;
    return has(word) ? say(word) : told.body.status;
  };
  const act = async (body: Record<string, unknown>) => {
    setStep({ sent: true, ok: true, text: "" });
    try {
      setStep({ sent: false, ok: true, text: await send(body) });
    } catch (problem) {
      setStep({ sent: false, ok: false, text: inWords(problem) });
    }
  };
  const ask = (kind: "reset_soft" | "reset_hard" | "unlock" | "inoperative", connector = 0) =>
    askDanger({
      title: t(`act.${kind}_title`, { name: nameOf(seen), n: String(connector) }),
      body: t(`act.${kind}_body`),
      sessions: sessionsOf(seen, connector),
      verb: t(`act.${kind}`),
      act: async () => {
        const word = await send({ act: kind, connector });
        setStep({ sent: false, ok: true, text: word });
        return t("charger.answered", { word });
      },
    });
  if (!seen.connected) return null;
  return (
    <Card title={t("act.title")} class="acts-card">
      <div class="note-acts">
        <Button acts icon="refresh-cw" onClick={() => ask("reset_soft")}>
          {t("act.reset_soft")}
        </Button>
        <Button acts kind="danger" icon="refresh-cw" onClick={() => ask("reset_hard")}>
          {t("act.reset_hard")}
        </Button>
        <Button acts icon="undo-2" onClick={() => void act({ act: "clear_cache" })}>
          {t("act.clear_cache")}
        </Button>
      </div>
      <ul class="connector-acts">
        {seen.connectors.map(({ id, status }) => (
          <li key={id}>
            <b>{t("history.connector", { n: String(id) })}</b>
            <span class="note-acts">
              <Button small acts icon="unplug" onClick={() => ask("unlock", id)}>
                {t("act.unlock")}
              </Button>
              {status === "Unavailable" ? (
                <Button
                  small
                  acts
                  icon="circle-check"
                  onClick={() => void act({ act: "operative", connector: id })}
                >
                  {t("act.operative")}
                </Button>
              ) : (
                <Button small acts icon="ban" onClick={() => ask("inoperative", id)}>
                  {t("act.inoperative")}
                </Button>
              )}
            </span>
          </li>
        ))}
      </ul>
      <div class="key-form">
        <Field label={t("act.trigger_what")}>
          {(ids) => (
            <Select
              id={ids.id}
              value={message}
              choices={TRIGGERS.map((one) => ({ value: one, text: one }))}
              onChange={setMessage}
            />
          )}
        </Field>
        <Button acts onClick={() => void act({ act: "trigger", message })}>
          {t("act.trigger")}
        </Button>
      </div>
      <Told step={step} />
      <Diagnostics seen={seen} />
    </Card>
  );
}

const LOOK_MS = 3_000;

/** Asked for, left by the charger, downloaded here. */
function Diagnostics({ seen }: { seen: Charger }) {
  const [left, setLeft] = useState<DiagnosticsView | null>(null);
  const [failed, setFailed] = useState("");
  const read = () =>
    call<DiagnosticsView[]>("GET", "/charger-diagnostics").then(
      (answer) => setLeft(answer.body.find((one) => one.charger === seen.id) ?? null),
      () => undefined,
    );
  const waits = left !== null && ["sent", "Uploading", "Uploaded"].includes(left.state);
  useEffect(() => {
    void read();
    if (!waits) return undefined;
    const timer = setInterval(() => void read(), LOOK_MS);
    return () => clearInterval(timer);
  }, [seen.id, waits]);
  const ask = async () => {
    setFailed("");
    try {
      await call("POST", `${apiPath(seen.id)}/diagnostics`, undefined, { charger: true });
    } catch (problem) {
      setFailed(inWords(problem));
    }
    await read();
  };
  return (
    <section class="diagnostics">
      <h3>{t("diag.title")}</h3>
      {failed && <Note tone="fault">{failed}</Note>}
      {left && (
        <p class="second">
          {say(`diag.${left.state}`)} · {moment(left.at)}
        </p>
      )}
      <div class="note-acts">
        <Button acts icon="upload" onClick={() => void ask()}>
          {t("diag.ask")}
        </Button>
        {left?.state === "kept" && (
          <a class="button plain" href={`/api/v1${apiPath(seen.id)}/diagnostics`} download>
            <Icon name="download" />{" "}
            <span>
              {t("diag.download")}{" "}
              <span class="second">
                {t("debug.kib", { v: number(Math.max(1, left.size_bytes / 1024), 0) })}
              </span>
            </span>
          </a>
        )}
      </div>
    </section>
  );
}
