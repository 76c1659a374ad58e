// Client certificates of people: made here, handed over once, revoked, asked for by account.

import { useState } from "preact/hooks";

import { call } from "../api";
import { moment } from "../format";
import { say, t } from "../i18n";
import { useAsked } from "../parts/asked";
import { Badge, Button, Card, Note } from "../parts/basics";
import { withPassword } from "../parts/confirm";
import { announce, askDanger, inWords } from "../parts/dialog";
import { Field, Select, TextInput } from "../parts/fields";
import { Password } from "../parts/password";
import type { State } from "../site";

interface Client {
  id: string;
  name: string;
  level: number;
  by: string;
  made: string;
  expires: string;
  revoked: string;
}

interface View {
  certificates: Client[];
  required: number[];
  here: string;
}

const PATH = "/client-certificates";
const ACCOUNTS = ["EV", "Installer", "Assembler"] as const;
const DAYS = ["30", "365", "730", "1825"] as const;
const accountOf = (level: number): string => ACCOUNTS[level - 1] ?? String(level);

export function Clients() {
  const [now, failed, again] = useAsked<View>(PATH);
  return (
    <>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {now && (
        <div class="pair">
          <div class="stack">
            <List now={now} again={again} />
            <Required now={now} again={again} />
          </div>
          <Make again={again} />
        </div>
      )}
    </>
  );
}

function stateOf(one: Client): State {
  if (one.revoked) return { tone: "fault", icon: "ban", word: t("client.revoked") };
  if (Date.parse(one.expires) <= Date.now()) {
    return { tone: "idle", icon: "clock", word: t("cert.expired") };
  }
  return { tone: "ok", icon: "circle-check", word: t("cert.valid") };
}

interface PartProps {
  now: View;
  again: () => void;
}

function List({ now, again }: PartProps) {
  return (
    <Card title={t("client.title")}>
      <p class="second">{t("client.more")}</p>
      {!now.certificates.length && <p class="second">{t("client.none")}</p>}
      <ul class="people slim">
        {now.certificates.map((one) => (
          <li key={one.id}>
            <div class="people-who">
              <b>{one.name}</b>
              <span class="second">{t("client.opens", { account: accountOf(one.level) })}</span>
            </div>
            <div class="people-state">
              <Badge state={stateOf(one)} />
              {one.id === now.here && (
                <Badge state={{ tone: "ok", icon: "user", word: t("client.here") }} />
              )}
            </div>
            <div class="people-acts">
              <Button
                small
                label={t("client.revoke_of", { name: one.name })}
                onClick={() => askRevoke(one, again)}
              >
                {t(stateOf(one).tone === "ok" ? "client.revoke" : "client.forget")}
              </Button>
            </div>
            <span class="second links-told">
              {t("client.facts", { by: one.by, until: moment(one.expires), number: one.id })}
            </span>
          </li>
        ))}
      </ul>
      {now.certificates.length > 0 && (
        <p>
          <Button kind="danger" icon="trash" onClick={() => askRemoveAll(again)}>
            {t("client.remove_all")}
          </Button>
        </p>
      )}
    </Card>
  );
}

function askRevoke(one: Client, again: () => void): void {
  const valid = stateOf(one).tone === "ok";
  askDanger({
    title: t(valid ? "client.revoke_title" : "client.forget_title", { name: one.name }),
    body: t(valid ? "client.revoke_body" : "client.forget_body"),
    sessions: null,
    verb: t(valid ? "client.revoke" : "client.forget"),
    act: async () => {
      await withPassword(() => call("DELETE", `${PATH}/${one.id}`));
      again();
      return t(valid ? "client.revoke_done" : "client.forget_done", { name: one.name });
    },
  });
}

function askRemoveAll(again: () => void): void {
  askDanger({
    title: t("client.remove_title"),
    body: t("client.remove_body"),
    sessions: null,
    verb: t("client.remove_all"),
    act: async () => {
      await withPassword(() => call("DELETE", PATH));
      again();
      return t("client.remove_done");
    },
  });
}

// --- whose account asks for one ------------------------------------------------------------------

