// Transactions: what was charged and drawn, day by day.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import { t } from "../i18n";
import { Link } from "../parts/basics";

export function Transactions() {
  return (
    <>
      <h1>{t("nav.transactions")}</h1>
      <nav class="tabs" aria-label={t("tx.tabs")}>
        <Link to="/transactions/days" current>
          {t("tx.days")}
        </Link>
      </nav>
      <DayGraphs />
    </>
  );
}

/** What draws comes in one piece, for this page and for Info. */
function DayGraphs() {
  const [Tab, setTab] = useState<ComponentType | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    import("./graphs").then(
      ({ DayGraphsTab }) => setTab(() => DayGraphsTab),
      () => setFailed(true),
    );
  }, []);
  if (failed) return <p class="second">{t("app.failed")}</p>;
  return Tab ? <Tab /> : <div class="bone tall" aria-busy="true" />;
}
