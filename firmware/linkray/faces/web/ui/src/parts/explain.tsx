// The panel behind a why line: the ceilings in their order, which binds, and what would raise it.

import { useEffect, useId, useState } from "preact/hooks";

import { progress, startOrStop } from "../acts";
import { call } from "../api";
import { amps, ampsColumn, exactly, kwh, moment } from "../format";
import { has, say, t } from "../i18n";
import type { IconName } from "../icons";
import { snapshot } from "../live";
import { INSTALLER, level } from "../session";
import {
  highest,
  lowestOn,
  NONE,
  phasesIn,
  points,
  secondLowest,
  stateOf,
  told,
  type Point,
} from "../site";
import { cause, causeThen, keptWords, nextLook, ofLost, raise, sentence } from "../why";
import type { Ceiling, Charger, Code, Offer, OfferChange, Phases } from "../words";
import { Badge, Button, Icon, Link } from "./basics";
import { Dialog, inWords } from "./dialog";
import { explained, Held, Steps, whyNoStart } from "./points";
import { PhaseTag, TextInput } from "./fields";

export function Explain() {
  const key = explained.value;
  const shot = snapshot.value;
  if (!key || !shot) return null;
  const point = points(shot).find((one) => one.key === key);
  return point ? <Panel key={key} point={point} /> : null;
}

function Panel({ point }: { point: Point }) {
  const close = () => {
    explained.value = null;
  };
  const { charger, connector, offer } = point;
  const title = point.several
    ? `${point.title} · ${t("tile.connector", { id: connector.id })}`
    : point.title;
  const isAllOfIt = highest(offer?.reserve?.site_ma ?? NONE).ma > 0; // the figure says it all
  const kept = isAllOfIt ? null : keptWords(point);
  return (
    <Dialog title={title} onClose={close} wide>
      <div class="explain-state">
        <Badge state={stateOf(charger, connector)} />
        <span class="second">{charger.name && charger.id}</span>
      </div>
      {offer && <p class="explain-line">{sentence(point)}</p>}
      <Held point={point} />
      <dl class="facts amounts">
        {offer && charger.connected && <Fact name={t("explain.wanted")} value={wantedWords(offer)} />}
        {offer && <Fact name={t("explain.offer")} value={phasesWords(offer.offer_ma)} />}
        <Fact name={t("explain.accepted")} value={phasesWords(connector.offer_ma)} />
        <Fact name={t("explain.drawn")} value={phasesWords(connector.drawn_ma)} />
        {offer?.reserve && <Fact name={t("explain.kept")} value={phasesWords(offer.reserve.ma)} />}
      </dl>
      {kept && (
        <p class="note">
          <Icon name="lock" /> <span>{kept}</span>
        </p>
      )}
      {offer && <Ceilings offer={offer} charger={charger} />}
      {offer && <Raise offer={offer} />}
      <Changes point={point} />
      <Session point={point} />
    </Dialog>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="figure">{value}</dd>
    </div>
  );
}

/** "3 × 16 A", "L2 8 A" or each phase with its own: never one number for phases that differ. */
function phasesWords(ma: Phases | null): string {
  if (!ma) return t("info.unknown");
  if (ma.every((one) => one === 0)) return amps(0);
  if (ma.every((one) => one === ma[0])) return `3 × ${amps(ma[0])}`;
  return ma
    .map((one, i) => (one ? `L${i + 1} ${amps(one)}` : ""))
    .filter(Boolean)
    .join(", ");
}

/** What it could use, on the phases that it has. */
function wantedWords(offer: Offer): string {
  const wanted = offer.wanted_ma;
  if (wanted === undefined) return t("info.unknown");
  const places = phasesIn(offer.ceilings.map((one) => one.ma));
  return phasesWords([0, 1, 2].map((i) => (places.includes(i) ? wanted : 0)) as Phases);
}

// --- the ceilings --------------------------------------------------------------------------------

