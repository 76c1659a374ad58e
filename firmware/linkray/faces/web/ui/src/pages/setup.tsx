// The wizard: nine steps from the box to a site that charges, each at an address of its own. What
// a step asks for is saved as anywhere else; that it was ended is kept beside it, so that whoever
// goes on, from another device or a day later, goes on where it was left (web.md, Wizard).

import { useEffect, useState } from "preact/hooks";
import type { ComponentType } from "preact";

import { call } from "../api";
import { amps, kw, moment } from "../format";
import { say, t, type Key } from "../i18n";
import { snapshot } from "../live";
import { Badge, Button, Card, Icon, Link, Note } from "../parts/basics";
import { CeilingCard, Check } from "../parts/ceiling";
import { announce, inWords } from "../parts/dialog";
import { DraftBar, LoadFailed, storeDraft } from "../parts/draftbar";
import { Setting } from "../parts/fields";
import { QrCode } from "../parts/qrcode";
import { ReportLinks } from "../parts/report";
import { go, segments } from "../route";
import { ASSEMBLER, level, refreshSession, session } from "../session";
import { dirty, draft, loadFailed, settle } from "../settings";
import { byName, nameOf, powerW } from "../site";
import type { Walk } from "../words";
import { LookChoices } from "./account";
import { placeOf } from "./chargerform";
import { linkState } from "./chargers";
import { GroupsTab, Supply } from "./configuration";
import { Address as CsmsAddress, Trial as CsmsTrial } from "./csms";
import { MeterTab } from "./meter";
import { ChangePassword } from "./security";

interface Step {
  id: string;
  name: Key;
  what: Key;
  show: ComponentType;
  needed?: boolean;
}

const STEPS: readonly Step[] = [
  { id: "language", name: "walk.language", what: "walk.language_more", show: Language },
  {
    id: "passwords",
    name: "walk.passwords",
    what: "walk.passwords_more",
    show: Passwords,
    needed: true,
  },
  { id: "network", name: "walk.network", what: "walk.network_more", show: Network },
  { id: "site", name: "walk.site", what: "walk.site_more", show: Site, needed: true },
  { id: "circuits", name: "walk.circuits", what: "walk.circuits_more", show: GroupsTab },
  { id: "meter", name: "walk.meter", what: "walk.meter_more", show: MeterTab },
  { id: "chargers", name: "walk.chargers", what: "walk.chargers_more", show: Arrivals },
  { id: "access", name: "walk.access", what: "walk.access_more", show: Access },
  { id: "check", name: "walk.check", what: "walk.check_more", show: Last },
];

const addressOf = (step: Step): string => `/setup/${step.id}`;

