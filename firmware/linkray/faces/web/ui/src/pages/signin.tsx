// Signing in, and the one page that a first password opens: the one that replaces it.

import { useEffect, useId, useState } from "preact/hooks";

import { call, Problem } from "../api";
import { duration } from "../format";
import { given, t } from "../i18n";
import { Button, Icon, Note } from "../parts/basics";
import { announce, inWords } from "../parts/dialog";
import { ASKS_CODE, CodeField } from "../parts/confirm";
import { Password, StrengthBar } from "../parts/password";
import { ended, keep, kept, refreshSession, session, signIn, signOut } from "../session";
import type { AccountName } from "../words";
import { Brand } from "../shell/brand";
import { LookChoices } from "./account";

const ACCOUNTS: readonly AccountName[] = ["EV", "Installer", "Assembler"];

export function SignIn() {
  return (
    <main class="gate" id="main" tabIndex={-1}>
      <div class="gate-card">
        <Brand large />
        <h1>{t("sign.title")}</h1>
        {session.value?.site && <p class="gate-site">{session.value.site}</p>}
        {ended.value && <Note tone="limited">{t("sign.ended")}</Note>}
        <SignInForm />
        <Hint />
      </div>
      <LookChoices />
    </main>
  );
}

/** Where the first password is found, while it is still the one that opens. */
function Hint() {
  const now = session.value;
  if (!now || now.accounts_open.length !== 1) return null;
  if (now.commissioning_open === false) return <Note tone="limited">{t("sign.window")}</Note>;
  return <Note tone="idle">{t(now.simulated ? "sign.first_sim" : "sign.first_box")}</Note>;
}

function SignInForm() {
  const open = session.value?.accounts_open ?? ACCOUNTS;
  const last = kept("account") as AccountName | null;
  const [account, setAccount] = useState<AccountName>(
    last && open.includes(last) ? last : (open[0] ?? "Assembler"),
  );
  const [password, setPassword] = useState("");
  const [code, setCode] = useState<string | null>(null); // null: not asked for
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");
  const [wait, setWait] = useCountdown();
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy || wait > 0) return;
    if (!password) {
      setWrong(t("sign.empty"));
      return;
    }
    setBusy(true);
    setWrong("");
    try {
      await signIn(account, password, code ?? undefined);
      keep("account", account);
    } catch (problem) {
      const status = problem instanceof Problem ? problem.status : 0;
      if (problem instanceof Problem && problem.kind === ASKS_CODE) {
        setWrong(code ? t("sign.code_wrong") : "");
        setCode("");
        setBusy(false);
        return;
      }
      if (status === 429) setWait((problem as Problem).retryAfterS ?? 5);
      setWrong(
        status === 401 ? t("sign.wrong", { account }) : status === 429 ? "" : inWords(problem),
      );
      setBusy(false);
    }
  };
  return (
    <form class="gate-form" onSubmit={(event) => void submit(event)}>
      <Accounts
        open={open}
        chosen={account}
        onChoose={(chosen) => {
          setAccount(chosen);
          setCode(null);
        }}
      />
      <input
        class="unseen"
        type="text"
        name="username"
        autocomplete="username"
        value={account}
        readOnly
        tabIndex={-1}
        aria-hidden="true"
      />
      <Password
        label={t("sign.password")}
        value={password}
        onValue={setPassword}
        focus
        error={
          wait > 0 ? t("sign.slow", { wait: duration(wait) }) : code === null ? wrong : undefined
        }
      />
      {code !== null && (
        <CodeField value={code} onValue={setCode} focus help={t("sign.code_help")} error={wrong} />
      )}
      <Button type="submit" kind="primary" busy={busy} disabled={wait > 0}>
        {busy ? t("sign.busy") : t("sign.do")}
      </Button>
    </form>
  );
}

interface AccountsProps {
  open: readonly AccountName[];
  chosen: AccountName;
  onChoose: (account: AccountName) => void;
}

