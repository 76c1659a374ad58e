// Texts: codes with parameters in a catalogue. A language is a file `lang/<code>.json`.
//
// In a text `{name}` is a parameter, `**…**` is bold, `[… {name} …]` is left out unless all its
// parameters are there, and `key.one` / `key.other` … are chosen by `{n}`. Language `xx` is made
// here, 40 % longer and accented, for tests of the layout.

import { signal } from "@preact/signals";
import { h, type ComponentChildren } from "preact";

import en from "./lang/en.json";
import { keep, kept } from "./session";

/** Addresses of further catalogues by language, from the build. */
declare const CATALOGUES: Record<string, string>;

type Catalogue = Record<string, string>;
export type Key = keyof typeof en;
export type Params = Record<string, string | number | null | undefined>;

const ENGLISH: Catalogue = en;
export const PSEUDO = "xx";
export const languages = (): string[] => ["en", ...Object.keys(CATALOGUES)];
export const lang = signal("en");
const catalogue = signal<Catalogue>(ENGLISH);

export async function startLanguage(): Promise<void> {
  const asked = new URLSearchParams(location.search).get("lang") ?? kept("lang");
  const theirs = navigator.languages.map((tag) => tag.slice(0, 2));
  const first = [asked, ...theirs].find((tag) => tag === PSEUDO || languages().includes(tag ?? ""));
  await useLanguage(first ?? "en", false);
}

export async function useLanguage(chosen: string, remember = true): Promise<void> {
  const address = CATALOGUES[chosen];
  if (address) catalogue.value = (await (await fetch(address)).json()) as Catalogue;
  else catalogue.value = ENGLISH;
  lang.value = chosen;
  document.documentElement.lang = locale();
  if (remember) keep("lang", chosen);
}

/** What Intl is asked for: the visitor's own variant of the language, where there is one. */
export function locale(): string {
  const language = lang.value === PSEUDO ? "en" : lang.value;
  return navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;
}

const made = new Map<string, unknown>();

/** Intl's objects are dear to make and cheap to use: each is made once per language. */
export function onceFor<T>(what: string, make: (locale: string) => T): T {
  const key = `${locale()} ${what}`;
  if (!made.has(key)) made.set(key, make(locale()));
  return made.get(key) as T;
}

export function number(value: number, digits: number, least = 0, grouping = true): string {
  return onceFor(
    `number ${digits} ${least} ${grouping}`,
    (tag) =>
      new Intl.NumberFormat(tag, {
        minimumFractionDigits: least,
        maximumFractionDigits: digits,
        useGrouping: grouping,
      }),
  ).format(value === 0 ? 0 : value); // never "-0"
}

/** A number without the language's thousands separators, where it stands in groups of three. */
export function ungrouped(text: string): string {
  const sign = onceFor("thousands", (tag) => {
    const parts = new Intl.NumberFormat(tag).formatToParts(1_234_567);
    return parts.find((part) => part.type === "group")?.value ?? "";
  });
  const [whole = "", ...rest] = sign ? text.split(/\s/.test(sign) ? /\s/ : sign) : [text];
  const groups = /^-?[1-9]\d{0,2}$/.test(whole) && rest.every((part) => /^\d{3}\b/.test(part));
  return rest.length && groups ? [whole, ...rest].join("") : text;
}

export function has(key: string): boolean {
  return key in ENGLISH;
}

/** The text of a key that is put together at run time. */
export function say(key: string, params: Params = {}): string {
  return filled(find(key, params), params).replaceAll("**", "");
}

/** The text of a key. */
export function t(key: Key, params: Params = {}): string {
  return say(key, params);
}

/** "2nd", as the language counts places. */
export function nth(n: number): string {
  const rules = onceFor("ordinal", (tag) => new Intl.PluralRules(tag, { type: "ordinal" }));
  const key = `nth.${rules.select(n)}`;
  return say(key in catalogue.value || key in ENGLISH ? key : "nth.other", { v: String(n) });
}

/** The text of a key with its bold parts bold. */
export function rich(key: string, params: Params = {}): ComponentChildren {
  const parts = filled(find(key, params), params).split("**");
  return parts.map((part, place) => (place % 2 ? h("b", null, part) : part));
}

/** A text that comes from the server, such as a setting's help: `help.<path>` translates it. */
export function given(text: string, key = ""): string {
  if (key in catalogue.value) return say(key);
  return lang.value === PSEUDO ? pseudo(text) : text;
}

function find(key: string, params: Params): string {
  const n = params["n"];
  const form =
    typeof n === "number" ? onceFor("plural", (tag) => new Intl.PluralRules(tag)).select(n) : "";
  const text =
    catalogue.value[`${key}.${form}`] ??
    catalogue.value[key] ??
    catalogue.value[`${key}.other`] ??
    ENGLISH[`${key}.${form}`] ??
    ENGLISH[key] ??
    ENGLISH[`${key}.other`] ??
    key;
  return lang.value === PSEUDO ? pseudo(text) : text;
}

const present = (value: unknown): boolean => value !== undefined && value !== null && value !== "";

function filled(text: string, params: Params): string {
  const kept_ = text.replace(/\[([^\]{]*\{[^\]]*)\]/g, (_, part: string) => {
    const names = [...part.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
    return names.every((name) => present(params[name])) ? part : "";
  });
  return kept_.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    return typeof value === "number" ? number(value, 3) : (value ?? "").toString();
  });
}

const ACCENTED: Record<string, string> = {
  a: "à",
  e: "é",
  i: "î",
  o: "ö",
  u: "ü",
  A: "Å",
  E: "É",
  I: "Î",
  O: "Ö",
  U: "Ü",
  c: "ç",
  n: "ñ",
};

function pseudo(text: string): string {
  const shown = text.replace(/\{\w+\}/g, "");
  const accented = text.replace(/\{\w+\}|[a-zA-Z]/g, (part) => ACCENTED[part] ?? part);
  const more = Math.ceil(shown.length * 0.4);
  return `${accented}${"·ẋẋẋẋẋ ẋẋẋẋ"
    .repeat(Math.ceil(more / 11))
    .slice(0, more)
    .trimEnd()}`;
}
