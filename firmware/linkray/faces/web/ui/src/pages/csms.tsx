// The CSMS tab: its address, whether it lets chargers in, how each uplink stands, what it refused.

import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { exactly } from "../format";
import { given, say, t } from "../i18n";
import { snapshot } from "../live";
import { Authority } from "../parts/authority";
import { Badge, Button, Card, Icon, Link, Note } from "../parts/basics";
import { announce, askDanger, inWords } from "../parts/dialog";
import { Field, Select, Setting } from "../parts/fields";
import { Password } from "../parts/password";
import {
  capital,
  inQueue,
  UplinkFacts,
  uplinkOf,
  uplinkState,
  waitingFor,
} from "../parts/uplink";
import { ASSEMBLER, level } from "../session";
import { base, draft, same } from "../settings";
import { byName, nameOf } from "../site";
import type { CsmsQueue, SetAside, UplinkTested } from "../words";

const LISTED_MAX = 50; // the server's: more are in the file

export function CsmsTab() {
  return (
    <>
      <div class="pair">
        <div class="stack">
          <Address />
          <Trial />
          {level() >= ASSEMBLER && <GivePassword />}
        </div>
        <div class="stack">
          <Uplinks />
          <Former />
          <Aside />
        </div>
      </div>
    </>
  );
}

// --- where it is ---------------------------------------------------------------------------------

export function Address() {
  const csms = draft.value?.csms;
  const at = csms?.url.replace(/\/+$/, "");
  const whole = [at, csms?.prefix.replace(/^\/+|\/+$/g, "") || null, "mp-012345678"];
  return (
    <Card title={t("conf.csms")}>
      {level() < ASSEMBLER && (
        <Note tone="idle" icon="lock">
          {t("conf.csms_level")}
        </Note>
      )}
      <div class="form">
        <Setting path={["csms", "url"]} />
        <Setting path={["csms", "prefix"]} />
        {at && (
          <p class="help">{t("csms.example", { url: whole.filter(Boolean).join("/") })}</p>
        )}
        <Authority path={["csms", "ca"]} locked={level() < ASSEMBLER} />
        {(at?.startsWith("ws://") || csms?.password_in_clear) && (
          <Setting path={["csms", "password_in_clear"]} />
        )}
        <Setting path={["csms", "allow_without"]} />
      </div>
    </Card>
  );
}

// --- does it let them in -------------------------------------------------------------------------

const chargers = () => byName(snapshot.value?.chargers ?? []);

/** As whom it is tried out, where nobody says: one whose own link does not stand. */
function byDefault(): string {
  const away = chargers().find((one) => {
    const state = uplinkOf(snapshot.value, one.id)?.state;
    return state !== "live" && state !== "behind" && state !== "waits";
  });
  return away?.id ?? chargers()[0]?.id ?? "";
}

export function Trial() {
  const csms = draft.value?.csms;
  const [who, setWho] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState<UplinkTested | null>(null);
  const [word, setWord] = useState("");
  const [first] = useState(byDefault);
  useEffect(() => setFound(null), [csms?.url, csms?.prefix, csms?.ca]);
  if (!csms) return null;
  const mine = level() >= ASSEMBLER;
  const charger = who ?? first;
  const test = async () => {
    setBusy(true);
    setFound(null);
    const { url, prefix, ca } = csms;
    const body = { url, prefix, ca, charger, password: mine && word ? word : null };
    try {
      setFound((await call<UplinkTested>("POST", "/csms/test", body, { charger: true })).body);
    } catch (problem) {
      setFound({ reached: false, text: inWords(problem) });
    }
    setBusy(false);
  };
  return (
    <Card title={t("csms.test_title")}>
      <p class="second">{t("csms.test_more")}</p>
      <div class="form">
        <Field label={t("csms.test_as")}>
          {(ids) => (
            <Select
              id={ids.id}
              value={charger}
              choices={[
                ...chargers().map((one) => ({ value: one.id, text: titled(one) })),
                { value: "", text: t("csms.test_nobody") },
              ]}
              onChange={setWho}
            />
          )}
        </Field>
        {mine && (
          <Password
            label={t("csms.test_password")}
            value={word}
            fresh
            help={t("csms.test_password_help")}
            onValue={setWord}
          />
        )}
        <p>
          <Button
            icon="radio"
            busy={busy}
            why={csms.url ? undefined : t("csms.test_no_address")}
            onClick={() => void test()}
          >
            {busy ? t("csms.testing") : t("csms.test")}
          </Button>
        </p>
      </div>
      {found && (
        <Note tone={found.reached ? "ok" : "fault"} live>
          <p class="test-found">{given(capital(found.text))}</p>
        </Note>
      )}
    </Card>
  );
}

