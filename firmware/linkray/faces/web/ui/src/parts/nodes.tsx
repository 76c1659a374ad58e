// The limits of the site as a tree, each with its headroom; and who waits under them.

import { amps, ampsOf } from "../format";
import { say, t } from "../i18n";
import {
  byName,
  headroom,
  highest,
  keptBeyond,
  nameOf,
  phaseName,
  points,
  stateOf,
  tree,
  type Limb,
  type Point,
} from "../site";
import { keptWords, nextLook } from "../why";
import type { NodeRoom, Snapshot } from "../words";
import { Badge, Card, Icon } from "./basics";
import { roomWords, share } from "./bars";
import { PhaseTag } from "./fields";
import { Why } from "./points";

/** Site, groups and shared supplies, nested as the current flows. */
export function Limits({ shot }: { shot: Snapshot }) {
  const root = tree(shot);
  return (
    <Card title={t("limits.title")} class="limits-card">
      <p class="second">{t("limits.more")}</p>
      <ul class="limits">
        <Twig limb={root} shot={shot} />
      </ul>
      <ul class="legend">
        <li>
          <i class="swatch building" />
          {t("phases.building")}
        </li>
        <li>
          <i class="swatch chargers" />
          {t("limits.drawn")}
        </li>
        <li>
          <i class="swatch promised" />
          {t("limits.promised")}
        </li>
        <li>
          <i class="swatch reserved" />
          {t("phases.reserved")}
        </li>
      </ul>
    </Card>
  );
}

function Twig({ limb, shot }: { limb: Limb; shot: Snapshot }) {
  const { node, children } = limb;
  const room = headroom(node);
  const title = titleOf(node, shot);
  return (
    <li>
      <div class="limit">
        <div class="limit-head">
          <h3>
            {title} <span class="second">{t(`limits.kind_${node.code as Kind}`)}</span>
          </h3>
          <span class={room.free < 0 ? "over" : "second"}>
            {roomWords(room)}
          </span>
        </div>
        {[0, 1, 2]
          .filter((place) => (node.limit_ma[place] ?? 0) > 0)
          .map((place) => (
            <Rail key={place} node={node} place={place} title={title} />
          ))}
      </div>
      {children.length > 0 && (
        <ul>
          {children.map((child) => (
            <Twig key={`${child.node.code}/${child.node.name}`} limb={child} shot={shot} />
          ))}
        </ul>
      )}
    </li>
  );
}

type Kind = "site_limit" | "group_limit" | "supply_limit";

function titleOf(node: NodeRoom, shot: Snapshot): string {
  if (node.code === "site_limit") return shot.site.name || t("groupset.site");
  const charger = shot.chargers.find((one) => one.id === node.name);
  return node.code === "supply_limit" && charger ? nameOf(charger) : node.name;
}

/** One phase of a limit: building, drawn, promised beyond that, reserved; the end is the limit. */
function Rail({ node, place, title }: { node: NodeRoom; place: number; title: string }) {
  const of = (ma: readonly number[]) => Math.max(0, ma[place] ?? 0);
  const [building, drawn] = [of(node.building_ma), of(node.drawn_ma)];
  const reserved = keptBeyond(node, place);
  const promised = Math.max(0, of(node.promised_ma) - drawn);
  const limit = of(node.limit_ma);
  const scale = Math.max(limit, building + drawn + promised + reserved, 1);
  const parts: [string, number, number][] = [
    ["building", 0, building],
    ["chargers", building, drawn],
    ["promised", building + drawn, promised],
    ["reserved", building + drawn + promised, reserved],
  ];
  const words = t("limits.read", {
    name: title,
    phase: phaseName(place),
    building: node.code === "site_limit" ? amps(building) : null,
    drawn: amps(drawn),
    promised: amps(of(node.promised_ma)),
    reserved: amps(reserved),
    limit: amps(limit),
  });
  return (
    <div class={`rail p${place + 1}`}>
      <PhaseTag place={place} />
      <div class="rail-bar" role="img" aria-label={words}>
        {parts.map(([kind, from, ma]) => (
          <span
            key={kind}
            class={`part ${kind}`}
            style={{ insetInlineStart: `${share(from, scale)}%`, width: `${share(ma, scale)}%` }}
          />
        ))}
        {scale > limit && (
          <span class="mark limit" style={{ insetInlineStart: `${share(limit, scale)}%` }} />
        )}
      </div>
      <span class="figure rail-words">
        {t("groups.load", { used: ampsOf(building + drawn), limit: amps(limit) })}
      </span>
    </div>
  );
}

// --- who waits -----------------------------------------------------------------------------------

/** Connectors that want current and are offered none: line by line, each in its order. */
function waiting(shot: Snapshot): Point[] {
  const all = points(shot).filter(
    ({ charger, connector, offer }) =>
      charger.connected &&
      connector.transaction_id !== null &&
      offer !== null &&
      highest(offer.offer_ma).ma === 0,
  );
  const place = (point: Point) => point.offer?.reason.place ?? Infinity;
  const line = ({ offer }: Point) => {
    const { group, charger, phase } = offer?.reason ?? {};
    return [group, charger, phase].map((one) => one ?? "").join("/");
  };
  const rank = (point: Point) => Number(place(point) === Infinity);
  return all.sort(
    (a, b) => rank(a) - rank(b) || line(a).localeCompare(line(b)) || place(a) - place(b),
  );
}

const fullName = (point: Point): string =>
  point.several
    ? `${point.title} · ${t("tile.connector", { id: point.connector.id })}`
    : point.title;

/** For whom something of the limits is kept back, and how much. */
export function Kept({ shot }: { shot: Snapshot }) {
  const all = points(shot).filter(keptWords);
  if (!all.length) return null;
  return (
    <Card title={t("kept.title")} class="kept-card">
      <p class="second">{t("kept.more")}</p>
      <ul class="kept-list">
        {all.map((point) => (
          <li key={point.key}>
            <b>{fullName(point)}</b>
            <Badge state={stateOf(point.charger, point.connector)} />
            <span>{keptWords(point)}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

export function Waiting({ shot }: { shot: Snapshot }) {
  const all = waiting(shot);
  const high = byName(shot.chargers).filter((charger) => charger.priority === "high");
  return (
    <Card
      title={t("waiting.title")}
      aside={<span class="second">{say("waiting.n", { n: all.length })}</span>}
      class="waiting-card"
    >
      {!all.length && <p class="second">{t("waiting.none")}</p>}
      {all.length > 0 && (
        <ol class="waiting-list">
          {all.map((point) => (
            <li key={point.key}>
              <Icon name="pause" size={18} />
              <b>{fullName(point)}</b>
              <Why point={point} />
              <span class="second look">
                {point.offer && t("waiting.look", { when: nextLook(point.offer) })}
              </span>
            </li>
          ))}
        </ol>
      )}
      {high.length > 0 && (
        <p class="second">
          <Icon name="star" size={16} /> {t("waiting.high", { names: high.map(nameOf).join(", ") })}
        </p>
      )}
    </Card>
  );
}
