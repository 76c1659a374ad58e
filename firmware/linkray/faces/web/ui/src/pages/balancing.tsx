// Balancing: the phases against their limits, every limit's headroom, who waits, and its settings.

import { t, type Key } from "../i18n";
import { freshness, snapshot } from "../live";
import { Card } from "../parts/basics";
import { PhaseBars } from "../parts/bars";
import { Setting } from "../parts/fields";
import { Kept, Limits, Waiting } from "../parts/nodes";
import { fieldSchema } from "../settings";

/** What is set here, by what it is about; the rest of the site's settings is on its own tab. */
const PARTS: readonly [Key, readonly string[]][] = [
  ["balance.sharing", ["fifo", "shed_order", "imbalance_ma", "use_solar_surplus"]],
  ["balance.calm", ["reduction_threshold_ma", "margin_ma", "measurand_interval_s"]],
  ["balance.safety", ["dead_man_s", "probe_chargers"]],
];
export const BALANCING = PARTS.flatMap(([, names]) => names);

export function BalancingTab() {
  const shot = snapshot.value;
  const known = fieldSchema(["site"]).properties ?? {};
  return (
    <>
      {shot && (
        <div class={`live ${freshness.value}`}>
          <PhaseBars shot={shot} />
          <Limits shot={shot} />
          <Waiting shot={shot} />
          <Kept shot={shot} />
        </div>
      )}
      {PARTS.map(([title, names]) => (
        <Card key={title} title={t(title)}>
          <div class="form two">
            {names
              .filter((name) => name in known)
              .map((name) => (
                <Setting key={name} path={["site", name]} />
              ))}
          </div>
        </Card>
      ))}
    </>
  );
}
