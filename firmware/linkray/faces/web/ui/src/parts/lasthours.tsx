// The place of the last 24 hours on Info: its room is kept, what fills it comes when it is in sight,
// and not before what is read at once is there.

import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { t } from "../i18n";
import { Card } from "./basics";

const FIRST_MS = 2_500; // of a visit

export function LastHours() {
  const place = useRef<HTMLDivElement>(null);
  const [Shown, setShown] = useState<ComponentType | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const fill = () =>
      import("../pages/graphs").then(
        ({ Last24 }) => setShown(() => Last24),
        () => setFailed(true),
      );
    const sight = new IntersectionObserver((seen) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      sight.disconnect();
      timer = setTimeout(() => void fill(), Math.max(0, FIRST_MS - performance.now()));
    });
    if (place.current) sight.observe(place.current);
    return () => {
      sight.disconnect();
      clearTimeout(timer);
    };
  }, []);
  return (
    <Card title={t("graph.last_24")} class="last24">
      <div class="last24-room" ref={place}>
        {Shown ? <Shown /> : failed ? <p class="second">{t("app.failed")}</p> : null}
      </div>
    </Card>
  );
}
