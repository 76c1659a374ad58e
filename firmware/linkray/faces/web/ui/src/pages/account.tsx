// Account: who is signed in, how it looks, signing out; passwords are under Security. "More" on phones.

import { useId } from "preact/hooks";

import { lang, languages, say, t, useLanguage } from "../i18n";
import { openPages } from "../menu";
import { Button, Card, Choices, Icon, Link } from "../parts/basics";
import { announce, inWords } from "../parts/dialog";
import { Select } from "../parts/fields";
import { chooseTheme, level, session, signOut, theme, type Theme } from "../session";

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
