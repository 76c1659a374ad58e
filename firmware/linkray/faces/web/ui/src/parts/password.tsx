// Passwords: a field that can be shown, and a word on how strong it is. The server decides.

import { useId, useState } from "preact/hooks";

import { say, t, type Key } from "../i18n";
import type { Tone } from "../site";
import { Icon } from "./basics";
import { FieldError } from "./fields";

const LEAST = 12; // access.md, People
const WORDS = 4;
const KNOWN = [
  "password",
  "passwort",
  "linkray",
  "123456",
  "qwerty",
  "letmein",
  "welcome",
  "changeme",
];

interface PasswordProps {
  label: string;
  value: string;
  onValue: (text: string) => void;
  fresh?: boolean; // a new password, not one to be remembered from before
  error?: string | null | undefined;
  help?: string;
  focus?: boolean;
}

export function Password({ label, value, onValue, fresh, error, help, focus }: PasswordProps) {
  const id = useId();
  const [shown, setShown] = useState(false);
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class={`field${error ? " wrong" : ""}`}>
      <label for={id}>{label}</label>
      <div class="with-button">
        <input
          id={id}
          type={(shown ? "text" : "password") as "password"}
          value={value}
          spellcheck={false}
          autocapitalize="off"
          autocomplete={fresh ? "new-password" : "current-password"}
          autofocus={focus}
          aria-describedby={described || undefined}
          aria-invalid={error ? "true" : undefined}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
        <button
          type="button"
          class="button quiet"
          aria-pressed={shown}
          onClick={() => setShown(!shown)}
          aria-label={t("sign.reveal")}
        >
          <Icon name={shown ? "eye-off" : "eye"} />
        </button>
      </div>
      {help && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
      {error && <FieldError id={`${id}-error`} text={error} />}
    </div>
  );
}

export interface Strength {
  parts: 0 | 1 | 2 | 3;
  tone: Tone;
  text: string;
}

export function strength(password: string, account: string): Strength {
  const short = LEAST - [...password].length;
  const words = password
    .trim()
    .split(/[\s\-_.]+/)
    .filter((word) => word.length > 2).length;
  const low = password.toLowerCase();
  const weak = (key: Key): Strength => ({ parts: 1, tone: "fault", text: t(key) });
  if (short > 0 && words < WORDS) {
    return { parts: 0, tone: "idle", text: say("strength.short", { n: short }) };
  }
  // "EV" is part of too many words; the server knows padding from a word
  if (account.length > 3 && low.includes(account.toLowerCase())) return weak("strength.name");
  if (new Set(low).size < 6) return weak("strength.same");
  if (KNOWN.some((known) => low.includes(known))) return weak("strength.common");
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^\w\s]/].filter((kind) => kind.test(password)).length;
  const score = [...password].length + kinds * 2 + words;
  if (score >= 26) return { parts: 3, tone: "ok", text: t("strength.strong") };
  if (score >= 21) return { parts: 2, tone: "ok", text: t("strength.good") };
  return { parts: 1, tone: "limited", text: t("strength.fair") };
}

export function StrengthBar({ password, account }: { password: string; account: string }) {
  if (!password) return <div class="strength" />;
  const found = strength(password, account);
  const icon = found.tone === "ok" ? "circle-check" : found.tone === "fault" ? "circle-x" : "info";
  return (
    <div class={`strength ${found.tone}`} role="status">
      <span class="strength-bar" aria-hidden="true">
        {[1, 2, 3].map((part) => (
          <i key={part} class={part <= found.parts ? "on" : ""} />
        ))}
      </span>
      <Icon name={icon} size={16} />
      <span>
        <span class="unseen">{t("strength.label")}: </span>
        {found.text}
      </span>
    </div>
  );
}
