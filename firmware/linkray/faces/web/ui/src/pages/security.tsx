// Security: who may sign in and how, who is signed in now, and who did what.

import type { ComponentType } from "preact";
import { useId, useState } from "preact/hooks";

import { call, Problem } from "../api";
import { duration, moment } from "../format";
import { say, t, type Key } from "../i18n";
import { useAsked } from "../parts/asked";
import { Badge, Button, Card, Icon, Link, Note } from "../parts/basics";
import { CodeField, withPassword } from "../parts/confirm";
import { announce, askDanger, inWords } from "../parts/dialog";
import { Select } from "../parts/fields";
import { Password, StrengthBar } from "../parts/password";
import { QrCode } from "../parts/qrcode";
import { segments } from "../route";
import { ASSEMBLER, level, refreshSession, session } from "../session";
import type { State } from "../site";
import type { AccountName } from "../words";
import { Audit } from "./audit";
import { CertificatesTab } from "./certificates";
import { ChargerSecurity } from "./chargersecurity";

interface AccountRow {
  name: AccountName;
  level: number;
  open: boolean;
  first: boolean;
  second_factor: boolean;
  changed: string;
}

interface OpenSession {
  id: string;
  account: AccountName;
  level: number;
  source: string;
  since: string;
  idle_s: number;
  here: boolean;
}

interface Tab {
  id: string;
  name: Key;
  level: number;
  show: ComponentType;
}

const TABS: readonly Tab[] = [
  { id: "accounts", name: "security.accounts", level: 1, show: Accounts },
  { id: "certificates", name: "cert.title", level: ASSEMBLER, show: CertificatesTab },
  { id: "chargers", name: "links.tab", level: ASSEMBLER, show: ChargerSecurity },
  { id: "audit", name: "security.audit", level: ASSEMBLER, show: Audit },
];

export function Security() {
  const [, which] = segments();
  const open = TABS.filter((one) => level() >= one.level);
  const tab = open.find((one) => one.id === which) ?? open[0];
  const Show = tab?.show ?? Accounts;
  const barred = which && !open.some((one) => one.id === which);
  return (
    <>
      <h1>{t("nav.security")}</h1>
      {open.length > 1 && (
        <nav class="tabs" aria-label={t("security.tabs")}>
          {open.map((one) => (
            <Link key={one.id} to={`/security/${one.id}`} current={one === tab}>
              {t(one.name)}
            </Link>
          ))}
        </nav>
      )}
      {barred ? <Note tone="limited">{t("app.not_allowed")}</Note> : <Show />}
    </>
  );
}

function Accounts() {
  const [rows, failed, again] = useAsked<AccountRow[]>("/accounts");
  const mine = rows?.find((one) => one.name === session.value?.account);
  return (
    <>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {level() >= ASSEMBLER && rows && <AllAccounts rows={rows} again={again} />}
      <div class="pair">
        <Card title={t("account.password")}>
          <ChangePassword changed={again} />
        </Card>
        {mine && <SecondFactor on={mine.second_factor} again={again} />}
      </div>
      {level() >= ASSEMBLER && <SignedIn />}
    </>
  );
}

// --- the accounts, as the Assembler sees them ----------------------------------------------------

function stateOf(row: AccountRow): State {
  if (!row.open) return { tone: "idle", icon: "lock", word: t("security.closed") };
  if (row.first) return { tone: "limited", icon: "triangle-alert", word: t("security.printed") };
  return { tone: "ok", icon: "circle-check", word: t("security.open") };
}