export function Setup() {
  const [walk, setWalk] = useState<Walk | null>(null);
  const [failed, setFailed] = useState("");
  useEffect(settle, []);
  useEffect(() => {
    call<Walk>("GET", "/commissioning").then(
      (answer) => setWalk(answer.body),
      (problem) => setFailed(inWords(problem)),
    );
  }, []);
  const [, which] = segments();
  const ended = walk?.ended ?? {};
  const step =
    STEPS.find((one) => one.id === which) ?? STEPS.find((one) => !(one.id in ended)) ?? STEPS[0];
  useEffect(() => {
    const here = document.querySelector(".walk [aria-current]"); // narrow screens scroll them
    here?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [step?.id, walk === null]);
  if (!step) return null;
  const Show = step.show;
  return (
    <>
      <header class="page-head">
        <h1>
          {t("walk.title")}{" "}
          <span class="second count">
            {t("walk.count", { n: Object.keys(ended).length, of: STEPS.length })}
          </span>
        </h1>
      </header>
      <Places step={step} walk={walk} />
      {failed && <Note tone="fault">{failed}</Note>}
      {loadFailed.value !== null && <LoadFailed />}
      {!draft.value && loadFailed.value === null && <p role="status">{t("draft.loading")}</p>}
      {draft.value && walk && (
        <>
          <h2 class="walk-head">
            {t("walk.step", { n: STEPS.indexOf(step) + 1, name: t(step.name) })}
          </h2>
          <p class="second">{t(step.what)}</p>
          <Show />
          <Onwards step={step} walk={walk} onWalk={setWalk} />
        </>
      )}
      <DraftBar />
    </>
  );
}

function Places({ step, walk }: { step: Step; walk: Walk | null }) {
  return (
    <nav class="tabs walk" aria-label={t("walk.steps")}>
      {STEPS.map((one, place) => {
        const done = walk !== null && one.id in walk.ended;
        return (
          <Link key={one.id} to={addressOf(one)} current={one === step}>
            <Icon name={done ? "circle-check" : "circle-dashed"} size={18} />
            <span>
              {place + 1} {t(one.name)}
            </span>
            <span class="unseen">{t(done ? "walk.done" : "walk.open")}</span>
          </Link>
        );
      })}
    </nav>
  );
}

// --- going on ------------------------------------------------------------------------------------

interface OnwardsProps {
  step: Step;
  walk: Walk;
  onWalk: (walk: Walk) => void;
}

function Onwards({ step, walk, onWalk }: OnwardsProps) {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState("");
  useEffect(() => setFailed(""), [step.id]);
  const place = STEPS.indexOf(step);
  const [before, after] = [STEPS[place - 1], STEPS[place + 1]];
  const note = async () => {
    if (busy) return;
    setBusy(true);
    setFailed("");
    try {
      if (await storeDraft()) {
        onWalk((await call<Walk>("PUT", `/commissioning/${step.id}`, { done: true })).body);
        if (after) go(addressOf(after));
        else announce(t("walk.ended"));
      }
    } catch (problem) {
      setFailed(inWords(problem));
    }
    setBusy(false);
  };
  const mark = walk.ended[step.id];
  return (
    <>
      {mark && (
        <Note tone="ok">{t("walk.ended_by", { by: mark.by, time: moment(mark.at) })}</Note>
      )}
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      <div class="walk-acts">
        {before && (
          <Button onClick={() => go(addressOf(before))}>{t("walk.back")}</Button>
        )}
        {after && (mark || !step.needed) && (
          <Button onClick={() => go(addressOf(after))}>
            {t(mark ? "walk.next" : "walk.skip")}
          </Button>
        )}
        <Button acts kind="primary" icon="check" busy={busy} onClick={() => void note()}>
          {t(after ? (dirty.value ? "walk.save" : "walk.on") : "walk.finish")}
        </Button>
      </div>
    </>
  );
}

// --- the steps -----------------------------------------------------------------------------------

function Language() {
  return (
    <Card title={t("walk.language")}>
      <LookChoices />
      <div class="form">
        <Setting path={["site", "name"]} />
        <Setting path={["site", "time_zone"]} />
      </div>
    </Card>
  );
}

function Passwords() {
  const open = session.value?.accounts_open ?? [];
  return (
    <div class="pair">
      <Card title={t("walk.accounts")}>
        <ul class="walk-list">
          {(["Assembler", "Installer", "EV"] as const).map((name) => {
            const is = open.includes(name);
            const word = t(is ? "walk.account_open" : "walk.account_closed");
            return (
              <li key={name}>
                <span class="walk-words">
                  <b>{name}</b>
                  <span class="second">{t(`sign.${name}`)}</span>
                </span>
                <Badge
                  state={{ tone: is ? "ok" : "idle", icon: is ? "circle-check" : "lock", word }}
                />
              </li>
            );
          })}
        </ul>
      </Card>
      <Card title={t("account.password")}>
        {level() < ASSEMBLER && <Note tone="idle">{t("walk.passwords_own")}</Note>}
        <ChangePassword changed={() => void refreshSession()} />
      </Card>
    </div>
  );
}

function Network() {
  const site = snapshot.value?.site;
  const url = draft.value?.csms.url ?? "";
  return (
    <div class="pair">
      <Card title={t("walk.reached")}>
        <dl class="facts rows">
          <div>
            <dt>{t("walk.page")}</dt>
            <dd>{location.origin}</dd>
          </div>
          <div>
            <dt>{t("walk.serial")}</dt>
            <dd>{site?.serial || "–"}</dd>
          </div>
        </dl>
        <ChargerAddresses />
      </Card>
      {url ? (
        <CsmsTrial />
      ) : (
        <Card title={t("csms.test_title")}>
          <p class="second">{t("walk.no_csms")}</p>
        </Card>
      )}
    </div>
  );
}

function Site() {
  return (
    <>
      <Supply />
      <Card title={t("walk.drawing")}>
        <Drawing />
      </Card>
    </>
  );
}

/** The supply as it was typed, shown back: grid, fuse with its amps, building and chargers. */
function Drawing() {
  const site = draft.value?.site;
  if (!site) return null;
  const used = site.limit_ma.map((ma, i) => [i, ma] as const).filter(([, ma]) => ma > 0);
  const volts = site.voltage_mv;
  const total = powerW(site.limit_ma, [volts, volts, volts]);
  const said = used.map(([i, ma]) => `L${i + 1} ${amps(ma)}`).join(", ");
  return (
    <figure class="supply">
      <ol aria-label={t("walk.drawing_says", { phases: said, total: kw(total) })}>
        <li>
          <Icon name="zap" size={28} />
          <b>{t("walk.grid")}</b>
          <span class="second figure">{t("unit.v", { v: volts / 1000 })}</span>
        </li>
        <li class="fuse">
          <Icon name="plug" size={28} />
          <b>{t("walk.fuse")}</b>
          <ul>
            {used.map(([i, ma]) => (
              <li key={i} class={`phase-${i + 1} figure`}>
                L{i + 1} {amps(ma)}
              </li>
            ))}
          </ul>
        </li>
        <li>
          <Icon name="plug-zap" size={28} />
          <b>{t("walk.together")}</b>
          <span class="figure">{kw(total)}</span>
        </li>
      </ol>
      <figcaption class="second">{t("walk.drawing_more")}</figcaption>
    </figure>
  );
}

/** The exact words to type into a charger, or to hold before the camera of its app. */
function ChargerAddresses({ codes = false }: { codes?: boolean }) {
  const site = snapshot.value?.site;
  const doors = [
    ["wss", site?.ocpps_port ?? 0],
    ["ws", site?.ocpp_port ?? 0],
  ] as const;
  return (
    <ul class="walk-list addresses">
      {doors
        .filter(([, port]) => port > 0)
        .map(([scheme, port]) => (
          <Address
            key={scheme}
            text={`${scheme}://${location.hostname}:${port}`}
            scheme={scheme}
            code={codes}
          />
        ))}
    </ul>
  );
}

interface AddressProps {
  text: string;
  scheme: "ws" | "wss";
  code: boolean;
}

function Address({ text, scheme, code }: AddressProps) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      announce(t("walk.copied", { text }));
    } catch {
      announce(t("walk.not_copied"), true); // the browser does not let us: it can be marked by hand
    }
  };
  return (
    <li>
      {code && <QrCode text={text} label={t("walk.qr", { text })} />}
      <span class="walk-words">
        <span class="second">{t(scheme === "wss" ? "walk.with_tls" : "walk.without_tls")}</span>
        <code>{text}</code>
      </span>
      <Button icon="copy" label={t("walk.copy", { text })} onClick={() => void copy()} />
    </li>
  );
}

