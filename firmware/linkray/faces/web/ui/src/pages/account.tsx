// Account: who is signed in, how it looks, one's password, signing out. "More" on phones.

import { useId, useState } from "preact/hooks";

import { call, Problem } from "../api";
import { lang, languages, say, t, useLanguage } from "../i18n";
import { openPages } from "../menu";
import { Button, Card, Choices, Icon, Link, Note } from "../parts/basics";
import { announce, inWords } from "../parts/dialog";
import { Select } from "../parts/fields";
import { Password, StrengthBar } from "../parts/password";
import {
  ASSEMBLER,
  chooseTheme,
  level,
  refreshSession,
  session,
  signOut,
  theme,
  type Theme,
} from "../session";
import type { AccountName } from "../words";

export function Account() {
  const now = session.value;
  return (
    <>
      <h1>{t("account.title")}</h1>
      <div class="pair">
        <Card title={t("account.signed", { account: now?.account ?? "" })}>
          <p class="second">{t("account.level", { level: level() })}</p>
          <nav class="more-links" aria-label={t("account.pages")}>
            {openPages().map((page) => (
              <Link key={page.id} to={page.to}>
                <Icon name={page.icon} /> {t(page.name)} <Icon name="chevron-right" />
              </Link>
            ))}
          </nav>
          <p>
            <Button icon="log-out" onClick={() => void leave()}>
              {t("sign.out")}
            </Button>
          </p>
          <p class="second">{t("account.version", { version: now?.version ?? "" })}</p>
        </Card>
        <Card title={t("account.look")}>
          <LookChoices />
        </Card>
      </div>
      <Card title={t("account.password")}>
        <ChangePassword />
      </Card>
    </>
  );
}

async function leave(): Promise<void> {
  try {
    await signOut();
  } catch (problem) {
    announce(inWords(problem), true);
  }
}

export function LookChoices() {
  const id = useId();
  return (
    <div class="look-choices">
      <Choices<Theme>
        label={t("account.theme")}
        value={theme.value}
        onChange={chooseTheme}
        choices={[
          { value: "auto", text: t("account.theme_auto"), icon: "sun-moon" },
          { value: "light", text: t("account.theme_light"), icon: "sun" },
          { value: "dark", text: t("account.theme_dark"), icon: "moon" },
        ]}
      />
      <label class="language" for={id}>
        <Icon name="languages" /> <span class="unseen">{t("account.language")}</span>
        <Select
          id={id}
          value={lang.value}
          onChange={(chosen) => void useLanguage(chosen)}
          choices={languages().map((one) => ({ value: one, text: say(`lang.${one}`) }))}
        />
      </label>
    </div>
  );
}

export function ChangePassword() {
  const own = session.value?.account ?? "EV";
  const [account, setAccount] = useState<AccountName>(own);
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [told, setTold] = useState<{ fault: boolean; text: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const id = useId();
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setTold(null);
    try {
      await call("PUT", `/accounts/${account}/password`, { old, new: fresh }, { signingIn: true });
      setTold({ fault: false, text: t("account.changed", { account }) });
      await refreshSession(); // one's own change made a new session
      setOld("");
      setFresh("");
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
      <Password
        label={t("account.new")}
        value={fresh}
        onValue={setFresh}
        fresh
        help={t("first.rule")}
      />
      <StrengthBar password={fresh} account={account} />
      {told && (
        <Note tone={told.fault ? "fault" : "ok"} live>
          {told.text}
        </Note>
      )}
      <p>
        <Button type="submit" kind="primary" busy={busy} disabled={!old || !fresh}>
          {t("account.change")}
        </Button>
      </p>
    </form>
  );
}
