// The panel behind a why line: the ceilings in their order, which binds, and what would raise it.

import { useId, useState } from "preact/hooks";

import { progress, startOrStop } from "../acts";
import { amps, ampsColumn, duration, kwh, moment } from "../format";
import { has, say, t } from "../i18n";
import { snapshot } from "../live";
import { INSTALLER, level } from "../session";
import { alike, highest, points, secondLowest, stateOf, type Point } from "../site";
import { cause, sentence } from "../why";
import type { Offer, Phases } from "../words";
import { Badge, Button, Icon, Link } from "./basics";
import { Dialog } from "./dialog";
import { explained, Steps } from "./points";
import { TextInput } from "./fields";

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
  return (
    <Dialog title={title} onClose={close} wide>
      <div class="explain-state">
        <Badge state={stateOf(charger, connector)} />
        <span class="second">{charger.name && charger.id}</span>
      </div>
      {offer && <p class="explain-line">{sentence(point)}</p>}
      <dl class="facts">
        {offer && <Fact name={t("explain.offer")} value={phasesWords(offer.offer_ma)} />}
        <Fact name={t("explain.accepted")} value={phasesWords(connector.offer_ma)} />
        <Fact name={t("explain.drawn")} value={phasesWords(connector.drawn_ma)} />
        {offer?.reason.seconds != null && (
          <Fact
            name={t("explain.next")}
            value={t("explain.next_in", { wait: duration(offer.reason.seconds) })}
          />
        )}
      </dl>
      {offer && <Ceilings offer={offer} />}
      {offer && <Raise offer={offer} />}
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

function phasesWords(ma: Phases | null): string {
  if (!ma) return t("info.unknown");
  if (ma.every((one) => one === 0)) return amps(0);
  if (alike(ma) && ma.every((one) => one !== 0)) return `3 × ${amps(highest(ma).ma)}`;
  return ma
    .map((one, i) => (one ? `L${i + 1} ${amps(one)}` : ""))
    .filter(Boolean)
    .join(", ");
}

function Ceilings({ offer }: { offer: Offer }) {
  return (
    <section>
      <h3>{t("explain.table")}</h3>
      <p class="second">{t("explain.table_more")}</p>
      <table class="ceilings">
        <thead>
          <tr>
            <th scope="col">{t("explain.cause")}</th>
            {[1, 2, 3].map((n) => (
              <th scope="col" class="num" key={n}>
                <span class={`phase p${n}`}>{`L${n}`}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {offer.ceilings.map((ceiling, place) => (
            <tr key={place} class={ceiling.binding ? "binding" : ""}>
              <th scope="row">
                {cause(ceiling)}
                {ceiling.binding && (
                  <span class="binds">
                    <Icon name="lock" size={16} /> {t("explain.binding")}
                  </span>
                )}
              </th>
              {ceiling.ma.map((ma, phase) => (
                <td key={phase} class="num">
                  {ampsColumn(ma)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Raise({ offer }: { offer: Offer }) {
  const next = secondLowest(offer);
  const top = offer.ceilings.find((one) => one.binding)?.code === "charger_max";
  return (
    <p class="raise">
      <Icon name="lightbulb" />
      <span>
        <b>{t("explain.raise")}</b>
        <br />
        {top || !next
          ? t("explain.raise_none")
          : t("explain.raise_text", { amps: amps(highest(next.ma).ma), cause: cause(next) })}
      </span>
    </p>
  );
}

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
  const act = (event: Event) => {
    event.preventDefault();
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
        busy={step?.step === "sent"}
      >
        {running ? t("tile.stop") : t("tile.start")}
      </Button>
      <Steps step={step} />
    </form>
  );
}