function Arrivals() {
  const kept = draft.value?.chargers ?? [];
  const seen = byName(snapshot.value?.chargers ?? []);
  const fresh = seen.filter((one) => !kept.some((own) => own.id === one.id));
  const silent = kept.filter((own) => !seen.some((one) => one.id === own.id && one.connected));
  return (
    <div class="pair">
      <Card title={t("walk.dial")}>
        <p class="second">{t("walk.dial_more")}</p>
        <ChargerAddresses codes />
      </Card>
      <Card
        title={t("walk.arrived")}
        aside={
          fresh.length > 1 && (
            <Button icon="plus" onClick={() => fresh.forEach((one) => placeOf(one.id))}>
              {say("walk.adopt_all", { n: fresh.length })}
            </Button>
          )
        }
      >
        {!seen.length && <p role="status">{t("walk.waiting")}</p>}
        <ul class="walk-list" aria-live="polite">
          {seen.map((one) => {
            const own = kept.find((charger) => charger.id === one.id);
            return (
              <li key={one.id}>
                <span class="walk-words">
                  <b>{own?.name || nameOf(one)}</b>
                  <span class="second">
                    {[one.id, one.vendor, one.model].filter(Boolean).join(" · ")}
                  </span>
                </span>
                <Badge state={linkState(one)} />
                {own ? (
                  <Link class="text-link" to={`/chargers/${encodeURIComponent(one.id)}`}>
                    {t("walk.wiring")} <Icon name="arrow-right" size={18} />
                  </Link>
                ) : (
                  <Button icon="plus" onClick={() => placeOf(one.id)}>
                    {t("walk.adopt")}
                  </Button>
                )}
              </li>
            );
          })}
        </ul>
        {silent.length > 0 && (
          <Note tone="limited">
            {say("walk.silent", { n: silent.length, names: byName(silent).map(nameOf).join(", ") })}
          </Note>
        )}
      </Card>
    </div>
  );
}

function Access() {
  return (
    <div class="pair">
      <Card title={t("walk.who")}>
        <div class="form">
          <Setting path={["access", "whitelist"]} />
        </div>
      </Card>
      <CsmsAddress />
    </div>
  );
}

function Last() {
  return (
    <>
      <Card title={t("walk.dry_run")}>
        <Check />
      </Card>
      <CeilingCard />
      <Card title={t("walk.report")}>
        <p class="second">{t("walk.report_more")}</p>
        {dirty.value && <Note tone="limited">{t("walk.report_unsaved")}</Note>}
        <ReportLinks of="commissioning" />
      </Card>
    </>
  );
}
