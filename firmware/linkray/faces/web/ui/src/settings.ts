// The settings as they are edited: one draft over the tree in force, saved as a merge patch.

import { computed, signal } from "@preact/signals";

import { call, Problem } from "./api";
import { given } from "./i18n";
import type { Settings } from "./words";

export type Path = readonly (string | number)[];
type Tree = Record<string, unknown>;

export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  anyOf?: Schema[];
  type?: string;
  enum?: (string | number)[];
  properties?: Record<string, Schema>;
  items?: Schema;
  prefixItems?: Schema[];
  description?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  pattern?: string;
  nullable?: boolean; // null is a value: off
  default?: unknown;
  "x-unit"?: string;
  "x-level"?: number;
}

export const base = signal<Settings | null>(null);
export const draft = signal<Settings | null>(null);
export const schema = signal<Schema | null>(null);
export const conflict = signal(false);
export const loadFailed = signal<unknown>(null);
/** What the server said of a field, by its path (`$.site.voltage_mv`). */
export const refused = signal<{ path: string; text: string } | null>(null);
/** Fields whose text is no value yet, by path. */
export const unreadable = signal<Record<string, string>>({});
let etag: string | null = null;

export const revision = (): number | null => {
  const digits = /\d+/.exec(etag ?? "")?.[0];
  return digits === undefined ? null : Number(digits);
};

// --- comparing -----------------------------------------------------------------------------------

const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** RFC 7396: what makes `from` into `to`; undefined where they are the same. */
export function mergePatch(from: unknown, to: unknown): unknown {
  if (same(from, to)) return undefined;
  if (!isTree(from) || !isTree(to)) return to;
  const patch: Tree = {};
  for (const key of Object.keys(from)) if (!(key in to)) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    const change = mergePatch(from[key], value);
    if (change !== undefined) patch[key] = change;
  }
  return patch;
}

function patched(onto: unknown, patch: unknown): unknown {
  if (!isTree(patch)) return patch;
  const made: Tree = isTree(onto) ? { ...onto } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete made[key];
    else made[key] = patched(made[key], value);
  }
  return made;
}

/** How many fields differ; items of lists are told apart by their id or place. */
export function differences(from: unknown, to: unknown): number {
  if (same(from, to)) return 0;
  if (isTree(from) && isTree(to)) {
    const keys = new Set([...Object.keys(from), ...Object.keys(to)]);
    return [...keys].reduce((sum, key) => sum + differences(from[key], to[key]), 0);
  }
  if (Array.isArray(from) && Array.isArray(to) && [...from, ...to].every(isTree)) {
    return differences(byIdentity(from as Tree[]), byIdentity(to as Tree[]));
  }
  return 1;
}

function byIdentity(items: readonly Tree[]): Tree {
  return Object.fromEntries(items.map((item, place) => [String(item["id"] ?? place), item]));
}

export const changes = computed(() =>
  base.value && draft.value ? differences(base.value, draft.value) : 0,
);
export const invalid = computed(() => Object.keys(unreadable.value).length);
export const dirty = computed(() => changes.value > 0 || invalid.value > 0);

// --- reading and writing -------------------------------------------------------------------------

export async function loadSettings(wanted: () => boolean = () => true): Promise<void> {
  loadFailed.value = null;
  try {
    const [tree, shape] = await Promise.all([
      call<Settings>("GET", "/settings"),
      schema.peek() ? null : call<Schema>("GET", "/settings/schema"),
    ]);
    if (shape) schema.value = shape.body;
    if (wanted()) take(tree.body, tree.etag);
  } catch (problem) {
    loadFailed.value = problem;
  }
}

function take(tree: Settings, tag: string | null): void {
  base.value = tree;
  draft.value = tree;
  etag = tag;
  conflict.value = false;
  refused.value = null;
  unreadable.value = {};
}

/** Loads the settings unless there is work in progress, or was begun or saved before they came. */
export function settle(): void {
  const before = etag;
  const isIdle = () => !dirty.peek() && etag === before;
  if (isIdle()) void loadSettings(isIdle);
}

export function undo(): void {
  draft.value = base.value;
  refused.value = null;
  unreadable.value = {};
  conflict.value = false;
}

/** Saves the draft; a conflict or a refused field is told in the signals, the rest is thrown. */
export async function save(): Promise<boolean> {
  const patch = mergePatch(base.peek(), draft.peek());
  if (patch === undefined) return true;
  refused.value = null;
  try {
    const told = await call<Settings>("PATCH", "/settings", patch, { ifMatch: etag });
    take(told.body, told.etag);
    return true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.status === 412) {
      conflict.value = true;
      return false;
    }
    if (problem.status === 422 && problem.path) {
      refused.value = { path: problem.path, text: given(inUnits(problem.detail)) };
      return false;
    }
    throw problem;
  }
}