function Accounts({ open, chosen, onChoose }: AccountsProps) {
  const id = useId();
  return (
    <fieldset class="accounts">
      <legend>{t("sign.who")}</legend>
      {ACCOUNTS.map((name) => (
        <label key={name} class={open.includes(name) ? "" : "closed"}>
          <input
            type="radio"
            name="account"
            value={name}
            checked={name === chosen}
            disabled={!open.includes(name)}
            aria-labelledby={`${id}-${name}`}
            aria-describedby={`${id}-${name}-more`}
            onChange={() => onChoose(name)}
          />
          <span class="account-words">
            <b id={`${id}-${name}`}>{name}</b>
            <span class="second" id={`${id}-${name}-more`}>
              {open.includes(name) ? t(`sign.${name}`) : t("sign.closed")}
            </span>
          </span>
          <Icon name={open.includes(name) ? "user" : "lock"} />
        </label>
      ))}
    </fieldset>
  );
}

function useCountdown(): [number, (s: number) => void] {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (left <= 0) return undefined;
    const timer = setTimeout(() => setLeft(left - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return [left, (s) => setLeft(Math.ceil(s))];
}

// --- first passwords -----------------------------------------------------------------------------

type Entries = Record<AccountName, { text: string; again: string }>;
const EMPTY: Entries = {
  Assembler: { text: "", again: "" },
  Installer: { text: "", again: "" },
  EV: { text: "", again: "" },
};

export function FirstPasswords() {
  const [entries, setEntries] = useState(EMPTY);
  const [errors, setErrors] = useState<Partial<Record<AccountName, string>>>({});
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    const found = check(entries);
    setErrors(found);
    setFailed("");
    if (Object.keys(found).length || busy) return;
    setBusy(true);
    try {
      const passwords = Object.fromEntries(
        ACCOUNTS.map((name) => [name, entries[name].text || null]),
      );
      await call("POST", "/first-passwords", { passwords });
      announce(t("first.done"));
      await refreshSession();
      ended.value = false;
    } catch (problem) {
      const at =
        problem instanceof Problem
          ? ACCOUNTS.find((name) => problem.path?.includes(name))
          : undefined;
      if (at) setErrors({ [at]: given((problem as Problem).detail) });
      else setFailed(inWords(problem));
    }
    setBusy(false);
  };
  return (
    <main class="gate" id="main" tabIndex={-1}>
      <form class="gate-card gate-form" onSubmit={(event) => void submit(event)}>
        <Brand large />
        <h1>{t("first.title")}</h1>
        <Note tone="limited">{t("first.why")}</Note>
        <p class="second">{t("first.rule")}</p>
        {(["Assembler", "Installer", "EV"] as const).map((name) => (
          <Entry
            key={name}
            account={name}
            entry={entries[name]}
            error={errors[name] ?? null}
            onChange={(entry) => setEntries({ ...entries, [name]: entry })}
          />
        ))}
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        <Button type="submit" kind="primary" busy={busy}>
          {busy ? t("first.busy") : t("first.do")}
        </Button>
        <Button kind="quiet" icon="log-out" onClick={() => void signOut()}>
          {t("sign.out")}
        </Button>
      </form>
      <LookChoices />
    </main>
  );
}

function check(entries: Entries): Partial<Record<AccountName, string>> {
  const found: Partial<Record<AccountName, string>> = {};
  if (!entries.Assembler.text) found.Assembler = t("first.missing");
  for (const name of ACCOUNTS) {
    if (entries[name].text !== entries[name].again) found[name] = t("first.unlike");
  }
  return found;
}

interface EntryProps {
  account: AccountName;
  entry: { text: string; again: string };
  error: string | null;
  onChange: (entry: { text: string; again: string }) => void;
}

function Entry({ account, entry, error, onChange }: EntryProps) {
  return (
    <fieldset class="entry">
      <legend>
        <b>{account}</b>{" "}
        <span class="second">
          {account === "Assembler" ? t("first.needed") : t("first.optional")}
        </span>
      </legend>
      <Password
        label={t("first.password", { account })}
        value={entry.text}
        fresh
        error={error}
        onValue={(text) => onChange({ ...entry, text })}
      />
      <StrengthBar password={entry.text} account={account} />
      {entry.text && (
        <Password
          label={`${t("first.repeat")}: ${account}`}
          value={entry.again}
          fresh
          onValue={(again) => onChange({ ...entry, again })}
        />
      )}
    </fieldset>
  );
}
