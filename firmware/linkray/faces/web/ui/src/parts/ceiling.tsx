// The sealed ceiling of the supply: shown to installers, sealed by an Assembler on site, with the
// commissioning check before it.

import { useEffect, useId, useState } from "preact/hooks";

import { call, Problem } from "../api";
import { amps, moment } from "../format";
import { given, has, say, t } from "../i18n";
import type { IconName } from "../icons";
import { look, snapshot } from "../live";
import { ASSEMBLER, level } from "../session";
import { fieldSchema } from "../settings";
import type { CeilingView, CheckFinding, CommissioningCheck, Phases } from "../words";
import { Button, Card, Icon, Note } from "./basics";
import { announce, Dialog, inWords } from "./dialog";
import { FieldError, NumberInput, PhaseTag, Setting } from "./fields";

export function CeilingCard() {
  const [view, setView] = useState<CeilingView | null>(null);
  const [failed, setFailed] = useState("");
  const [sealing, setSealing] = useState(false);
  const now = JSON.stringify(snapshot.value?.site.ceiling_ma ?? null);
  useEffect(() => {
    call<CeilingView>("GET", "/ceiling").then(
      (answer) => setView(answer.body),
      (problem) => setFailed(inWords(problem)),
    );
  }, [now]);
  return (
    <Card title={t("ceiling.title")} class="ceiling-card">
      <p class="second">{t("ceiling.more")}</p>
      {failed && <Note tone="fault">{failed}</Note>}
      {view && (
        <div class="ceiling-now">
          <Icon name={view.limit_ma ? "lock" : "triangle-alert"} size={24} />
          <div>
            <b class="figure">{view.limit_ma ? eachWords(view.limit_ma) : t("ceiling.none")}</b>
            <span class="second">
              {view.limit_ma
                ? t("ceiling.by", { by: view.by, time: moment(view.at) })
                : t("ceiling.none_more")}
            </span>
          </div>
        </div>
      )}
      {view?.limit_ma && view.in_force_ma.some((ma, i) => ma < (view.site_limit_ma[i] ?? 0)) && (
        <Note tone="limited">{t("ceiling.lowers", { amps: eachWords(view.in_force_ma) })}</Note>
      )}
      <div class="form">
        <Setting path={["site", "base_load_ma"]} />
      </div>
      {level() >= ASSEMBLER ? (
        <p>
          <Button acts icon="lock" onClick={() => setSealing(true)}>
            {t(view?.limit_ma ? "ceiling.again" : "ceiling.seal")}
          </Button>
        </p>
      ) : (
        <p class="second">
          <Icon name="lock" size={16} /> {t("ceiling.who")}
        </p>
      )}
      {sealing && view && (
        <SealDialog
          view={view}
          onClose={() => setSealing(false)}
          onSealed={(sealed) => {
            setView(sealed);
            setSealing(false);
          }}
        />
      )}
    </Card>
  );
}

/** "100 A on each phase", or each phase with its own. */
export function eachWords(ma: Phases): string {
  if (ma.every((one) => one === ma[0])) return t("ceiling.each", { amps: amps(ma[0]) });
  return ma.map((one, i) => `L${i + 1} ${amps(one)}`).join(", ");
}

interface SealProps {
  view: CeilingView;
  onClose: () => void;
  onSealed: (view: CeilingView) => void;
}

