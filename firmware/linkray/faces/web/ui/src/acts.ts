// Acts on chargers, told honestly: sent → accepted by the charger → seen in the current.

import { signal } from "@preact/signals";

import { call } from "./api";
import { say, t } from "./i18n";
import { snapshot } from "./live";
import { announce, askDanger, inWords } from "./parts/dialog";
import { keyOf, nameOf } from "./site";
import type { Charger } from "./words";

const SEEN_MA = 500; // drawn: more than a standing-by car's electronics
const SEEN_WITHIN_MS = 90_000;
const SHOWN_MS = 8_000;

export interface Progress {
  kind: "start" | "stop";
  step: "sent" | "accepted" | "seen" | "late" | "refused";
  why: string;
  until: number; // performance.now() at which it is taken down or given up
}

export const progress = signal<Readonly<Record<string, Progress>>>({});

function put(key: string, next: Progress | null): void {
  const { [key]: _, ...rest } = progress.peek();
  progress.value = next ? { ...rest, [key]: next } : rest;
}

export async function startOrStop(
  kind: "start" | "stop",
  charger: string,
  connector: number,
  tag?: string,
): Promise<void> {
  const key = keyOf(charger, connector);
  put(key, { kind, step: "sent", why: "", until: Infinity });
  const path = `/chargers/${encodeURIComponent(charger)}/connectors/${connector}/${kind}`;
  try {
    await call("POST", path, kind === "start" && tag ? { tag } : {}, { charger: true });
    put(key, { kind, step: "accepted", why: "", until: performance.now() + SEEN_WITHIN_MS });
    watch();
  } catch (problem) {
    put(key, { kind, step: "refused", why: inWords(problem), until: performance.now() + SHOWN_MS });
  }
}

/** On every snapshot: whether what was accepted can be seen in the current. */
function watch(): void {
  const now = performance.now();
  for (const [key, step] of Object.entries(progress.peek())) {
    if (step.step === "accepted" && seen(key, step.kind)) {
      put(key, { ...step, step: "seen", until: now + SHOWN_MS });
    } else if (now > step.until) {
      put(key, step.step === "accepted" ? { ...step, step: "late", until: now + SHOWN_MS } : null);
    }
  }
}

function seen(key: string, kind: Progress["kind"]): boolean {
  for (const charger of snapshot.peek()?.chargers ?? []) {
    for (const connector of charger.connectors) {
      if (keyOf(charger.id, connector.id) !== key || !connector.drawn_ma) continue;
      const drawn = Math.max(...connector.drawn_ma);
      return kind === "start" ? drawn > SEEN_MA : drawn <= SEEN_MA && !connector.transaction_id;
    }
  }
  return false;
}

snapshot.subscribe(() => {
  queueMicrotask(watch);
});

// --- many at once --------------------------------------------------------------------------------

/** Priority is shown at once and rolls back by itself: the next snapshot says what holds. */
export async function setPriority(chargers: readonly string[], priority: "high" | "normal") {
  const old = snapshot.peek();
  if (old) {
    const changed = old.chargers.map((c) => (chargers.includes(c.id) ? { ...c, priority } : c));
    snapshot.value = { ...old, chargers: changed };
  }
  try {
    await call("POST", "/chargers/priority", { chargers, priority });
    announce(t(priority === "high" ? "ticked.done_high" : "ticked.done_balanced"));
  } catch (problem) {
    if (old && snapshot.peek()?.seq === old.seq) snapshot.value = old;
    announce(inWords(problem), true);
  }
}

export function askDelete(chargers: readonly Charger[], done: () => void): void {
  const ids = chargers.map((charger) => charger.id);
  const frees = freedMa(chargers);
  const running = chargers
    .flatMap((charger) => charger.connectors)
    .filter((connector) => connector.transaction_id !== null).length;
  const first = chargers[0];
  askDanger({
    title:
      chargers.length === 1 && first
        ? t("delete.title", { name: nameOf(first) })
        : say("delete.title_many", { n: chargers.length }),
    body: say(frees ? "delete.body" : "delete.body_unknown", {
      n: chargers.length,
      amps: t("unit.a", { v: frees / 1000 }),
    }),
    sessions: running,
    verb: t("delete.do"),
    act: async () => {
      await call("POST", "/chargers/delete", { chargers: ids });
      done();
      return say("delete.done", { n: chargers.length });
    },
  });
}

/** What the chargers could have drawn on their highest phase: what deleting gives back. */
function freedMa(chargers: readonly Charger[]): number {
  const offers = snapshot.peek()?.plan.offers ?? [];
  const sum: [number, number, number] = [0, 0, 0];
  for (const offer of offers) {
    if (!chargers.some((charger) => charger.id === offer.charger)) continue;
    const most = offer.ceilings.find((ceiling) => ceiling.code === "charger_max")?.ma ?? [0, 0, 0];
    most.forEach((ma, phase) => {
      sum[phase as 0 | 1 | 2] += ma;
    });
  }
  return Math.max(...sum);
}

// --- all at once ---------------------------------------------------------------------------------

/** Two steps; never off: it tries, and says whether it arrived. */
export function askStopAll(): void {
  askDanger({
    title: t("stop.title"),
    body: t("stop.body"),
    sessions: snapshot.peek()?.site.sessions ?? 0,
    verb: t("stop.do"),
    act: async () => {
      await call("POST", "/emergency-stop", { on: true });
      return t("stop.arrived");
    },
  });
}

export function askAllow(): void {
  askDanger({
    title: t("allow.title"),
    body: t("allow.body"),
    sessions: null,
    verb: t("allow.do"),
    calm: true,
    act: async () => {
      await call("POST", "/emergency-stop", { on: false });
      return t("allow.arrived");
    },
  });
}
