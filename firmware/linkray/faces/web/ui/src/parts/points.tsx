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
  highest,
  maximum,
  NONE,
  phaseName,
  powerW,
  stateOf,
  type Branch,
  type Point,
} from "../site";
import { cause, sentence } from "../why";
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

const offerInForce = (point: Point): Phases | null =>
  point.connector.offer_ma ?? point.offer?.offer_ma ?? null;

/** "10.2 A of 16 A offered, L2": one number is named by its phase unless all are alike. */
function drawnWords(point: Point): string {
  const offer = offerInForce(point);
  const drawn = point.connector.drawn_ma;
  const offered = offer ? amps(highest(offer).ma) : "";
  if (!drawn && !offer) return t("tile.nothing");
  if (!drawn) return t("tile.drawn_unknown", { offered });
  const top = highest(drawn);
  if (!offer) return t("tile.offer_unknown", { drawn: amps(top.ma) });
  const params = { drawn: amps(top.ma), offered };
  const coming = highest(point.offer?.offer_ma ?? NONE).ma;
  if (!highest(offer).ma && coming) return t("tile.coming", { ...params, coming: amps(coming) });
  if (!highest(offer).ma) return t("tile.none_offered", params);
  if (alike(drawn)) return t("tile.offered", params);
  return t("tile.offered_on", { ...params, phase: phaseName(top.phase) });
}

/**
 * Everything that a tile or a row shows of a connector, to tell whether it has changed. Not more:
 * a ceiling that moves with the building's noise, or the site's voltage, draws nobody anew.
 */
export function sameness(point: Point, voltage: Phases): string {
  const { charger, connector, offer, several } = point;
  const { id, name, priority, connected, vendor, model } = charger;
  const drawn = connector.drawn_ma;
  return JSON.stringify([
    [id, name, priority, connected, vendor, model, several],
    connector,
    offer && [offer.offer_ma, maximum(point), cause(offer.reason)],
    drawn && kwOf(powerW(drawn, voltage)),
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
  const offer = offerInForce(point);
  const most = maximum(point) ?? NONE;
  const words = drawnWords(point);
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
        <b class="figure">{drawn ? kw(powerW(drawn, voltage)) : "–"}</b>
        <span class="figure second">
          {connector.energy_wh === null ? "–" : kwh(connector.energy_wh)}
        </span>
        {charger.priority === "high" && <High />}
      </div>
      <DrawBar
        drawn={drawn ? highest(drawn).ma : 0}
        offered={offer ? highest(offer).ma : 0}
        most={highest(most).ma}
        label={words}
      />
      <p class="tile-words second">{words}</p>
      <div class="tile-foot">
        <Why point={point} />
        <StartStop point={point} />
      </div>
      <Steps step={progress.value[point.key]} />
    </li>
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
  const offer = offerInForce(point);
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
      <td class="num">{offer ? ampsColumn(highest(offer).ma) : "–"}</td>
      <td class="num">{drawn ? kwOf(powerW(drawn, voltage)) : "–"}</td>
      {[0, 1, 2].map((place) => (
        <td class="num" key={place}>
          {drawn ? ampsColumn(drawn[place] ?? 0) : "–"}
        </td>
      ))}
      <td class="why-cell">
        <Why point={point} />
      </td>
      <td class="row-acts">
        <StartStop point={point} />
        <Steps step={step} />
      </td>
    </tr>
  );
}
