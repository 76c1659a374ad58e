// Texts: codes with parameters in a catalogue. A language is a file `lang/<code>.json`.
//
// In a text `{name}` is a parameter, `**…**` is bold, `[… {name} …]` is left out unless all its
// parameters are there, and `key.one` / `key.other` … are chosen by `{n}`. What comes from the box as
// a sentence is found by its words: `= no connection to {url}: {why}` (said.json, build.mjs).

import { signal } from "@preact/signals";
import { h, type ComponentChildren } from "preact";

import type en from "./lang/en.json";
import { keep, kept } from "./session";

/** Addresses of the catalogues by language, as JSON, from the build. */
declare const CATALOGUES: string;

type Catalogue = Record<string, string>;
export type Key = keyof typeof en;
export type Params = Record<string, string | number | null | undefined>;

const FILES = JSON.parse(CATALOGUES) as Record<string, string>;
const AGAIN_MS = 2_000;
/** English first. */
export const languages = (): string[] => [...new Set(["en", ...Object.keys(FILES)])];
export const lang = signal("");
const catalogue = signal<Catalogue>({});

/** The visitor's language, or English where its file does not come; nothing is said before. */
export async function startLanguage(): Promise<void> {
  const asked = new URLSearchParams(location.search).get("lang") ?? kept("lang");
  const theirs = navigator.languages.map((tag) => tag.slice(0, 2));
  const first = [asked, ...theirs].find((tag) => languages().includes(tag ?? ""));
  await useLanguage(first ?? "en", false);
  while (!lang.peek()) {
    await useLanguage("en", false);
    if (!lang.peek()) await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

/** Shows the pages in a language; one whose file does not come leaves them as they are. */
export async function useLanguage(chosen: string, remember = true): Promise<void> {
  try {
    const words = (await (await fetch(FILES[chosen] ?? "")).json()) as Catalogue;
    phrases = phrasesOf(words);
    known.clear();
    catalogue.value = words;
    lang.value = chosen;
  } catch {
    return;
  } finally {
    document.documentElement.lang = locale();
  }
  if (remember) keep("lang", chosen);
}

/** What Intl is asked for: the visitor's own variant of the language, where there is one. */
export function locale(): string {
  return navigator.languages.find((tag) => tag.split("-")[0] === lang.value) ?? lang.value;
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
  return key in catalogue.value;
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
  return say(has(key) ? key : "nth.other", { v: String(n) });
}

/** The text of a key with its bold parts bold. */
export function rich(key: string, params: Params = {}): ComponentChildren {
  const parts = filled(find(key, params), params).split("**");
  return parts.map((part, place) => (place % 2 ? h("b", null, part) : part));
}

/** A text that comes from the box: by its key, such as `help.<path>`, else by its words. */
export function given(text: string, key = ""): string {
  if (key in catalogue.value) return say(key);
  if (!phrases.length || text.length > SENTENCE_MAX) return text;
  const before = known.get(text);
  if (before !== undefined) return before;
  if (known.size >= KNOWN_MAX) known.clear();
  const words = translated(text);
  known.set(text, words);
  return words;
}

// --- sentences of the box ------------------------------------------------------------------------

interface Phrase {
  shape: RegExp;
  names: string[];
  words: string;
  literal: number; // characters that are no parameter: the more, the earlier it is tried
}

const KNOWN_MAX = 500; // sentences that are not looked for again
const SENTENCE_MAX = 1_000; // characters; what is longer is no sentence of the box
const known = new Map<string, string>();
let phrases: Phrase[] = [];

function phrasesOf(words: Catalogue): Phrase[] {
  const made = Object.entries(words).filter(([key]) => key.startsWith("= "));
  return made.map(([key, text]) => phraseOf(key.slice(2), text))
    .sort((a, b) => b.literal - a.literal);
}

function phraseOf(english: string, words: string): Phrase {
  const parts = english.split(/\{(\w+)\}/);
  const sources = parts.map((part, place) => (place % 2 ? "(.+?)" : escaped(part)));
  return {
    shape: new RegExp(`^${sources.join("")}$`, "is"),
    names: parts.filter((_, place) => place % 2),
    words,
    literal: parts.reduce((sum, part, place) => sum + (place % 2 ? 0 : part.length), 0),
  };
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** Parameters that people or chargers have named: they stay as they are. */
const NAMED = new Set([
  "charger", "key", "name", "url", "near", "field", "value", "form", "protocol", "tls", "version",
]);
const AMOUNT = /^(-?\d+\.\d+)( [a-zA-Z]{1,2})?$/;

/** A phrase with its parameters translated in their turn; of an amount, its decimal comma. */
function translated(text: string): string {
  const [, digits, unit = ""] = AMOUNT.exec(text) ?? [];
  if (digits !== undefined) return number(Number(digits), 3) + unit;
  for (const { shape, names, words } of phrases) {
    const found = shape.exec(text);
    if (!found) continue;
    const params = names.map((name, place) => {
      const value = found[place + 1] ?? "";
      return [name, NAMED.has(name) ? value : given(value)];
    });
    const made = filled(words, Object.fromEntries(params) as Params);
    const isCapital = /^\p{Lu}/u.test(text);
    return isCapital ? made.charAt(0).toUpperCase() + made.slice(1) : made;
  }
  const sentences = text.split(/(?<=[.?!]) (?=\p{Lu})/u);
  return sentences.length > 1 ? sentences.map((one) => given(one)).join(" ") : text;
}

function find(key: string, params: Params): string {
  const n = params["n"];
  const form =
    typeof n === "number" ? onceFor("plural", (tag) => new Intl.PluralRules(tag)).select(n) : "";
  return (
    catalogue.value[`${key}.${form}`] ??
    catalogue.value[key] ??
    catalogue.value[`${key}.other`] ??
    key
  );
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