function SealDialog({ view, onClose, onSealed }: SealProps) {
  const [ma, setMa] = useState<Phases>(view.limit_ma ?? view.site_limit_ma);
  const [bad, setBad] = useState<Record<number, string>>({});
  const [failed, setFailed] = useState<{ text: string; phase: number | null } | null>(null);
  const [busy, setBusy] = useState(false);
  const id = useId();
  const shape = { ...fieldSchema(["site", "limit_ma", 0]), "x-unit": "mA" };
  const seal = async (event: Event) => {
    event.preventDefault();
    if (busy || Object.keys(bad).length) return;
    setBusy(true);
    setFailed(null);
    try {
      const sealed = (await call<CeilingView>("PUT", "/ceiling", { limit_ma: ma })).body;
      announce(t("ceiling.sealed", { amps: eachWords(ma) }));
      onSealed(sealed);
      void look().catch(() => undefined);
    } catch (problem) {
      const place = problem instanceof Problem ? /\[(\d)\]/.exec(problem.path ?? "")?.[1] : null;
      setFailed({ text: inWords(problem), phase: place ? Number(place) : null });
      setBusy(false);
    }
  };
  const take = (place: number, value: number | null) =>
    setMa(ma.map((one, i) => (i === place ? (value ?? 0) : one)) as Phases);
  const mark = (place: number, text: string | null) => {
    const { [place]: _, ...rest } = bad;
    setBad(text === null ? rest : { ...rest, [place]: text });
  };
  return (
    <Dialog title={t("ceiling.dialog")} onClose={onClose} wide danger>
      <p>{t("ceiling.dialog_more")}</p>
      <form class="form" onSubmit={(event) => void seal(event)} novalidate>
        <fieldset class="field">
          <legend>{t("ceiling.amps")}</legend>
          <div class="three">
            {[0, 1, 2].map((place) => (
              <div key={place} class={bad[place] || failed?.phase === place ? "wrong" : ""}>
                <label for={`${id}-${place}`}>
                  <PhaseTag place={place} />
                </label>
                <NumberInput
                  id={`${id}-${place}`}
                  value={ma[place]}
                  shape={shape}
                  wrong={Boolean(bad[place]) || failed?.phase === place}
                  onValue={(value) => take(place, value)}
                  onText={(text) => mark(place, text)}
                />
                {bad[place] && <FieldError id={`${id}-${place}-error`} text={bad[place]} />}
              </div>
            ))}
          </div>
        </fieldset>
        <Check />
        {failed && (
          <Note tone="fault" live>
            {failed.text}
          </Note>
        )}
        <footer class="dialog-foot">
          <Button onClick={onClose} focus>
            {t("dialog.cancel")}
          </Button>
          <Button kind="danger" type="submit" icon="lock" busy={busy}>
            {busy ? t("dialog.working") : t("ceiling.do", { amps: eachWords(ma) })}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

// --- the commissioning check ---------------------------------------------------------------------

const STATES: Record<CheckFinding["state"], IconName> = {
  bad: "circle-x",
  warning: "triangle-alert",
  good: "circle-check",
};

/** What is wrong first; what is well behind a fold. */
export function Check() {
  const [check, setCheck] = useState<CommissioningCheck | null>(null);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    call<CommissioningCheck>("GET", "/commissioning-check").then(
      (answer) => setCheck(answer.body),
      (problem) => setFailed(inWords(problem)),
    );
  }, []);
  if (failed) return <Note tone="fault">{failed}</Note>;
  if (!check) return <p role="status">{t("check.loading")}</p>;
  const open = check.findings.filter((one) => one.state !== "good");
  const good = check.findings.filter((one) => one.state === "good");
  return (
    <section class="check">
      <h3>{t("check.title")}</h3>
      <p class="second">{t("check.sums", sums(check))}</p>
      <Findings all={open.sort((a, b) => rank(a) - rank(b))} />
      {!open.length && <Note tone="ok">{t("check.all_good")}</Note>}
      {good.length > 0 && (
        <details>
          <summary>
            {say("check.good", { n: good.length })} <Icon name="chevron-down" size={18} />
          </summary>
          <Findings all={good} />
        </details>
      )}
    </section>
  );
}

const rank = (one: CheckFinding): number => (one.state === "bad" ? 0 : 1);

function sums(check: CommissioningCheck) {
  const most = (ma: Phases) => amps(Math.max(...ma));
  return {
    maxima: most(check.maxima_ma),
    alone: most(check.fail_safe_ma),
    base: most(check.base_load_ma),
  };
}

function Findings({ all }: { all: readonly CheckFinding[] }) {
  if (!all.length) return null;
  return (
    <ul class="findings">
      {all.map((one, place) => (
        <li key={place} class={one.state}>
          <Icon name={STATES[one.state]} size={18} />
          <span>
            <span class="unseen">{say(`check.state_${one.state}`)}: </span>
            {findingWords(one)}
          </span>
        </li>
      ))}
    </ul>
  );
}

function findingWords(one: CheckFinding): string {
  const key = `check.${one.name}_${one.state}`;
  if (!has(key) || (one.name === "ceiling" && one.amount_ma == null)) return given(one.text);
  const name = snapshot.value?.chargers.find((charger) => charger.id === one.charger)?.name;
  return say(key, {
    phase: one.phase,
    group: one.group,
    charger: name || one.charger,
    amount: one.amount_ma == null ? null : amps(one.amount_ma),
    limit: one.limit_ma == null ? null : amps(one.limit_ma),
  });
}
