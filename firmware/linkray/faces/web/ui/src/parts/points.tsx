// Connectors: as tiles or as a dense table; starting and stopping them; ticking their chargers.

import { signal } from "@preact/signals";

import { progress, startOrStop, type Progress } from "../acts";
import { amps, ampsColumn, kw, kwh, kwOf } from "../format";
import { t } from "../i18n";
import type { IconName } from "../icons";
import { stopped } from "../live";
import { INSTALLER, level } from "../session";
import {
  alike,
  drawnOf,
  highest,
  maximum,
  NONE,
  phaseName,
  shownW,
  stateOf,
  type Branch,
  type Point,
} from "../site";
import { causeOf, heldWords, keptWords, sentence } from "../why";
import type { Phases } from "../words";
import { Badge, Button, Icon, Steady, Tick } from "./basics";
import { DrawBar } from "./bars";

/** Ticked chargers, by identity. */
export const ticked = signal<ReadonlySet<string>>(new Set());
/** The connector whose ceilings are shown. */
export const explained = signal<string | null>(null);

export function tick(ids: readonly string[], on: boolean): void {
  const next = new Set(ticked.peek());
  for (const id of ids) {
    if (on) next.add(id);
    else next.delete(id);
  }
  ticked.value = next;
}

const fullName = (point: Point): string =>
  point.several
    ? `${point.title} · ${t("tile.connector", { id: point.connector.id })}`
    : point.title;

interface Amounts {
  offered: number | null; // by the plan; null: no plan knows it
  accepted: number | null; // by the charger; null: not known, or nothing to accept
  pending: boolean; // what is offered is not what is accepted
}

/** What it is offered, and what of it the charger has accepted, on the highest phase. */
function amountsOf({ connector, offer }: Point): Amounts {
  const offered = offer && highest(offer.offer_ma).ma;
  const accepted = connector.offer_ma && highest(connector.offer_ma).ma;
  return { offered, accepted, pending: offered !== null && offered !== (accepted ?? 0) };
}

/** "10.2 A drawn of 16 A offered, L2": one number is named by its phase unless all are alike. */
function drawnWords(point: Point): string {
  const { offered, accepted, pending } = amountsOf(point);
  const drawn = point.connector.drawn_ma;
  if (!drawn && offered === null) return t("tile.nothing");
  const top = drawn && highest(drawn);
  const params = {
    drawn: top && amps(top.ma),
    phase: top && drawn && !alike(drawn) && top.ma ? phaseName(top.phase) : null,
    offered: amps(offered ?? 0),
    accepted: amps(accepted ?? 0),
  };
  if (offered === null) return t("tile.offer_unknown", params);
  if (pending) return t(top ? "tile.pending" : "tile.pending_unmeasured", params);
  if (!top) return t(offered ? "tile.unmeasured" : "tile.none_unmeasured", params);
  return t(offered ? "tile.offered" : "tile.none_offered", params);
}

/** What is said of a charger that is not connected: nothing new of its offer. */
function lostWords({ connector }: Point): string | null {
  const drawn = connector.drawn_ma && highest(connector.drawn_ma).ma;
  return drawn ? t("tile.last_drawn", { drawn: amps(drawn) }) : null;
}

/** "3.7 kW", "≤ 3.7 kW" where it is not measured: so it counts, in every sum. */
function power(point: Point, voltage: Phases, write: (w: number) => string): string {
  const counted = shownW(drawnOf(point), voltage);
  if (point.connector.drawn_ma) return write(counted);
  return counted ? t("tile.at_most", { power: write(counted) }) : "–";
}

/**
 * Everything that a tile or a row shows of a connector, to tell whether it has changed. Not more:
 * a ceiling that moves with the building's noise, or the site's voltage, draws nobody anew.
 */
export function sameness(point: Point, voltage: Phases): string {
  const { charger, connector, offer, several } = point;
  const { id, name, priority, connected, vendor, model } = charger;
  return JSON.stringify([
    [id, name, priority, connected, vendor, model, several],
    connector,
    offer && [offer.offer_ma, maximum(point), causeOf(point), keptWords(point)],
    heldWords(point),
    power(point, voltage, kwOf),
  ]);
}

interface PointsProps {
  voltage: Phases;
}

