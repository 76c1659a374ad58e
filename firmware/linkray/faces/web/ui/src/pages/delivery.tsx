// Delivery: where charge data records go by themselves, when next, and what became of those before.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { dayAndTime } from "../format";
import { given, say, t } from "../i18n";
import { Authority } from "../parts/authority";
import { Badge, Button, Card, Note } from "../parts/basics";
import { announce, inWords } from "../parts/dialog";
import { DraftBar, LoadFailed } from "../parts/draftbar";
import { Field, labelOf, Select, Setting } from "../parts/fields";
import { Password } from "../parts/password";
import { INSTALLER, level } from "../session";
import {
  base,
  draft,
  errorAt,
  fieldSchema,
  loadFailed,
  same,
  setValue,
  settle,
} from "../settings";
import type { State } from "../site";
import type { DeliverySettings, DeliveryTested, DeliveryView, Sending } from "../words";

const LOOK_MS = 3_000;
const SHOWN = 10;

export function DeliveryTab() {
  const may = level() >= INSTALLER;
  const [view, setView] = useState<DeliveryView | null>(null);
  const [failed, setFailed] = useState("");
  const [looks, setLooks] = useState(0);
  useEffect(() => {
    if (may) settle();
  }, []);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let over = false;
    const round = async () => {
      try {
        if (!document.hidden) setView((await call<DeliveryView>("GET", "/delivery")).body);
        setFailed("");
      } catch (problem) {
        setFailed(inWords(problem));
      }
      if (!over) timer = setTimeout(() => void round(), LOOK_MS);
    };
    void round();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [looks]);
  const again = () => setLooks((count) => count + 1);
  return (
    <>
      {failed && <Note tone="fault">{failed}</Note>}
      {may && loadFailed.value !== null && <LoadFailed />}
      {!view && !failed && <div class="bone tall" aria-busy="true" />}
      <div class={may ? "pair" : ""}>
        <div class="stack">
          {view && <Standing view={view} may={may} done={again} />}
          {view && <Sendings view={view} />}
        </div>
        {may && (
          <div class="stack">
            {draft.value && <When to={draft.value.delivery} />}
            {draft.value && <Where to={draft.value.delivery} />}
            {view && base.value && <GivePassword has={view.has_password} done={again} />}
          </div>
        )}
      </div>
      {may && <DraftBar />}
    </>
  );
}

// --- what is set ---------------------------------------------------------------------------------

const path = (name: string) => ["delivery", name];

function When({ to }: { to: DeliverySettings }) {
  return (
    <Card title={t("dlv.when")}>
      <div class="form">
        <Setting path={path("frequency")} />
        <div class="form two">
          <Setting path={path("separator")} />
          <Setting path={path("decimal")} />
        </div>
        {to.frequency !== "off" && <p class="help">{t("dlv.once")}</p>}
      </div>
    </Card>
  );
}

const SECURITIES = {
  smtp: ["starttls", "tls", "none"],
  ftp: ["starttls", "tls", "none"],
  http: ["tls", "none"],
} as const;
const PORTS: Record<string, number> = {
  "smtp starttls": 587,
  "smtp tls": 465,
  "smtp none": 25,
  "ftp starttls": 21,
  "ftp tls": 990,
  "ftp none": 21,
  "http tls": 443,
  "http none": 80,
};

