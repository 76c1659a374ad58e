// Addresses: every view has its own; leaving unsaved changes is asked about first.

import { signal } from "@preact/signals";

export const here = signal(location.pathname + location.search);

type Guard = (leave: () => void, to: string) => void;
let guard: Guard | null = null;

/** While set, a change of address calls it with what would do the change. */
export function guardLeaving(ask: Guard | null): void {
  guard = ask;
}

export function segments(): string[] {
  return new URL(here.value, location.origin).pathname.split("/").filter(Boolean).map(decoded);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export function query(name: string): string | null {
  return new URL(here.value, location.origin).searchParams.get(name);
}

export function go(to: string, replace = false): void {
  const leave = () => {
    // a language that was asked for in the address stays there
    const lang = new URLSearchParams(location.search).get("lang");
    const url = new URL(to, location.origin);
    if (lang && !url.searchParams.has("lang")) url.searchParams.set("lang", lang);
    const full = url.pathname + url.search;
    history[replace ? "replaceState" : "pushState"](null, "", full);
    here.value = full;
    if (!replace) arrive();
  };
  if (guard && !replace) guard(leave, to);
  else leave();
}

function arrive(): void {
  window.scrollTo(0, 0);
  document.querySelector(".body")?.scrollTo(0, 0); // narrow screens scroll there
  queueMicrotask(() => document.getElementById("main")?.focus({ preventScroll: true }));
}

window.addEventListener("popstate", () => {
  const wanted = location.pathname + location.search;
  if (guard) {
    history.pushState(null, "", here.peek());
    guard(() => {
      history.pushState(null, "", wanted);
      here.value = wanted;
    }, wanted);
  } else {
    here.value = wanted;
  }
});

window.addEventListener("beforeunload", (event) => {
  if (guard) event.preventDefault();
});

/** A click that the page itself should follow: plain, left, same window. */
export function follows(event: MouseEvent): boolean {
  return !(
    event.defaultPrevented ||
    event.button ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  );
}
