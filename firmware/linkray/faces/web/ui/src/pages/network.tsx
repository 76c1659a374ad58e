// Network: the way to the internet as a path, each link as it stands, the names of the box.

import { Fragment } from "preact";

import { t, say } from "../i18n";
import type { IconName } from "../icons";
import { snapshot } from "../live";
import { useAsked } from "../parts/asked";
import { Badge, Card, Icon, Link, Note } from "../parts/basics";
import { Tabbed, type Tab } from "../parts/tabbed";
import type { State } from "../site";

interface Line {
  name: string;
  kind: "ethernet" | "wifi" | "cellular";
  up: boolean;
  address: string;
  gateway: string;
}

interface View {
  links: Line[];
  preferred: string;
  route: string | null;
  names: string[];
  addresses: string[];
  serial: string;
  mac: string;
  sim: "absent" | "locked" | "ok";
  registered: boolean;
  signal_dbm: number | null;
  operator: string;
  simulated: boolean;
  csms: string;
}

const EVERY_MS = 5_000;
const ICON: Record<Line["kind"], IconName> = {
  ethernet: "network",
  wifi: "wifi",
  cellular: "signal",
};

const TABS: readonly Tab[] = [
  { id: "route", name: "net.route", show: RouteTab },
  { id: "ethernet", name: "net.ethernet", show: () => <LinkTab kind="ethernet" /> },
  { id: "wifi", name: "net.wifi", show: () => <LinkTab kind="wifi" /> },
  { id: "cellular", name: "net.cellular", show: () => <LinkTab kind="cellular" /> },
  { id: "name", name: "net.name", show: NameTab },
];

export function Network() {
  return <Tabbed page="network" title="nav.network" label="net.tabs" tabs={TABS} />;
}

function useNetwork(): [View | null, string] {
  const [now, failed] = useAsked<View>("/network", EVERY_MS);
  return [now, failed];
}

function Failed({ text }: { text: string }) {
  return text ? (
    <Note tone="fault" live>
      {text}
    </Note>
  ) : null;
}

const stateOf = (line: Line): State =>
  line.up
    ? { tone: "ok", icon: "circle-check", word: t("net.up") }
    : { tone: "idle", icon: "unplug", word: t("net.down") };

const nameOf = (line: Line): string => say(`net.kind_${line.kind}`);

// --- the way to the internet ---------------------------------------------------------------------

function RouteTab() {
  const [now, failed] = useNetwork();
  return (
    <>
      <Failed text={failed} />
      {now && (
        <>
          <Card title={t("net.way")}>
            <Way now={now} />
            {!now.route && <Note tone="limited">{t("net.no_way")}</Note>}
            <p class="second">{t("net.route_later")}</p>
            <p>
              <Link class="button plain" to="/configuration/csms">
                <Icon name="activity" /> <span>{t("net.try_csms")}</span>
              </Link>
            </p>
          </Card>
          <Card title={t("net.links")}>
            <ul class="people">
              {now.links.map((line) => (
                <LinkLine key={line.name} line={line} now={now} />
              ))}
            </ul>
            {now.simulated && <p class="second">{t("net.simulated")}</p>}
          </Card>
        </>
      )}
    </>
  );
}

interface Stop {
  icon: IconName;
  what: string;
  name: string;
  more?: string;
  state?: State;
}

