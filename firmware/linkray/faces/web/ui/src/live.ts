// The live stream: one snapshot with a sequence number per tick; how old the newest is.
//
// Closed while the tab is hidden and opened afresh on show. A lost line is tried again after
// 1, 2, 4 … 15 s (4 s for the first half minute: a restart is over by then). Age counts from
// arrival: the clocks of box and browser may differ.

import { computed, signal } from "@preact/signals";

import { call } from "./api";
import { session, refreshSession } from "./session";
import type { Snapshot } from "./words";

export const DIM_S = 3;
export const GREY_S = 10;
const SILENT_S = 6; // an open line that says nothing is opened again
const PAUSES_S = [1, 2, 4, 4, 4, 4, 4, 4, 8, 15];

export const snapshot = signal<Snapshot | null>(null);
/** No news can come (while the page is looked at): the line is down, or control is silent. */
export const away = signal<"" | "line" | "control">("");
export const arrivedAt = signal(performance.now());
/** Wall clock of the newest snapshot's arrival, for "as of 14:02". */
export const arrivedClock = signal(new Date());
const tick = signal(performance.now());

export const age = computed(() => Math.max(0, (tick.value - arrivedAt.value) / 1000));
export type Freshness = "live" | "dim" | "grey";
export const freshness = computed<Freshness>(() =>
  age.value <= DIM_S ? "live" : age.value <= GREY_S ? "dim" : "grey",
);
/** Whether what was told last may still be called so: nothing old is shown as well. */
export const known = computed(() => !away.value && freshness.value !== "grey");
/** Whether all charging is stopped. */
export const stopped = computed(() => snapshot.value?.site.emergency_stop ?? false);
/** Whether what changes things may be asked for: never on figures from the past. */
export const mayAct = computed(() => freshness.value !== "grey" && snapshot.value !== null);

let source: EventSource | null = null;
let openedAt = 0;
let failures = 0;
let retry: ReturnType<typeof setTimeout> | undefined;

function take(text: string): void {
  const next = JSON.parse(text) as Snapshot;
  const held = snapshot.peek();
  // what a new line tells first may be what is known already: that is no younger for it
  if (held && held.seq === next.seq && held.at === next.at) return;
  snapshot.value = next;
  arrivedAt.value = performance.now();
  arrivedClock.value = new Date();
  tick.value = arrivedAt.value;
  away.value = "";
  failures = 0;
}

function open(): void {
  close();
  if (document.hidden || !session.peek()?.account || session.peek()?.must_change) return;
  openedAt = performance.now();
  source = new EventSource("/api/v1/events");
  source.addEventListener("snapshot", (event) => take((event as MessageEvent<string>).data));
  source.addEventListener("away", () => {
    away.value = "control"; // the pages are served, but what they show has stopped
  });
  source.addEventListener("ended", () => {
    close();
    refreshSession().then(open, lost);
  });
  source.addEventListener("error", () => {
    away.value = "line";
    lost();
  });
}

function close(): void {
  clearTimeout(retry);
  retry = undefined;
  source?.close();
  source = null;
}

function lost(): void {
  close();
  away.value ||= "line";
  const pause = PAUSES_S[Math.min(failures, PAUSES_S.length - 1)] ?? 15;
  failures += 1;
  retry = setTimeout(() => {
    // an ended session looks like a lost line: ask which it is
    refreshSession().then(open, lost);
  }, pause * 1000);
}

/** A snapshot at once, outside the stream's beat: after an act. */
export async function look(): Promise<void> {
  const told = await call<Snapshot>("GET", "/snapshot");
  if (told.body.seq >= (snapshot.peek()?.seq ?? 0)) take(JSON.stringify(told.body));
}

let started = false;

export function startLive(): void {
  if (!started) {
    started = true;
    document.addEventListener("visibilitychange", () => {
      failures = 0;
      if (document.hidden) close();
      else open();
    });
    window.addEventListener("online", () => {
      if (away.peek()) open();
    });
    setInterval(beat, 500);
  }
  arrivedAt.value = performance.now();
  failures = 0;
  open();
}

export function stopLive(): void {
  close();
  snapshot.value = null;
  away.value = "";
}

function beat(): void {
  if (document.hidden) return;
  tick.value = performance.now();
  const open_s = (tick.peek() - openedAt) / 1000;
  if (source && open_s > SILENT_S && age.peek() > SILENT_S) lost();
}