interface TileProps extends PointsProps {
  point: Point;
  alone?: boolean; // on the charger's own page: nothing to tick
}

export function Tile({ point, voltage, alone = false }: TileProps) {
  const { charger, connector } = point;
  const drawn = connector.drawn_ma;
  const { offered, accepted } = amountsOf(point);
  const most = maximum(point) ?? NONE;
  const words = charger.connected ? drawnWords(point) : lostWords(point);
  const Name = alone ? "h3" : "h4";
  return (
    <li class={`tile ${charger.connected ? "" : "offline"}`}>
      <div class="tile-head">
        {level() >= INSTALLER && !alone && (
          <Tick
            label={t("tile.select", { name: point.title })}
            checked={ticked.value.has(charger.id)}
            onChange={(on) => tick([charger.id], on)}
          />
        )}
        <div class="tile-name">
          <Name>{point.title}</Name>
          <span class="second">
            {point.several
              ? t("tile.connector", { id: connector.id })
              : (charger.name && charger.id) || `${charger.vendor} ${charger.model}`}
          </span>
        </div>
        <Badge state={stateOf(charger, connector)} />
      </div>
      <div class="tile-figures">
        <b class="figure">{power(point, voltage, kw)}</b>
        <span class="figure second">
          {connector.energy_wh === null ? "–" : kwh(connector.energy_wh)}
        </span>
        {charger.priority === "high" && <High />}
      </div>
      <DrawBar
        drawn={drawn ? highest(drawn).ma : 0}
        accepted={accepted ?? 0}
        offered={offered ?? 0}
        most={highest(most).ma}
        label={words ?? t("tile.nothing")}
      />
      {words && <p class="tile-words second">{words}</p>}
      <Kept point={point} />
      <Held point={point} />
      <div class="tile-foot">
        <Why point={point} />
        <StartStop point={point} />
      </div>
      <Steps step={progress.value[point.key]} />
    </li>
  );
}

/** How much of the limits is kept for it, where it cannot be told. */
export function Kept({ point }: { point: Point }) {
  const words = keptWords(point);
  return (
    words && (
      <p class="tile-note">
        <Icon name="lock" size={16} /> <span>{words}</span>
      </p>
    )
  );
}

/** Until when the limits of the meter's failure still hold. */
export function Held({ point }: { point: Point }) {
  const words = heldWords(point);
  return (
    words && (
      <p class="tile-note">
        <Icon name="clock" size={16} /> <span>{words}</span>
      </p>
    )
  );
}

function High() {
  return (
    <span class="high">
      <Icon name="star" size={16} /> <span>{t("tile.high")}</span>
    </span>
  );
}

export function Why({ point }: { point: Point }) {
  const words = sentence(point);
  if (!words) return <span class="why none second">{t("tile.no_plan")}</span>;
  return (
    <button
      type="button"
      class="why"
      aria-haspopup="dialog"
      onClick={() => {
        explained.value = point.key;
      }}
    >
      <span>{words}</span>
      <Icon name="chevron-right" size={18} />
    </button>
  );
}

/** Why nothing is started now; what runs can always be stopped. */
export const whyNoStart = (running: boolean): string | undefined =>
  stopped.value && !running ? t("tile.no_start") : undefined;

export function StartStop({ point }: { point: Point }) {
  const { charger, connector } = point;
  const running = connector.transaction_id !== null;
  const step = progress.value[point.key]?.step;
  const name = fullName(point);
  const word = running ? t("tile.stop") : t("tile.start"); // the name heard begins with it
  const act = () => void startOrStop(running ? "stop" : "start", charger.id, connector.id);
  return (
    <Button
      acts
      small
      icon={running ? "square" : "play"}
      onClick={act}
      disabled={!charger.connected}
      why={whyNoStart(running)}
      busy={step === "sent"}
      label={`${word} · ${name}`}
    >
      {word}
    </Button>
  );
}

const ORDER = ["sent", "accepted", "seen"] as const;