const titled = (one: { id: string; name: string }): string =>
  one.name ? `${one.name} (${one.id})` : one.id;

/** A password goes to the box and never comes back. */
function GivePassword() {
  const [who, setWho] = useState("");
  const [word, setWord] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const set = base.value?.csms.url ?? "";
  const unsaved = !same(base.value?.csms.url, draft.value?.csms.url);
  const why = unsaved ? t("csms.save_first") : set ? undefined : t("csms.test_no_address");
  const give = async (password: string) => {
    setBusy(true);
    setError("");
    try {
      const told = await call<{ text: string }>("PUT", "/csms/password", {
        charger: who,
        password,
      });
      setWord("");
      announce(given(told.body.text));
    } catch (problem) {
      setError(inWords(problem));
    }
    setBusy(false);
  };
  const own = uplinkOf(snapshot.value, who)?.has_password ?? false;
  const has = who === "" || own;
  const help = who === "" ? t("csms.password_all_help") : own ? t("csms.password_has") : "";
  return (
    <Card title={t("csms.password_title")}>
      <p class="second">{t("csms.password_more")}</p>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (word && !why) void give(word);
        }}
      >
        <Field label={t("csms.password_of")} help={help}>
          {(ids) => (
            <Select
              id={ids.id}
              value={who}
              described={ids.described}
              choices={[
                { value: "", text: t("csms.password_all") },
                ...chargers().map((one) => ({ value: one.id, text: titled(one) })),
              ]}
              onChange={setWho}
            />
          )}
        </Field>
        <Password
          label={t("csms.password")}
          value={word}
          fresh
          error={error}
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

// --- how each link stands ------------------------------------------------------------------------

function Uplinks() {
  const shot = snapshot.value;
  if (!shot) return null;
  const links = shot.uplinks ?? [];
  const live = chargers().filter((one) => uplinkOf(shot, one.id)?.state === "live").length;
  const waiting = links.reduce((sum, one) => sum + one.waiting, 0);
  const alone = !base.value?.csms.url;
  return (
    <Card
      title={t("uplinks.title")}
      aside={
        !alone && (
          <span class="second figure">
            {say("uplinks.sum", { n: shot.chargers.length, live, waiting: waiting || null })}
          </span>
        )
      }
    >
      {alone && <p class="second">{t("uplinks.alone")}</p>}
      {!alone && !shot.chargers.length && <p class="second">{t("groups.none")}</p>}
      {!alone && (
        <ul class="uplinks">
          {chargers().map((one) => {
            const uplink = uplinkOf(shot, one.id);
            return (
              <li key={one.id}>
                <Link class="charger-name" to={`/chargers/${encodeURIComponent(one.id)}`}>
                  <b>{nameOf(one)}</b>
                  {one.name && <span class="second">{one.id}</span>}
                </Link>
                <Badge state={uplinkState(uplink, one.connected)} />
                {uplink && <UplinkFacts uplink={uplink} />}
              </li>
            );
          })}
        </ul>
      )}
    </Card>
  );
}

// --- what waits for another ----------------------------------------------------------------------