function Way({ now }: { now: View }) {
  const line = now.links.find((one) => one.name === now.route);
  const stops: Stop[] = [{ icon: "zap", what: t("net.this_box"), name: now.serial }];
  if (line) {
    stops.push({ icon: ICON[line.kind], what: nameOf(line), name: line.address, more: line.name });
    stops.push({ icon: "network", what: t("net.gateway"), name: line.gateway });
  }
  stops.push(now.csms ? csmsStop(now.csms, Boolean(line)) : internetStop(Boolean(line)));
  return (
    <ol class={`net-way${line ? "" : " broken"}`} aria-label={t("net.way")}>
      {stops.map((stop, place) => (
        <Fragment key={stop.what}>
          {place > 0 && (
            <li class="net-line" aria-hidden="true">
              <Icon name={line ? "arrow-right" : "x"} />
            </li>
          )}
          <li class="net-stop">
            <Icon name={stop.icon} size={24} />
            <span class="second">{stop.what}</span>
            <b>{stop.name}</b>
            {stop.more && <span class="second">{stop.more}</span>}
            {stop.state && <Badge state={stop.state} />}
          </li>
        </Fragment>
      ))}
    </ol>
  );
}

const internetStop = (reached: boolean): Stop => ({
  icon: "globe",
  what: t("net.internet"),
  name: reached ? t("net.reached_by") : t("net.not_reached"),
});

function csmsStop(host: string, reached: boolean): Stop {
  const linked = snapshot.value?.site.csms === "connected";
  const state: State = linked
    ? { tone: "ok", icon: "circle-check", word: t("net.csms_linked") }
    : { tone: "limited", icon: "triangle-alert", word: t("net.csms_away") };
  return { icon: "globe", what: t("conf.csms"), name: host, ...(reached ? { state } : {}) };
}

function LinkLine({ line, now }: { line: Line; now: View }) {
  return (
    <li>
      <div class="people-who">
        <b>{nameOf(line)}</b>
        <span class="second">{line.name}</span>
      </div>
      <div class="people-state">
        <Badge state={stateOf(line)} />
        {line.name === now.route && (
          <Badge state={{ tone: "ok", icon: "arrow-right", word: t("net.carries") }} />
        )}
        {line.name === now.preferred && <span class="second">{t("net.preferred")}</span>}
      </div>
      <div class="people-acts">
        <span class="figure">{line.address || "–"}</span>
      </div>
    </li>
  );
}

// --- one link ------------------------------------------------------------------------------------

function LinkTab({ kind }: { kind: Line["kind"] }) {
  const [now, failed] = useNetwork();
  const line = now?.links.find((one) => one.kind === kind);
  return (
    <>
      <Failed text={failed} />
      {now && !line && <Note tone="idle">{t("net.none")}</Note>}
      {now && line && (
        <Card title={nameOf(line)} aside={<Badge state={stateOf(line)} />}>
          <Facts rows={factsOf(line, now)} />
          <p class="second">{say(`net.later_${kind}`)}</p>
        </Card>
      )}
    </>
  );
}

type Row = [string, string];

function factsOf(line: Line, now: View): Row[] {
  const rows: Row[] = [
    [t("net.interface"), line.name],
    [t("net.address"), line.address || "–"],
    [t("net.gateway"), line.gateway || "–"],
  ];
  if (line.kind === "ethernet") rows.push([t("net.mac"), now.mac]);
  if (line.kind === "cellular") rows.push(...modemRows(now));
  return rows;
}

const modemRows = (now: View): Row[] => [
  [t("net.sim"), say(`net.sim_${now.sim}`)],
  [t("net.registration"), t(now.registered ? "net.registered" : "net.not_registered")],
  [t("net.signal"), now.signal_dbm === null ? "–" : t("net.dbm", { v: now.signal_dbm })],
  [t("net.operator"), now.operator || "–"],
];

export function Facts({ rows }: { rows: readonly Row[] }) {
  return (
    <dl class="facts rows">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

// --- the names of the box ------------------------------------------------------------------------

function NameTab() {
  const [now, failed] = useNetwork();
  return (
    <>
      <Failed text={failed} />
      {now && (
        <Card title={t("net.names")}>
          <Facts
            rows={[
              [t("net.serial"), now.serial],
              [t("net.called"), now.names.join(", ")],
              [t("net.addresses"), now.addresses.join(", ")],
            ]}
          />
          <p class="second">{t("net.later_name")}</p>
        </Card>
      )}
    </>
  );
}