function Ceilings({ offer, charger }: { offer: Offer; charger: Charger }) {
  const all = told(offer.ceilings);
  const places = phasesIn(all.map((one) => one.ma));
  const differ = all.some((one) => places.some((i) => one.ma[i] !== one.ma[places[0] ?? 0]));
  const columns = differ ? places : places.slice(0, 1);
  const most = Math.max(...all.map((one) => lowestOn(one.ma, places)), 1);
  return (
    <section>
      <h3>{t("explain.table")}</h3>
      <p class="second">{t("explain.table_more")}</p>
      <table class="ceilings">
        <thead>
          <tr>
            <th scope="col">{t("explain.cause")}</th>
            {columns.map((place) => (
              <th scope="col" class="num" key={place}>
                <span class="phase-tags">
                  {(differ ? [place] : places).map((one) => (
                    <PhaseTag key={one} place={one} />
                  ))}
                </span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {all.map((ceiling, place) => (
            <CeilingRow
              key={place}
              ceiling={ceiling}
              words={ofLost(ceiling, charger) ?? cause(ceiling)}
              columns={columns}
              share={lowestOn(ceiling.ma, places) / most}
            />
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface RowProps {
  ceiling: Ceiling;
  words: string;
  columns: readonly number[];
  share: number; // of the highest of the ceilings
}

function CeilingRow({ ceiling, words, columns, share }: RowProps) {
  return (
    <tr class={ceiling.binding ? "binding" : ""}>
      <th scope="row">
        <span class="ceiling-words">
          <span>{words}</span>
          {ceiling.binding && (
            <span class="binds">
              <Icon name="lock" size={16} /> {t("explain.binding")}
            </span>
          )}
        </span>
        <span class="ceiling-bar" aria-hidden="true">
          <i style={{ width: `${share * 100}%` }} />
        </span>
      </th>
      {columns.map((phase) => (
        <td key={phase} class="num">
          {t("unit.a", { v: ampsColumn(ceiling.ma[phase] ?? 0) })}
        </td>
      ))}
    </tr>
  );
}

/** What would raise it, how far, and when LinkRay can change it next. */
function Raise({ offer }: { offer: Offer }) {
  const bound = offer.ceilings.find((one) => one.binding) ?? offer.reason;
  return (
    <div class="raise">
      <Icon name="lightbulb" />
      <p>
        <b>{t("explain.raise")}</b>
        <br />
        {raise(bound)} {thereafter(offer)}
      </p>
      <p class="next-look">
        <Icon name="clock" size={18} />{" "}
        <span>
          {t("explain.next")} <b class="figure">{nextLook(offer)}</b>
        </span>
      </p>
    </div>
  );
}

/** What says all there is: the charger's own most, and what stops the whole site. */
const ALONE: readonly Code[] = ["charger_max", "emergency_stop", "schedule", "site_overloaded"];

/** What the second-lowest ceiling would allow; without a session nothing yet shares with it. */
function thereafter(offer: Offer): string {
  const next = secondLowest({ ...offer, ceilings: told(offer.ceilings) });
  const shares = offer.ceilings.some((one) => one.code === "site_limit");
  if (!next || !shares || ALONE.includes(offer.reason.code)) return "";
  const places = phasesIn(offer.ceilings.map((one) => one.ma));
  const then = lowestOn(next.ma, places);
  const same = then <= lowestOn(offer.offer_ma, places);
  const params = { amps: amps(then), cause: cause(next) };
  return t(same ? "explain.raise_same" : "explain.raise_then", params);
}

// --- what it was before --------------------------------------------------------------------------

const CHANGES_FIRST = 5;

/** The last fifty changes of the offer, read anew whenever it changes. */
export function Changes({ point }: { point: Point }) {
  const [changes, setChanges] = useState<OfferChange[] | null>(null);
  const [failed, setFailed] = useState("");
  const [all, setAll] = useState(false);
  const { charger, connector, offer } = point;
  const path = `/chargers/${encodeURIComponent(charger.id)}/connectors/${connector.id}/history`;
  useEffect(() => {
    let wanted = true;
    call<OfferChange[]>("GET", path).then(
      (answer) => {
        if (!wanted) return;
        setChanges(answer.body);
        setFailed("");
      },
      (problem) => wanted && setFailed(inWords(problem)),
    );
    return () => {
      wanted = false;
    };
  }, [path, offer?.offer_ma.join()]);
  const shown = changes?.slice(0, all ? undefined : CHANGES_FIRST) ?? [];
  return (
    <section class="changes">
      <h3>{t("explain.history")}</h3>
      {failed && <p class="second">{failed}</p>}
      {changes !== null && !changes.length && <p class="second">{t("explain.history_none")}</p>}
      <ol>
        {shown.map((change, place) => (
          <Change key={`${change.at}${place}`} change={change} />
        ))}
      </ol>
      {changes !== null && changes.length > shown.length && (
        <Button small icon="chevron-down" onClick={() => setAll(true)}>
          {say("explain.history_all", { n: changes.length })}
        </Button>
      )}
    </section>
  );
}

function Change({ change }: { change: OfferChange }) {
  const [from, to] = [change.from_ma && highest(change.from_ma).ma, highest(change.to_ma).ma];
  const up = from === null || to > from;
  const icon: IconName = from === null ? "circle-dashed" : up ? "arrow-up" : "arrow-down";
  const params = { from: from === null ? null : amps(from), to: amps(to) };
  return (
    <li>
      <time dateTime={change.at}>{exactly(change.at)}</time>
      <span class={`change ${from === null ? "" : up ? "up" : "down"}`}>
        <Icon name={icon} size={16} />
        <b class="figure">{t("explain.history_step", params)}</b>
      </span>
      <span class="second">{causeThen(change.reason)}</span>
    </li>
  );
}

// --- its session ---------------------------------------------------------------------------------

function Session({ point }: { point: Point }) {
  const { charger, connector } = point;
  const running = connector.transaction_id !== null;
  const source =
    connector.source && has(`source.${connector.source}`)
      ? say(`source.${connector.source}`)
      : "–";
  return (
    <section>
      <h3>{t("explain.session")}</h3>
      {running && (
        <dl class="facts">
          <Fact name={t("explain.transaction")} value={String(connector.transaction_id)} />
          <Fact name={t("explain.tag")} value={connector.tag ?? "–"} />
          <Fact
            name={t("explain.started")}
            value={connector.started ? moment(connector.started) : "–"}
          />
          <Fact
            name={t("explain.energy")}
            value={connector.energy_wh === null ? "–" : kwh(connector.energy_wh)}
          />
          <Fact name={t("explain.source")} value={source} />
        </dl>
      )}
      <Acts point={point} running={running} />
      {level() >= INSTALLER && (
        <p
          onClick={() => {
            explained.value = null;
          }}
        >
          <Link to={`/chargers/${encodeURIComponent(charger.id)}`} class="text-link">
            {t("explain.settings")} <Icon name="arrow-right" size={18} />
          </Link>
        </p>
      )}
    </section>
  );
}

function Acts({ point, running }: { point: Point; running: boolean }) {
  const [tag, setTag] = useState("");
  const id = useId();
  const { charger, connector } = point;
  const step = progress.value[point.key];
  const why = whyNoStart(running);
  const act = (event: Event) => {
    event.preventDefault();
    if (why) return; // Enter in the field of the tag comes here past the button
    void startOrStop(running ? "stop" : "start", charger.id, connector.id, tag.trim());
  };
  return (
    <form class="explain-acts" onSubmit={act}>
      {!running && (
        <div class="field">
          <label for={id}>{t("explain.start_tag")}</label>
          <TextInput id={id} value={tag} onValue={setTag} maxLength={20} described={`${id}-help`} />
          <p class="help" id={`${id}-help`}>
            {t("explain.start_tag_help")}
          </p>
        </div>
      )}
      <Button
        acts
        type="submit"
        icon={running ? "square" : "play"}
        disabled={!charger.connected}
        why={why}
        busy={step?.step === "sent"}
      >
        {running ? t("tile.stop") : t("tile.start")}
      </Button>
      {why && <p class="help">{why}</p>}
      <Steps step={step} />
    </form>
  );
}