/** Kept for addresses that are not set any more: shown, downloaded, let go (nothing else has it). */
function Former() {
  const [list, setList] = useState<readonly CsmsQueue[]>([]);
  const [failed, setFailed] = useState("");
  const [looks, setLooks] = useState(0);
  const url = base.value?.csms.url;
  useEffect(() => {
    waitingFor().then(
      (found) => {
        setList(found.filter((one) => !one.is_set && one.messages + one.sessions > 0));
        setFailed("");
      },
      (problem) => setFailed(inWords(problem)),
    );
  }, [url, looks]);
  if (!list.length && !failed) return null;
  const letGo = (one: CsmsQueue) =>
    askDanger({
      title: t("former.go_title", { url: one.csms }),
      body: say("former.go_body", { n: one.messages }),
      sessions: null,
      verb: t("former.go"),
      act: async () => {
        const body = { csms: one.csms, through: one.newest };
        const told = await call<{ text: string }>("POST", "/csms/queues/let-go", body, {
          charger: true,
        });
        setLooks((count) => count + 1);
        return given(told.body.text);
      },
    });
  return (
    <Card title={t("former.title")}>
      <p class="second">{t("former.more")}</p>
      {failed && <Note tone="fault">{failed}</Note>}
      <ul class="asides">
        {list.map((one) => (
          <li key={one.csms}>
            <p class="aside-why">
              <b>{one.csms}</b>
            </p>
            {one.messages > 0 && <p>{inQueue(one)}</p>}
            {one.sessions > 0 && <p>{say("former.sessions", { n: one.sessions })}</p>}
            {one.messages > 0 && (
              <div class="note-acts">
                <a
                  class="button plain"
                  href={`/api/v1/csms/queues/export?csms=${encodeURIComponent(one.csms)}`}
                  download
                >
                  <Icon name="download" /> <span>{t("former.download")}</span>
                </a>
                {level() >= ASSEMBLER && (
                  <Button kind="quiet" icon="trash" onClick={() => letGo(one)}>
                    {t("former.go")}
                  </Button>
                )}
              </div>
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}

// --- what it did not take ------------------------------------------------------------------------

function Aside() {
  const [list, setList] = useState<readonly SetAside[]>([]);
  const [failed, setFailed] = useState("");
  const [who, setWho] = useState("");
  const [acted, setActed] = useState(0);
  const uplinks = snapshot.value?.uplinks ?? [];
  const count = uplinks.reduce((sum, one) => sum + one.set_aside, 0);
  useEffect(() => {
    call<SetAside[]>("GET", "/set-aside").then(
      (told) => {
        setList(told.body);
        setFailed("");
      },
      (problem) => setFailed(inWords(problem)),
    );
  }, [count, acted]);
  if (!base.value?.csms.url && !list.length && !failed) return null;
  const names = new Map((snapshot.value?.chargers ?? []).map((one) => [one.id, nameOf(one)]));
  const has = uplinks.filter((one) => one.set_aside > 0).map((one) => one.charger);
  const owners = [...new Set([...has, ...list.map((one) => one.charger)])].sort();
  const of = owners.includes(who) ? who : "";
  const settled = async (how: "again" | "remove") => {
    const done = await call<{ text: string }>("POST", `/set-aside/${how}`, { charger: of });
    setActed((before) => before + 1);
    return given(done.body.text);
  };
  const whose = of ? (names.get(of) ?? of) : t("aside.all");
  return (
    <Card
      title={t("aside.title")}
      aside={
        list.length > 0 && (
          <a class="button plain" href="/api/v1/set-aside/export" download>
            <Icon name="download" /> <span>{t("aside.download")}</span>
          </a>
        )
      }
    >
      <p class="second">{list.length ? t("aside.more") : t("aside.none")}</p>
      {failed && <Note tone="fault">{failed}</Note>}
      {list.length > 0 && (
        <div class="asides-bar">
          <Field label={t("aside.whose")}>
            {(ids) => (
              <Select
                id={ids.id}
                value={of}
                choices={[
                  { value: "", text: t("aside.all") },
                  ...owners.map((one) => ({ value: one, text: names.get(one) ?? one })),
                ]}
                onChange={setWho}
              />
            )}
          </Field>
          <div class="links">
            <Button
              icon="refresh-cw"
              onClick={() =>
                askDanger({
                  title: t("aside.again_title"),
                  body: t("aside.again_body", { whose }),
                  sessions: null,
                  verb: t("aside.again"),
                  calm: true,
                  act: () => settled("again"),
                })
              }
            >
              {t("aside.again")}
            </Button>
            <Button
              icon="trash"
              onClick={() =>
                askDanger({
                  title: t("aside.remove_title"),
                  body: t("aside.remove_body", { whose }),
                  sessions: null,
                  verb: t("aside.remove"),
                  act: () => settled("remove"),
                })
              }
            >
              {t("aside.remove")}
            </Button>
          </div>
        </div>
      )}
      {list.length > 0 && (
        <ul class="asides">
          {list.map((one) => (
            <li key={one.number}>
              <p>
                <b>{one.action}</b> · {names.get(one.charger) ?? one.charger}{" "}
                <span class="second figure">{exactly(one.at)}</span>
              </p>
              <p class="aside-why">{given(capital(one.why.replace(/:\s*$/, "")))}</p>
              <details class="registers">
                <summary>
                  {t("aside.message")} <Icon name="chevron-down" size={18} />
                </summary>
                <code class="frame-text">{one.payload}</code>
              </details>
            </li>
          ))}
        </ul>
      )}
      {list.length >= LISTED_MAX && <p class="second">{say("aside.rest", { n: LISTED_MAX })}</p>}
    </Card>
  );
}