function Where({ to }: { to: DeliverySettings }) {
  const how = to.protocol;
  const choose = (chosen: DeliverySettings["protocol"]) => {
    setValue(path("protocol"), chosen);
    const known: readonly string[] = SECURITIES[chosen];
    if (!known.includes(to.security)) setValue(path("security"), known[0]);
  };
  return (
    <Card title={t("dlv.where")}>
      <div class="form">
        <Pick
          name="protocol"
          value={how}
          all={["smtp", "ftp", "http"]}
          onChange={(chosen) => choose(chosen as DeliverySettings["protocol"])}
        />
        <Setting path={path("server")} />
        <Pick
          name="security"
          value={to.security}
          all={SECURITIES[how]}
          onChange={(chosen) => setValue(path("security"), chosen)}
        />
        {to.security === "none" && <Note tone="limited">{t("dlv.in_clear")}</Note>}
        <Setting path={path("port")} usual={String(PORTS[`${how} ${to.security}`] ?? "")} />
        <Setting path={path("username")} />
        {to.security === "none" && to.username && <Setting path={path("password_in_clear")} />}
        {how === "smtp" && <Setting path={path("sender")} />}
        {how === "smtp" && <Setting path={path("receivers")} />}
        {how !== "smtp" && <Setting path={path("path")} />}
        {how === "http" && <Setting path={path("field")} />}
        {to.security !== "none" && <Authority path={path("ca")} locked={false} />}
      </div>
    </Card>
  );
}

interface PickProps {
  name: string;
  value: string;
  all: readonly string[];
  onChange: (chosen: string) => void;
}

function Pick({ name, value, all, onChange }: PickProps) {
  const help = given(fieldSchema(path(name)).description ?? "", `help.delivery.${name}`);
  return (
    <Field label={labelOf(path(name))} help={help} error={errorAt(path(name))}>
      {(ids) => (
        <Select
          id={ids.id}
          value={value}
          described={ids.described}
          choices={all.map((one) => ({ value: one, text: t(`choice.${name}.${one}` as never) }))}
          onChange={onChange}
        />
      )}
    </Field>
  );
}

/** A password goes to the box and never comes back. */
function GivePassword({ has, done }: { has: boolean; done: () => void }) {
  const [word, setWord] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const set = base.value?.delivery;
  const unsaved = !same(set, draft.value?.delivery);
  const why = unsaved ? t("dlv.save_first") : set?.server ? undefined : t("dlv.no_server");
  if (!set?.username && !has) return null;
  const give = async (password: string) => {
    setBusy(true);
    setError("");
    try {
      const told = await call<{ text: string }>("PUT", "/delivery/password", { password });
      setWord("");
      announce(given(told.body.text));
      done();
    } catch (problem) {
      setError(inWords(problem));
    }
    setBusy(false);
  };
  return (
    <Card title={t("csms.password_title")}>
      <p class="second">{t("dlv.password_more")}</p>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (word && !why) void give(word);
        }}
      >
        <Password
          label={t("csms.password")}
          value={word}
          fresh
          error={error}
          help={has ? t("dlv.password_has") : t("dlv.password_none")}
          onValue={setWord}
        />
        <div class="note-acts">
          <Button
            type="submit"
            icon="lock"
            busy={busy}
            why={why ?? (word ? undefined : t("csms.password_empty"))}
          >
            {t("csms.password_give")}
          </Button>
          {has && (
            <Button kind="quiet" icon="trash" busy={busy} why={why} onClick={() => void give("")}>
              {t("csms.password_remove")}
            </Button>
          )}
        </div>
      </form>
    </Card>
  );
}

// --- how it stands -------------------------------------------------------------------------------

interface StandingProps {
  view: DeliveryView;
  may: boolean;
  done: () => void;
}

