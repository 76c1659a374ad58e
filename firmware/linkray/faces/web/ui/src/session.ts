// Who is signed in, with which level; themes and languages that a visitor chose.

import { signal } from "@preact/signals";

import { call, csrf } from "./api";
import type { AccountName, Session } from "./words";

export const EV = 1;
export const INSTALLER = 2;
export const ASSEMBLER = 3;

export const session = signal<Session | null>(null);
/** Whether a session has ended by itself while the page was open. */
export const ended = signal(false);

function take(told: Session): Session {
  if (session.peek()?.account && !told.account) ended.value = true;
  session.value = told;
  csrf.value = told.csrf ?? "";
  return told;
}

export async function refreshSession(): Promise<Session> {
  return take((await call<Session>("GET", "/session", undefined, { signingIn: true })).body);
}

export async function signIn(
  account: AccountName,
  password: string,
  code?: string,
): Promise<Session> {
  const body = { account, password, ...(code ? { code } : {}) };
  const told = await call<Session>("POST", "/session", body, { signingIn: true });
  ended.value = false;
  return take(told.body);
}

export async function signOut(): Promise<void> {
  await call("DELETE", "/session", undefined, { signingIn: true });
  const old = session.peek();
  session.value = old ? { ...old, account: null, level: 0, must_change: false } : null;
  csrf.value = "";
  await refreshSession();
  ended.value = false;
}

export function level(): number {
  return session.value?.account ? session.value.level : 0;
}

// --- theme ---------------------------------------------------------------------------------------

export type Theme = "auto" | "light" | "dark";

export function kept(key: string): string | null {
  try {
    return localStorage.getItem(`linkray.${key}`);
  } catch {
    return null; // storage switched off: nothing is remembered
  }
}

export function keep(key: string, value: string): void {
  try {
    localStorage.setItem(`linkray.${key}`, value);
  } catch {
    // as above
  }
}

export const theme = signal<Theme>((kept("theme") as Theme | null) ?? "auto");
const dark = matchMedia("(prefers-color-scheme: dark)");

export function showTheme(): void {
  const shown = theme.value === "auto" ? (dark.matches ? "dark" : "light") : theme.value;
  document.documentElement.dataset["theme"] = shown;
}

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen;
  keep("theme", chosen);
  showTheme();
}

dark.addEventListener("change", showTheme);