/** Sent → accepted → seen, each step shown and none pretended. */
export function Steps({ step }: { step: Progress | undefined }) {
  if (!step) return null;
  if (step.step === "refused") {
    return (
      <p class="steps fault" role="alert">
        <Icon name="circle-x" size={18} /> {t("step.refused", { why: step.why })}
      </p>
    );
  }
  if (step.step === "late") {
    return (
      <p class="steps" role="status">
        <Icon name="hourglass" size={18} /> {t("step.waiting")}
      </p>
    );
  }
  const reached = ORDER.indexOf(step.step);
  return (
    <div role="status" aria-label={t(`step.title_${step.kind}`)}>
      <ol class="steps">
        {ORDER.map((name, place) => {
          const icon: IconName = place <= reached ? "circle-check" : "circle-dashed";
          return (
            <li key={name} class={place <= reached ? "done" : ""}>
              <Icon name={icon} size={16} /> {t(`step.${name}`)}
            </li>
          );
        })}
      </ol>
    </div>
  );
}

// --- the dense table: LinkRay's columns ---------------------------------------------------------

export function PointTable({
  branch,
  voltage,
  title,
}: { branch: Branch; title: string } & PointsProps) {
  const picks = level() >= INSTALLER;
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label={title}>
      <table class="dense">
        <thead>
          <tr>
            {picks && (
              <th scope="col" class="c-tick">
                <Selecting branch={branch} />
              </th>
            )}
            <th scope="col" class="c-name">
              {t("table.name")}
            </th>
            <th scope="col" class="c-status">
              {t("table.status")}
            </th>
            <th scope="col" class="num c-amount">
              {t("table.offered")}
            </th>
            <th scope="col" class="num c-amount">
              {t("table.power")}
            </th>
            {[0, 1, 2].map((place) => (
              <th scope="col" class="num c-amount" key={place}>
                <span class={`phase p${place + 1}`}>{`L${place + 1} [A]`}</span>
              </th>
            ))}
            <th scope="col">{t("table.why")}</th>
            <th scope="col" class="c-acts">
              {t("table.controls")}
            </th>
          </tr>
        </thead>
        <tbody>
          {branch.points.map((point) => (
            <Steady key={point.key} same={sameness(point, voltage) + picks}>
              <Row point={point} voltage={voltage} picks={picks} />
            </Steady>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Selecting({ branch }: { branch: Branch }) {
  const ids = [...new Set(branch.points.map((point) => point.charger.id))];
  const on = ids.filter((id) => ticked.value.has(id)).length;
  return (
    <Tick
      label={t("table.all")}
      checked={on > 0 && on === ids.length}
      mixed={on > 0 && on < ids.length}
      onChange={(all) => tick(ids, all)}
    />
  );
}

function Row({ point, voltage, picks }: { point: Point; picks: boolean } & PointsProps) {
  const { charger, connector } = point;
  const drawn = connector.drawn_ma;
  const { offered, accepted, pending } = amountsOf(point);
  const step = progress.value[point.key];
  return (
    <tr>
      {picks && (
        <td>
          <Tick
            label={t("tile.select", { name: point.title })}
            checked={ticked.value.has(charger.id)}
            onChange={(on) => tick([charger.id], on)}
          />
        </td>
      )}
      <th scope="row">
        <span class="row-name">
          {charger.priority === "high" && (
            <>
              <Icon name="star" size={16} />
              <span class="unseen">{t("tile.high")}</span>
            </>
          )}
          {point.title}
        </span>
        <span class="second">
          {charger.name && (
            <>
              {charger.id}
              <br />
            </>
          )}
          {t("tile.connector", { id: connector.id })}
        </span>
      </th>
      <td>
        <Badge state={stateOf(charger, connector)} />
        {connector.transaction_id !== null && (
          <span class="second transaction">
            {t("table.transaction", { id: String(connector.transaction_id) })}
          </span>
        )}
      </td>
      <td class="num">
        {offered === null ? "–" : ampsColumn(offered)}
        {pending && charger.connected && (
          <span class="second accepted">
            {t("table.accepted", { accepted: ampsColumn(accepted ?? 0) })}
          </span>
        )}
      </td>
      <td class="num">{power(point, voltage, kwOf)}</td>
      {[0, 1, 2].map((place) => (
        <td class="num" key={place}>
          {drawn ? ampsColumn(drawn[place] ?? 0) : "–"}
        </td>
      ))}
      <td class="why-cell">
        <Why point={point} />
        <Kept point={point} />
        <Held point={point} />
      </td>
      <td class="row-acts">
        <StartStop point={point} />
        <Steps step={step} />
      </td>
    </tr>
  );
}
