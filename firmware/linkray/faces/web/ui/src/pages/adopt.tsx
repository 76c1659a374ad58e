// Chargers, Adopt: those that have dialled in and that nobody has taken yet, with suggested settings.

import { useState } from "preact/hooks";

import { moment } from "../format";
import { say, t } from "../i18n";
import { snapshot } from "../live";
import { Button, Card, Icon, Link, Note } from "../parts/basics";
import { announce, askDanger } from "../parts/dialog";
import { Field, Select, TextInput } from "../parts/fields";
import { dirty, draft, refused, save, setValue, undo } from "../settings";
import { byName } from "../site";
import type { Charger, ChargerSettings } from "../words";
import { fresh } from "./chargerform";
import { chargerPath } from "./onecharger";

/** Seen on the wire and not kept in the settings. */
export function strangers(): Charger[] {
  const kept = new Set((draft.value?.chargers ?? []).map((one) => one.id));
  if (!draft.value) return [];
  return byName((snapshot.value?.chargers ?? []).filter((one) => !kept.has(one.id)));
}

/** What it shows of itself: who draws on more than one phase has three. */
function suggested(seen: Charger, phases: string, name: string): ChargerSettings {
  const three = phases === "3";
  return {
    ...fresh(seen.id),
    name,
    ...(three ? { phases: 3, connection: "L1-L2-L3" } : {}),
  } as ChargerSettings;
}

const DRAWS_MA = 500; // more than electronics that stand by

const phasesSeen = (seen: Charger): string =>
  seen.connectors.some((c) => (c.drawn_ma ?? []).filter((ma) => ma > DRAWS_MA).length > 1)
    ? "3"
    : "1";

export function AdoptTab() {
  const all = strangers();
  const asks = draft.value?.site.new_chargers === "ask";
  return (
    <>
      <p class="second">
        {t(asks ? "adopt.asks" : "adopt.adds")}{" "}
        <Link class="text-link" to="/configuration/site">
          {t("adopt.change")}
        </Link>
      </p>
      {dirty.value && <Note tone="limited">{t("adopt.unsaved")}</Note>}
      {draft.value && !all.length && (
        <Card class="empty">
          <p>
            <b>{t("adopt.none")}</b>
          </p>
          <p class="second">{t("adopt.none_more", { host: location.hostname })}</p>
        </Card>
      )}
      {all.map((seen) => (
        <Stranger key={seen.id} seen={seen} />
      ))}
    </>
  );
}

function Stranger({ seen }: { seen: Charger }) {
  const [name, setName] = useState("");
  const [phases, setPhases] = useState(phasesSeen(seen));
  const make = [seen.vendor, seen.model, seen.firmware].filter(Boolean).join(" · ");
  const adopt = async () => {
    setValue(["chargers"], [...(draft.peek()?.chargers ?? []), suggested(seen, phases, name)]);
    if (await save()) {
      announce(t("adopt.done", { name: name || seen.id }));
    } else {
      announce(refused.peek()?.text ?? t("adopt.failed"), true);
      undo();
    }
  };
  const ask = () =>
    askDanger({
      title: t("adopt.title_of", { name: name || seen.id }),
      body: say("adopt.body", { n: Math.max(1, seen.connectors.length) }),
      sessions: null,
      calm: true,
      verb: t("adopt.do"),
      act: async () => {
        await adopt();
        return "";
      },
    });
  return (
    <Card title={seen.id} class="stranger">
      <p class="second">
        {make || t("adopt.silent")} · {seen.address}
        {seen.since && ` · ${moment(seen.since)}`}
      </p>
      <div class="form two">
        <Field label={t("adopt.name")}>
          {(ids) => <TextInput id={ids.id} value={name} maxLength={50} onValue={setName} />}
        </Field>
        <Field label={t("adopt.phases")} help={t("adopt.phases_more")}>
          {(ids) => (
            <Select
              id={ids.id}
              described={ids.described}
              value={phases}
              choices={[
                { value: "1", text: t("adopt.phases_1") },
                { value: "3", text: t("adopt.phases_3") },
              ]}
              onChange={setPhases}
            />
          )}
        </Field>
      </div>
      <div class="note-acts">
        <Button
          acts
          kind="primary"
          icon="plus"
          why={dirty.value ? t("adopt.unsaved") : undefined}
          onClick={ask}
        >
          {t("adopt.do")}
        </Button>
        <Link class="text-link" to={chargerPath(seen.id)}>
          {t("adopt.all")} <Icon name="arrow-right" size={18} />
        </Link>
      </div>
    </Card>
  );
}