function Standing({ view, may, done }: StandingProps) {
  const [found, setFound] = useState<DeliveryTested | null>(null);
  const [busy, setBusy] = useState("");
  const unsaved = may && !same(base.value?.delivery, draft.value?.delivery);
  const why = unsaved ? t("dlv.save_first") : view.server ? undefined : t("dlv.no_server");
  useEffect(() => setFound(null), [view.server, view.protocol]);
  const act = async (what: "send" | "test") => {
    setBusy(what);
    setFound(null);
    try {
      const told = await call<DeliveryTested>("POST", `/delivery/${what}`, undefined, {
        charger: true,
      });
      if (what === "test") setFound(told.body);
      else announce(given(told.body.text));
    } catch (problem) {
      setFound({ taken: false, text: inWords(problem) });
    }
    setBusy("");
    done();
  };
  const open = view.sendings.filter((one) => one.state !== "sent").length;
  return (
    <Card title={t("dlv.standing")}>
      <dl class="facts rows">
        <Fact name={t("dlv.next")}>{nextOf(view)}</Fact>
        <Fact name={t("dlv.to")}>
          {view.server
            ? `${t(`choice.protocol.${view.protocol}` as never)} · ${view.server}`
            : t("dlv.nowhere")}
        </Fact>
        <Fact name={t("dlv.waiting")}>
          {view.waiting >= view.waiting_max
            ? say("dlv.sessions_more", { n: view.waiting })
            : say("dlv.sessions", { n: view.waiting })}
        </Fact>
        {open > 0 && (
          <Fact name={t("dlv.open")}>
            {say("dlv.files", { n: open })}
            {view.again && view.sending === null
              ? ` · ${t("dlv.again", { at: dayAndTime(view.again) })}`
              : ""}
          </Fact>
        )}
      </dl>
      {may && (
        <div class="note-acts">
          <Button
            kind="primary"
            icon="upload"
            acts
            busy={busy === "send"}
            why={why}
            onClick={() => void act("send")}
          >
            {t("dlv.send")}
          </Button>
          <Button
            icon="radio"
            acts
            busy={busy === "test"}
            why={why}
            onClick={() => void act("test")}
          >
            {busy === "test" ? t("dlv.testing") : t("dlv.test")}
          </Button>
        </div>
      )}
      {may && <p class="help">{t("dlv.test_more")}</p>}
      {found && (
        <Note tone={found.taken ? "ok" : "fault"} live>
          <p class="test-found">{sentence(found.text)}</p>
        </Note>
      )}
    </Card>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="dlv-words">{children}</dd>
    </div>
  );
}

function nextOf(view: DeliveryView): string {
  if (view.frequency === "off") return t("dlv.off");
  if (!view.clock_set) return t("dlv.no_clock");
  const often = t(`choice.frequency.${view.frequency}` as never);
  return view.next ? `${dayAndTime(view.next)} · ${often}` : often;
}

const sentence = (text: string): string => {
  const told = given(text);
  return told.charAt(0).toUpperCase() + told.slice(1);
};

// --- what became of those before -----------------------------------------------------------------

function Sendings({ view }: { view: DeliveryView }) {
  const [all, setAll] = useState(false);
  const rows = all ? view.sendings : view.sendings.slice(0, SHOWN);
  return (
    <Card title={t("dlv.history")}>
      {!rows.length && <p class="second">{t("dlv.none")}</p>}
      <ul class="asides dlv-list">
        {rows.map((one) => (
          <li key={one.id}>
            <div class="dlv-head">
              <b>{dayAndTime(one.made)}</b>
              <Badge state={stateOf(one, view.sending)} />
            </div>
            <p>
              {say("dlv.sessions", { n: one.sessions })} ·{" "}
              {one.by ? t("dlv.by", { who: one.by }) : t("dlv.by_time")}
            </p>
            {one.text && one.state !== "sent" && <p class="dlv-words">{sentence(one.text)}</p>}
            {one.tried && (
              <p class="second">
                {say("dlv.tries", { n: one.tries, at: dayAndTime(one.tried) })}
              </p>
            )}
            <p class="second dlv-words">{one.name}</p>
          </li>
        ))}
      </ul>
      {view.sendings.length > rows.length && (
        <Button kind="quiet" onClick={() => setAll(true)}>
          {say("dlv.more", { n: view.sendings.length })}
        </Button>
      )}
    </Card>
  );
}

function stateOf(one: Sending, now: number | null): State {
  if (one.id === now) return { tone: "limited", icon: "upload", word: t("dlv.is.sending") };
  if (one.state === "sent") return { tone: "ok", icon: "circle-check", word: t("dlv.is.sent") };
  if (one.state === "failed")
    return { tone: "fault", icon: "circle-x", word: t("dlv.is.failed") };
  return one.tries
    ? { tone: "limited", icon: "triangle-alert", word: t("dlv.is.again") }
    : { tone: "idle", icon: "circle-dashed", word: t("dlv.is.waits") };
}
