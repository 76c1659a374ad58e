// The password once more before who may do what is changed, and the code of a second factor.

import { signal } from "@preact/signals";
import { useId, useState } from "preact/hooks";

import { call, Problem } from "../api";
import { duration } from "../format";
import { t } from "../i18n";
import { session } from "../session";
import { Button } from "./basics";
import { Declined, Dialog, inWords } from "./dialog";
import { FieldError } from "./fields";
import { Password } from "./password";

/** Types of problems that the visitor is asked about (faces/web/problem.py). */
const ASKS_PASSWORD = "urn:linkray:confirm";
export const ASKS_CODE = "urn:linkray:code";

const asking = signal<((given: boolean) => void) | null>(null);

/** Does it; where the password is wanted first, asks for it and does it then. */
export async function withPassword<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.kind !== ASKS_PASSWORD) throw problem;
  }
  const given = await new Promise<boolean>((answer) => {
    asking.value = answer;
  });
  if (!given) throw new Declined();
  return act();
}

export function PasswordDialog() {
  const answer = asking.value;
  return answer && <AskPassword answer={answer} />;
}

function AskPassword({ answer }: { answer: (given: boolean) => void }) {
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");
  const account = session.value?.account ?? "EV";
  const close = (given: boolean) => {
    asking.value = null;
    answer(given);
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    if (!password) {
      setWrong(t("sign.empty"));
      return;
    }
    setBusy(true);
    setWrong("");
    try {
      await call("POST", "/session/confirm", { password }, { signingIn: true });
      close(true);
    } catch (problem) {
      setWrong(wordsOf(problem, account));
      setBusy(false);
    }
  };
  return (
    <Dialog title={t("confirm.title")} onClose={() => close(false)}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <p>{t("confirm.why", { account })}</p>
        <input
          class="unseen"
          type="text"
          autocomplete="username"
          value={account}
          readOnly
          tabIndex={-1}
          aria-hidden="true"
        />
        <Password
          label={t("confirm.password", { account })}
          value={password}
          onValue={setPassword}
          error={wrong}
          focus
        />
        <footer class="dialog-foot">
          <Button onClick={() => close(false)}>{t("dialog.cancel")}</Button>
          <Button type="submit" kind="primary" busy={busy}>
            {busy ? t("dialog.working") : t("confirm.do")}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

function wordsOf(problem: unknown, account: string): string {
  if (problem instanceof Problem && problem.status === 401) return t("sign.wrong", { account });
  if (problem instanceof Problem && problem.status === 429) {
    return t("sign.slow", { wait: duration(problem.retryAfterS ?? 5) });
  }
  return inWords(problem);
}

interface CodeProps {
  value: string;
  onValue: (code: string) => void;
  help?: string;
  error?: string | null;
  focus?: boolean;
}

/** Six digits of an authenticator app. */
export function CodeField({ value, onValue, help, error, focus }: CodeProps) {
  const id = useId();
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class={`field code-field${error ? " wrong" : ""}`}>
      <label for={id}>{t("second.code")}</label>
      <input
        id={id}
        class="figure"
        type="text"
        inputMode="numeric"
        autocomplete="one-time-code"
        maxLength={7}
        spellcheck={false}
        value={value}
        ref={(box) => {
          if (focus && box && !box.dataset["met"]) {
            box.dataset["met"] = "yes"; // once: it comes while the page is being used
            box.focus();
          }
        }}
        aria-describedby={described || undefined}
        aria-invalid={error ? "true" : undefined}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      {help && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
      {error && <FieldError id={`${id}-error`} text={error} />}
    </div>
  );
}
