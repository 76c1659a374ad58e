// Proxy: the neighbours that LinkRay knows of. It opens none of their pages.

import { t } from "../i18n";
import { snapshot } from "../live";
import { useAsked } from "../parts/asked";
import { Badge, Card, Icon, Note } from "../parts/basics";
import { Tabbed, type Tab } from "../parts/tabbed";
import { nameOf } from "../site";

interface Neighbour {
  kind: "charger" | "gateway";
  address: string;
  charger: string;
}

const EVERY_MS = 10_000;
const TABS: readonly Tab[] = [{ id: "targets", name: "proxy.targets", show: Targets }];

export function Proxy() {
  return <Tabbed page="proxy" title="nav.proxy" label="proxy.tabs" tabs={TABS} />;
}

function Targets() {
  const [rows, failed] = useAsked<Neighbour[]>("/neighbours", EVERY_MS);
  const chargers = snapshot.value?.chargers ?? [];
  return (
    <>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      <Card
        title={t("proxy.neighbours")}
        aside={<Badge state={{ tone: "idle", icon: "circle-dashed", word: t("proxy.off") }} />}
      >
        <p>{t("proxy.later")}</p>
        {rows && !rows.length && <p class="second">{t("proxy.none")}</p>}
        <ul class="people neighbours">
          {rows?.map((one) => {
            const known = chargers.find((charger) => charger.id === one.charger);
            return (
              <li key={`${one.kind} ${one.charger} ${one.address}`}>
                <div class="people-who">
                  <b>{known ? nameOf(known) : one.charger || t("net.gateway")}</b>
                  {one.charger && <span class="second">{one.charger}</span>}
                </div>
                <div class="people-state">
                  <Icon name={one.kind === "charger" ? "plug-zap" : "network"} />
                  <span class="second">
                    {t(one.kind === "charger" ? "proxy.charger" : "net.gateway")}
                  </span>
                </div>
                <div class="people-acts">
                  <span class="figure">{one.address}</span>
                </div>
              </li>
            );
          })}
        </ul>
      </Card>
    </>
  );
}