/** The server's words without the path, its mA and mV as the form shows them. */
function inUnits(detail: string): string {
  const words = detail.replace(/ - at `?\$.*$/, "");
  return words.replace(
    /(\d+) m([AV])\b/g,
    (_, n: string, unit: string) => `${Number(n) / 1000} ${unit}`,
  );
}

/** After a conflict: my changes on top of what is in force now. */
export async function rebase(): Promise<void> {
  const patch = mergePatch(base.peek(), draft.peek());
  const mine = { chargers: draft.peek()?.chargers, groups: draft.peek()?.groups };
  const old = base.peek();
  await loadSettings();
  if (patch === undefined || loadFailed.peek() || !isTree(patch) || !base.peek()) return;
  const merged = patched(base.peek(), patch) as Settings;
  for (const list of ["chargers", "groups"] as const) {
    if (list in patch)
      merged[list] = mergedList(old?.[list], mine[list], base.peek()?.[list]) as never;
  }
  draft.value = merged;
}

/** A list edited here and elsewhere: their items, with the fields that were changed here. */
function mergedList(old: unknown, mine: unknown, theirs: unknown): Tree[] {
  const items = (list: unknown) => (Array.isArray(list) ? (list as Tree[]) : []);
  const name = (item: Tree) => String(item["id"] ?? item["name"]);
  const find = (list: unknown, wanted: string) => items(list).find((i) => name(i) === wanted);
  const made = items(theirs)
    .filter((item) => find(mine, name(item)) || !find(old, name(item))) // deleted here: gone
    .map((item) => {
      const [before, now] = [find(old, name(item)), find(mine, name(item))];
      const patch = before && now ? mergePatch(before, now) : undefined;
      return patch === undefined ? item : (patchedItem(item, patch as Tree) as Tree);
    });
  const added = items(mine).filter((item) => !find(old, name(item)) && !find(theirs, name(item)));
  return [...made, ...added];
}

/** Inside lists null is a value, not a removal, but for the four that may be absent. */
function patchedItem(item: Tree, patch: Tree): Tree {
  const made = { ...item, ...patch };
  for (const key of ["max_ma", "max_w", "min_ma", "min_w"])
    if (made[key] === null) delete made[key];
  return made;
}

// --- by path -------------------------------------------------------------------------------------

export function at(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>((part, step) => (part as Tree | undefined)?.[step], tree);
}

/** A new tree with another value at the path; undefined takes the key away. */
export function withValue<T>(tree: T, path: Path, value: unknown): T {
  const [step, ...rest] = path;
  if (step === undefined) return value as T;
  if (Array.isArray(tree)) {
    return tree.map((item, place) => (place === step ? withValue(item, rest, value) : item)) as T;
  }
  const made: Tree = { ...(tree as Tree) };
  const inner = withValue(made[step], rest, value);
  if (inner === undefined) delete made[step];
  else made[step] = inner;
  return made as T;
}

export function setValue(path: Path, value: unknown): void {
  if (!draft.peek()) return;
  draft.value = withValue(draft.peek() as Settings, path, value);
  if (refused.peek()?.path === dollar(path)) refused.value = null;
}

/** `["site", "limit_ma", 0]` → `$.site.limit_ma[0]`, as the server names it. */
export function dollar(path: Path): string {
  return path.reduce<string>(
    (text, step) => text + (typeof step === "number" ? `[${step}]` : `.${step}`),
    "$",
  );
}

export function errorAt(path: Path): string | null {
  const name = dollar(path);
  if (unreadable.value[name]) return unreadable.value[name] ?? null;
  return refused.value?.path === name ? refused.value.text : null;
}

export function markUnreadable(path: Path, text: string | null): void {
  const name = dollar(path);
  if ((unreadable.peek()[name] ?? null) === text) return;
  const { [name]: _, ...rest } = unreadable.peek();
  unreadable.value = text === null ? rest : { ...rest, [name]: text };
}

/** The schema of a field, references followed and the null of a union left out. */
export function fieldSchema(path: Path): Schema {
  const root = schema.value;
  if (!root) return {};
  let part = whole(root, root);
  for (const step of path) {
    const next =
      typeof step === "number" ? (part.prefixItems?.[step] ?? part.items) : part.properties?.[step];
    part = next ? whole(next, root) : {};
  }
  return part;
}

function whole(part: Schema, root: Schema): Schema {
  if (part.$ref) {
    const target = root.$defs?.[part.$ref.replace("#/$defs/", "")] ?? {};
    const { $ref: _, ...own } = part;
    return { ...whole(target, root), ...own };
  }
  const choice = part.anyOf?.find((one) => one.type !== "null");
  if (choice) {
    const { anyOf: _, ...own } = part;
    const nullable = part.anyOf?.some((one) => one.type === "null") ?? false;
    return { ...whole(choice, root), ...own, nullable };
  }
  return part;
}