function AllAccounts({ rows, again }: { rows: readonly AccountRow[]; again: () => void }) {
  return (
    <Card title={t("security.accounts")}>
      <ul class="people">
        {[...rows].reverse().map((row) => (
          <li key={row.name}>
            <div class="people-who">
              <b>{row.name}</b>
              <span class="second">
                {t("account.level", { level: row.level })} · {say(`sign.${row.name}`)}
              </span>
            </div>
            <div class="people-state">
              <Badge state={stateOf(row)} />
              {row.second_factor && (
                <Badge state={{ tone: "ok", icon: "key", word: t("second.is_on") }} />
              )}
              {row.open && row.changed && (
                <span class="second">{t("security.since", { time: moment(row.changed) })}</span>
              )}
            </div>
            <div class="people-acts">
              {row.second_factor && row.name !== "Assembler" && (
                <Button small onClick={() => askSecondOff(row.name, again)}>
                  {t("second.off_of", { account: row.name })}
                </Button>
              )}
              {row.open && row.name !== "Assembler" && (
                <Button small icon="lock" onClick={() => askClose(row.name, again)}>
                  {t("security.close", { account: row.name })}
                </Button>
              )}
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function askClose(account: AccountName, again: () => void): void {
  askDanger({
    title: t("security.close_title", { account }),
    body: t("security.close_body", { account }),
    sessions: null,
    verb: t("security.close", { account }),
    act: async () => {
      await withPassword(() => call("DELETE", `/accounts/${account}/password`));
      again();
      return t("security.close_done", { account });
    },
  });
}

function askSecondOff(account: AccountName, again: () => void): void {
  askDanger({
    title: t("second.off_title", { account }),
    body: t("second.off_body", { account }),
    sessions: null,
    verb: t("second.off"),
    act: async () => {
      await withPassword(() => call("DELETE", `/accounts/${account}/second-factor`));
      if (account === session.value?.account) await refreshSession(); // a new session of its own
      again();
      return t("second.off_done", { account });
    },
  });
}

// --- one's password ------------------------------------------------------------------------------

export function ChangePassword({ changed }: { changed: () => void }) {
  const own = session.value?.account ?? "EV";
  const [account, setAccount] = useState<AccountName>(own);
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [repeat, setRepeat] = useState("");
  const [told, setTold] = useState<{ fault: boolean; text: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const id = useId();
  const unlike = repeat !== "" && repeat !== fresh;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    if (repeat !== fresh) {
      setTold({ fault: true, text: t("first.unlike") });
      return;
    }
    setBusy(true);
    setTold(null);
    try {
      await call("PUT", `/accounts/${account}/password`, { old, new: fresh }, { signingIn: true });
      setTold({ fault: false, text: t("account.changed", { account }) });
      await refreshSession(); // one's own change made a new session
      setOld("");
      setFresh("");
      setRepeat("");
      changed();
    } catch (problem) {
      const wrong = problem instanceof Problem && problem.status === 401;
      setTold({ fault: true, text: wrong ? t("account.wrong") : inWords(problem) });
    }
    setBusy(false);
  };
  return (
    <form class="form narrow" onSubmit={(event) => void submit(event)}>
      {level() >= ASSEMBLER && (
        <div class="field">
          <label for={id}>{t("account.whose")}</label>
          <Select
            id={id}
            value={account}
            onChange={(chosen) => setAccount(chosen as AccountName)}
            choices={["EV", "Installer", "Assembler"].map((name) => ({ value: name, text: name }))}
          />
        </div>
      )}
      <input
        class="unseen"
        type="text"
        autocomplete="username"
        value={account}
        readOnly
        tabIndex={-1}
        aria-hidden="true"
      />
      <Password label={t("account.old")} value={old} onValue={setOld} />
      <div class="field-group">
        <Password
          label={t("account.new")}
          value={fresh}
          onValue={setFresh}
          fresh
          help={t("first.rule")}
        />
        <StrengthBar password={fresh} account={account} />
      </div>
      <Password
        label={t("account.repeat")}
        value={repeat}
        onValue={setRepeat}
        fresh
        error={unlike ? t("first.unlike") : null}
      />
      {told && (
        <Note tone={told.fault ? "fault" : "ok"} live>
          {told.text}
        </Note>
      )}
      <p class="second">{t("account.ends")}</p>
      <p>
        <Button
          type="submit"
          kind="primary"
          busy={busy}
          disabled={!old || !fresh || !repeat}
        >
          {t("account.change")}
        </Button>
      </p>
    </form>
  );
}

// --- one's second factor -------------------------------------------------------------------------

interface Begun {
  secret: string;
  address: string;
}

function SecondFactor({ on, again }: { on: boolean; again: () => void }) {
  const account = session.value?.account ?? "EV";
  const [begun, setBegun] = useState<Begun | null>(null);
  const [failed, setFailed] = useState("");
  const path = `/accounts/${account}/second-factor`;
  const begin = async () => {
    setFailed("");
    try {
      setBegun((await withPassword(() => call<Begun>("POST", path))).body);
    } catch (problem) {
      setFailed(inWords(problem));
    }
  };
  const done = async () => {
    setBegun(null);
    announce(t("second.on_done"));
    await refreshSession();
    again();
  };
  return (
    <Card
      title={t("second.title")}
      aside={
        <Badge
          state={
            on
              ? { tone: "ok", icon: "circle-check", word: t("field.on") }
              : { tone: "idle", icon: "circle-dashed", word: t("field.off") }
          }
        />
      }
    >
      <p>{t(on ? "second.on_more" : "second.off_more")}</p>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {begun && <SetUp begun={begun} path={path} done={done} leave={() => setBegun(null)} />}
      {!begun && !on && (
        <p>
          <Button icon="key" onClick={() => void begin()}>
            {t("second.begin")}
          </Button>
        </p>
      )}
      {on && (
        <p>
          <Button onClick={() => askSecondOff(account, again)}>{t("second.off")}</Button>
        </p>
      )}
    </Card>
  );
}

interface SetUpProps {
  begun: Begun;
  path: string;
  done: () => Promise<void>;
  leave: () => void;
}

function SetUp({ begun, path, done, leave }: SetUpProps) {
  const [code, setCode] = useState("");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setWrong("");
    try {
      await withPassword(() => call("PUT", path, { code }));
      await done();
    } catch (problem) {
      const refused = problem instanceof Problem && problem.path === "$.code";
      setWrong(refused ? t("second.wrong") : inWords(problem));
      setBusy(false);
    }
  };
  return (
    <form class="form" onSubmit={(event) => void submit(event)}>
      <p>{t("second.scan")}</p>
      <div class="second-secret">
        <QrCode text={begun.address} label={t("second.qr")} />
        <div>
          <p class="second">{t("second.type")}</p>
          <code class="secret">{begun.secret.match(/.{1,4}/g)?.join(" ")}</code>
        </div>
      </div>
      <CodeField value={code} onValue={setCode} help={t("second.code_help")} error={wrong} focus />
      <div class="note-acts">
        <Button type="submit" kind="primary" busy={busy} disabled={!code}>
          {t("second.on")}
        </Button>
        <Button onClick={leave}>{t("dialog.cancel")}</Button>
      </div>
    </form>
  );
}

// --- who is signed in ----------------------------------------------------------------------------

const EVERY_MS = 10_000;

function SignedIn() {
  const [rows, failed, again] = useAsked<OpenSession[]>("/sessions", EVERY_MS);
  const others = rows?.filter((one) => !one.here).length ?? 0;
  const end = (path: string, said: string) => async () => {
    await withPassword(() => call("DELETE", path));
    again();
    return said;
  };
  const endOne = (one: OpenSession) => {
    const of = { account: one.account, source: one.source };
    askDanger({
      title: t("sessions.end_title", of),
      body: t("sessions.end_body"),
      sessions: null,
      verb: t("sessions.end"),
      act: end(`/sessions/${one.id}`, t("sessions.ended", of)),
    });
  };
  const endAll = () => {
    askDanger({
      title: t("sessions.all_title"),
      body: say("sessions.all_body", { n: others }),
      sessions: null,
      verb: t("sessions.all"),
      act: end("/sessions", t("sessions.all_ended")),
    });
  };
  return (
    <Card
      title={t("sessions.title")}
      aside={
        others > 0 && (
          <Button small onClick={endAll}>
            {t("sessions.all")}
          </Button>
        )
      }
    >
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      <ul class="people">
        {rows?.map((one) => (
          <li key={one.id}>
            <div class="people-who">
              <b>
                <Icon name="user" /> {one.account}
              </b>
              <span class="second">{t("sessions.from", { source: one.source })}</span>
            </div>
            <div class="people-state">
              <span>{t("sessions.since", { time: moment(one.since) })}</span>
              <span class="second">
                {one.idle_s < 60
                  ? t("sessions.busy")
                  : t("sessions.idle", { v: duration(one.idle_s) })}
              </span>
            </div>
            <div class="people-acts">
              {one.here ? (
                <span class="second">{t("sessions.here")}</span>
              ) : (
                <Button
                  small
                  label={t("sessions.end_one", { account: one.account, source: one.source })}
                  onClick={() => endOne(one)}
                >
                  {t("sessions.end")}
                </Button>
              )}
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}
