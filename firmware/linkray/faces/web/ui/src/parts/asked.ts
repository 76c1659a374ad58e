// What a path of the API answers, for pages that only show it.

import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { inWords } from "./dialog";

/** What a path answers, what went wrong, and how to ask once more; `every_ms` 0: asked once. */
export function useAsked<T>(path: string, every_ms = 0): [T | null, string, () => void] {
  const [told, setTold] = useState<T | null>(null);
  const [failed, setFailed] = useState("");
  const [round, setRound] = useState(0);
  useEffect(() => {
    let over = false;
    const ask = async () => {
      try {
        const answer = (await call<T>("GET", path)).body;
        if (!over) setTold(answer);
        if (!over) setFailed("");
      } catch (problem) {
        if (!over) setFailed(inWords(problem));
      }
    };
    void ask();
    const timer = every_ms
      ? setInterval(() => {
          if (!document.hidden) void ask();
        }, every_ms)
      : undefined;
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, [path, round]);
  return [told, failed, () => setRound((n) => n + 1)];
}