function Required({ now, again }: PartProps) {
  const here = now.certificates.find((one) => one.id === now.here);
  return (
    <Card title={t("client.required")}>
      <p class="second">{t("client.required_more")}</p>
      <ul class="people slim">
        {[3, 2, 1].map((level) => {
          const on = now.required.includes(level);
          const may = on || (here !== undefined && !here.revoked && here.level >= level);
          return (
            <li key={level}>
              <div class="people-who">
                <b>{accountOf(level)}</b>
              </div>
              <div class="people-state">
                <Badge
                  state={
                    on
                      ? { tone: "ok", icon: "lock", word: t("client.asked") }
                      : { tone: "idle", icon: "circle-dashed", word: t("client.not_asked") }
                  }
                />
              </div>
              <div class="people-acts">
                {may && (
                  <Button
                    small
                    label={t(on ? "client.stop_of" : "client.ask_of", { account: accountOf(level) })}
                    onClick={() => askRequire(level, !on, again)}
                  >
                    {t(on ? "client.stop" : "client.ask")}
                  </Button>
                )}
              </div>
            </li>
          );
        })}
      </ul>
      {!here && <p class="second">{t("client.come_first")}</p>}
    </Card>
  );
}

function askRequire(level: number, on: boolean, again: () => void): void {
  const account = accountOf(level);
  askDanger({
    title: t(on ? "client.ask_title" : "client.stop_title", { account }),
    body: t(on ? "client.ask_body" : "client.stop_body", { account }),
    sessions: null,
    verb: t(on ? "client.ask" : "client.stop"),
    calm: !on,
    act: async () => {
      await withPassword(() => call("PUT", `${PATH}/required`, { level, on }));
      again();
      return t(on ? "client.ask_done" : "client.stop_done", { account });
    },
  });
}

// --- another one ---------------------------------------------------------------------------------

interface Made {
  certificate: Client;
  content: string; // PKCS#12, base64
}

function Make({ again }: { again: () => void }) {
  const [name, setName] = useState("");
  const [level, setLevel] = useState("3");
  const [days, setDays] = useState<string>("730");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailed("");
    try {
      const body = { name: name.trim(), level: Number(level), days: Number(days), password };
      const made = (await withPassword(() => call<Made>("POST", PATH, body))).body;
      save(made);
      announce(t("client.made", { name: made.certificate.name }));
      setName("");
      setPassword("");
      again();
    } catch (problem) {
      setFailed(inWords(problem));
    }
    setBusy(false);
  };
  return (
    <Card title={t("client.make")}>
      <p class="second">{t("client.make_more")}</p>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <Field label={t("client.name")}>
          {(ids) => (
            <TextInput
              id={ids.id}
              described={ids.described}
              value={name}
              maxLength={64}
              onValue={setName}
            />
          )}
        </Field>
        <Field label={t("client.level")}>
          {(ids) => (
            <Select
              id={ids.id}
              value={level}
              onChange={setLevel}
              choices={ACCOUNTS.map((account, place) => ({
                value: String(place + 1),
                text: t("client.up_to", { account }),
              }))}
            />
          )}
        </Field>
        <Field label={t("client.days")}>
          {(ids) => (
            <Select
              id={ids.id}
              value={days}
              onChange={setDays}
              choices={DAYS.map((one) => ({ value: one, text: say(`client.days_${one}`) }))}
            />
          )}
        </Field>
        <Password
          label={t("client.word")}
          value={password}
          onValue={setPassword}
          fresh
          help={t("client.word_help")}
        />
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        <p>
          <Button
            type="submit"
            kind="primary"
            icon="download"
            busy={busy}
            disabled={!name.trim() || password.length < 8}
          >
            {busy ? t("dialog.working") : t("client.make_do")}
          </Button>
        </p>
      </form>
    </Card>
  );
}

/** The file goes to the visitor's disk; LinkRay keeps nothing of it. */
function save(made: Made): void {
  const bytes = Uint8Array.from(atob(made.content), (sign) => sign.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/x-pkcs12" }));
  const safe = made.certificate.name.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "");
  link.download = `linkray-${safe || "certificate"}.p12`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
