// Assembler: the brand of the pages, own meter files, the licence, and back to the factory.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { given, number, say, t, type Key } from "../i18n";
import { snapshot } from "../live";
import { Button, Card, FilePick, Icon, Link, Note } from "../parts/basics";
import { announce, askDanger, Dialog, inWords, reason } from "../parts/dialog";
import { Field, TextInput } from "../parts/fields";
import { segments } from "../route";
import { refreshSession } from "../session";
import type { BrandChecked, Licence, ShippedMeter } from "../words";

interface Tab {
  id: string;
  name: Key;
  show: ComponentType;
}

const TABS: readonly Tab[] = [
  { id: "branding", name: "assembler.branding", show: BrandingTab },
  { id: "meters", name: "assembler.meters", show: MetersTab },
  { id: "licence", name: "assembler.licence", show: LicenceTab },
  { id: "factory", name: "assembler.factory", show: FactoryTab },
];

export function Assembler() {
  const [, which] = segments();
  const tab = TABS.find((one) => one.id === which) ?? TABS[0];
  const Show = tab?.show ?? BrandingTab;
  useEffect(() => {
    const tabs = document.querySelector(".tabs [aria-current]"); // narrow screens scroll them
    tabs?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [tab?.id]);
  return (
    <>
      <h1>{t("nav.assembler")}</h1>
      <nav class="tabs" aria-label={t("assembler.tabs")}>
        {TABS.map((one) => (
          <Link key={one.id} to={`/assembler/${one.id}`} current={one === tab}>
            {t(one.name)}
          </Link>
        ))}
      </nav>
      <Show />
    </>
  );
}

// --- a file that is looked at before it is taken -------------------------------------------------

interface Looked<T> {
  file: File;
  seen: T | null;
  fault: string;
}

/** A file chosen, what the server says of it, and how it is sent: to look at, or to take. */
function useFile<T>(path: string) {
  const [looked, setLooked] = useState<Looked<T> | null>(null);
  const [busy, setBusy] = useState(false);
  const send = (file: File, check: boolean) =>
    call<T>("POST", `${path}${check ? "?check=1" : ""}`, undefined, { file });
  const choose = async (file: File) => {
    setBusy(true);
    try {
      setLooked({ file, seen: (await send(file, true)).body, fault: "" });
    } catch (problem) {
      setLooked({ file, seen: null, fault: reason(problem) });
    }
    setBusy(false);
  };
  const take = async (): Promise<boolean> => {
    if (!looked || busy) return false;
    setBusy(true);
    try {
      await send(looked.file, false);
      setLooked(null);
      return true;
    } catch (problem) {
      setLooked({ ...looked, seen: null, fault: reason(problem) });
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { looked, busy, choose, take, drop: () => setLooked(null) };
}

function Refusal({ looked }: { looked: Looked<unknown> }) {
  return (
    <Note tone="fault" live>
      {t("assembler.refused", { name: looked.file.name, why: looked.fault })}
    </Note>
  );
}

interface TakeProps {
  busy: boolean;
  verb: string;
  onTake: () => void;
  onDrop: () => void;
}

function TakeIt({ busy, verb, onTake, onDrop }: TakeProps) {
  return (
    <p class="note-acts">
      <Button acts kind="primary" icon="file-check" busy={busy} onClick={onTake}>
        {verb}
      </Button>
      <Button onClick={onDrop}>{t("dialog.cancel")}</Button>
    </p>
  );
}

/** What is asked of the server once, and again when it says it has changed. */
function useAsked<T>(path: string, again: unknown = null) {
  const [body, setBody] = useState<T | null>(null);
  const [failed, setFailed] = useState("");
  const ask = () =>
    call<T>("GET", path).then(
      (answer) => {
        setBody(answer.body);
        setFailed("");
      },
      (problem) => setFailed(inWords(problem)),
    );
  useEffect(() => void ask(), [path, again]);
  return { body, failed, ask };
}

// --- the brand -----------------------------------------------------------------------------------

function BrandingTab() {
  const file = useFile<BrandChecked>("/branding");
  const [example, setExample] = useState(false);
  const take = async () => {
    if (!(await file.take())) return;
    announce(t("brand.taken"));
    await refreshSession();
    redress();
  };
  const clear = () =>
    askDanger({
      title: t("brand.clear_title"),
      body: t("brand.clear_body"),
      sessions: null,
      verb: t("brand.clear"),
      act: async () => {
        await call("POST", "/branding", {});
        await refreshSession();
        redress();
        return t("brand.cleared");
      },
    });
  return (
    <Card title={t("assembler.branding")}>
      <p class="second">{t("brand.more")}</p>
      <p class="note-acts">
        <FilePick accept=".json,.zip,application/json,application/zip" onFile={file.choose}>
          {t("brand.choose")}
        </FilePick>
        <Button acts icon="undo-2" onClick={clear}>
          {t("brand.clear")}
        </Button>
        <Button kind="quiet" icon="info" onClick={() => setExample(true)}>
          {t("brand.known")}
        </Button>
      </p>
      {file.busy && <p role="status">{t("files.checking")}</p>}
      {file.looked?.fault && <Refusal looked={file.looked} />}
      {file.looked?.seen && (
        <>
          <Note tone="ok" live>
            {t("brand.good", { name: file.looked.file.name })}
          </Note>
          <BrandSeen seen={file.looked.seen} />
          <TakeIt busy={file.busy} verb={t("brand.take")} onTake={take} onDrop={file.drop} />
        </>
      )}
      {example && <Known onClose={() => setExample(false)} />}
    </Card>
  );
}

/** The style sheet anew, without a reload. */
function redress(): void {
  const link = document.querySelector<HTMLLinkElement>('link[href^="/brand.css"]');
  if (link) link.href = `/brand.css?${Date.now()}`;
}

const COLOUR = /--([\w-]+):(#[0-9a-f]{6})/g;

function BrandSeen({ seen }: { seen: BrandChecked }) {
  const rules = seen.sheet.split("\n");
  const colours = rules.flatMap((rule, place) =>
    [...rule.matchAll(COLOUR)].map((found) => ({
      key: `${place} ${found[1]}`,
      name: found[1] ?? "",
      colour: found[2] ?? "",
      dark: rule.startsWith(':root[data-theme="dark"]'),
    })),
  );
  return (
    <div class="brand-seen">
      {seen.image && <img src={seen.image} alt={t("brand.picture")} />}
      <dl class="facts">
        <Fact name={t("brand.head")} value={seen.brand.head_text || "–"} />
        <Fact name={t("brand.foot")} value={seen.brand.foot_text || "–"} />
      </dl>
      {colours.length > 0 && (
        <ul class="swatches" aria-label={t("brand.colours")}>
          {colours.map(({ key, name, colour, dark }) => (
            <li key={key}>
              <svg width="28" height="28" viewBox="0 0 28 28" aria-hidden="true">
                <rect class="swatch" x="1" y="1" width="26" height="26" rx="7" fill={colour} />
              </svg>
              <span>
                <code>{name}</code> {dark && t("brand.dark")}
                <br />
                <code>{colour}</code>
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

const KNOWN = `{
  "Navigation": {
    "HeadText": "", "HeadImg": "logo.png", "HeadImgHeight": 44,
    "HeadImgLeftOffset": 0, "HeadImgRightOffset": 0,
    "HeadImgBottomOffset": 0, "HeadOrderReverse": 0,
    "HeadStyle": "font-size: 100%", "MenuStyle": "color: #241f59",
    "MenuActiveStyle": "color: white; background: #333333",
    "MenuFocusHoverStyle": "color: white; background: #666666"
  },
  "Content": {
    "FootText": "© My Company", "FootStyle": "color: #000000",
    "SectionBack": "#f4f4f4", "CardBack": "#ffffff",
    "CardLabel": "#ffffff", "CardLabelBack": "#c8202d",
    "Button": "#ffffff", "ButtonBack": "#3e6dbe",
    "ToggleOn": "#ffffff", "ToggleOnBack": "#3e6dbe",
    "ToggleOff": "#333333", "ToggleOffBack": "#cececd"
  },
  "Colors": {
    "Primary": "#ffffff", "PrimaryBack": "#404040",
    "Secondary": "#241f59", "SecondaryBack": "#ffffff"
  }
}`;

function Known({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t("brand.known")} onClose={onClose} wide>
      <p>{t("brand.known_more")}</p>
      <pre class="sample" tabIndex={0} aria-label="branding.json">
        {KNOWN}
      </pre>
    </Dialog>
  );
}

// --- meter files ---------------------------------------------------------------------------------

function MetersTab() {
  const { body, failed, ask } = useAsked<ShippedMeter[]>("/meters");
  const file = useFile<ShippedMeter>("/meters/own");
  const own = (body ?? []).filter((one) => one.own);
  const used = snapshot.value?.meter.name;
  const take = async () => {
    const name = file.looked?.seen?.name ?? "";
    if (!(await file.take())) return;
    announce(t("meters.kept", { name }));
    await ask();
  };
  const seen = file.looked?.seen;
  return (
    <Card title={t("assembler.meters")}>
      <p class="second">
        {t("meters.more")}{" "}
        <Link class="text-link" to="/configuration/meter">
          {t("conf.meter")} <Icon name="arrow-right" size={18} />
        </Link>
      </p>
      <p>
        <FilePick accept=".meter,.json" onFile={file.choose}>
          {t("meters.choose")}
        </FilePick>
      </p>
      {file.busy && <p role="status">{t("files.checking")}</p>}
      {file.looked?.fault && <Refusal looked={file.looked} />}
      {file.looked && seen && (
        <>
          <Note tone="ok" live>
            {t(own.some((one) => one.name === seen.name) ? "meters.replaces" : "meters.good", {
              file: file.looked.file.name,
              name: seen.name,
            })}
          </Note>
          <TakeIt busy={file.busy} verb={t("meters.keep")} onTake={take} onDrop={file.drop} />
        </>
      )}
      {failed && <Note tone="fault">{failed}</Note>}
      {body && !own.length && <p class="second">{t("meters.none")}</p>}
      <ul class="plain-list">
        {own.map((one) => (
          <OwnMeter key={one.name} meter={one} used={one.name === used} gone={ask} />
        ))}
      </ul>
    </Card>
  );
}

interface OwnProps {
  meter: ShippedMeter;
  used: boolean;
  gone: () => Promise<void>;
}

function OwnMeter({ meter, used, gone }: OwnProps) {
  const { name } = meter;
  const path = `/meters/own?name=${encodeURIComponent(name)}`;
  const remove = () =>
    askDanger({
      title: t("meters.delete_title", { name }),
      body: t(used ? "meters.delete_used" : "meters.delete_body"),
      sessions: null,
      verb: t("delete.do"),
      act: async () => {
        await call("DELETE", path);
        await gone();
        return t("meters.deleted", { name });
      },
    });
  return (
    <li>
      <div>
        <b>{name}</b>
        <span class="second">
          {t(meter.file["tcp"] ? "meter.tcp" : "meter.rtu")}
          {used && ` · ${t("meters.used")}`}
          {meter.note && ` · ${given(meter.note)}`}
        </span>
      </div>
      <span class="note-acts">
        <a
          class="button plain"
          href={`/api/v1${path}`}
          aria-label={t("meters.download", { name })}
          download
        >
          <Icon name="download" />
        </a>
        <Button
          acts
          kind="quiet"
          icon="trash"
          label={t("meters.delete", { name })}
          onClick={remove}
        />
      </span>
    </li>
  );
}

// --- the licence ---------------------------------------------------------------------------------

function LicenceTab() {
  const total = snapshot.value?.site.licences_total;
  const { body, failed, ask } = useAsked<Licence>("/licence", total);
  const file = useFile<Licence>("/licence");
  const take = async () => {
    if (!(await file.take())) return;
    announce(t("licence.taken"));
    await ask();
  };
  const seen = file.looked?.seen;
  return (
    <Card title={t("assembler.licence")}>
      {failed && <Note tone="fault">{failed}</Note>}
      {body && <LicenceFacts licence={body} />}
      {body?.state === "expired" && (
        <Note tone="limited">
          {t("licence.expired", {
            date: body.expires ?? "",
            licensed: number(body.licensed ?? 0, 0),
            shipped: number(body.shipped, 0),
          })}
        </Note>
      )}
      <p class="second">{t("licence.more")}</p>
      <p>
        <FilePick accept=".json,.lic,.txt,.licence" onFile={file.choose}>
          {t("licence.choose")}
        </FilePick>
      </p>
      {file.busy && <p role="status">{t("files.checking")}</p>}
      {file.looked?.fault && <Refusal looked={file.looked} />}
      {seen && body && (
        <>
          <Note tone={seen.connectors < seen.in_use ? "limited" : "ok"} live>
            <p>
              {t("licence.change", {
                now: number(body.connectors, 0),
                then: number(seen.connectors, 0),
              })}
            </p>
            {seen.in_use > seen.connectors && (
              <p>{say("licence.lose", { n: seen.in_use - seen.connectors })}</p>
            )}
          </Note>
          <LicenceFacts licence={seen} />
          <TakeIt busy={file.busy} verb={t("licence.take")} onTake={take} onDrop={file.drop} />
        </>
      )}
    </Card>
  );
}

function LicenceFacts({ licence }: { licence: Licence }) {
  const used = t("licence.of", {
    used: number(licence.in_use, 0),
    total: number(licence.connectors, 0),
  });
  return (
    <dl class="facts">
      <Fact name={t("details.licences")} value={used} />
      <Fact name={t("licence.serial")} value={licence.serial} />
      {licence.licensed === null ? (
        <Fact name={t("licence.file")} value={t("licence.shipped")} />
      ) : (
        <>
          <Fact name={t("licence.customer")} value={licence.customer || "–"} />
          <Fact name={t("licence.number")} value={licence.number || "–"} />
          <Fact name={t("licence.issued")} value={licence.issued} />
          <Fact name={t("licence.expires")} value={licence.expires ?? t("licence.never")} />
        </>
      )}
    </dl>
  );
}

// --- back to the factory -------------------------------------------------------------------------

function FactoryTab() {
  const [asking, setAsking] = useState(false);
  return (
    <Card title={t("assembler.factory")}>
      <p>{t("factory.more")}</p>
      <ul class="bullets">
        <li>{t("factory.goes")}</li>
        <li>{t("factory.stays")}</li>
        <li>{t("factory.then")}</li>
      </ul>
      <p class="note-acts">
        <a class="button plain" href="/api/v1/settings/export" download>
          <Icon name="download" /> <span>{t("files.export_do")}</span>
        </a>
        <Button acts kind="danger" icon="trash" onClick={() => setAsking(true)}>
          {t("factory.do")} …
        </Button>
      </p>
      {asking && <ResetDialog onClose={() => setAsking(false)} />}
    </Card>
  );
}

function ResetDialog({ onClose }: { onClose: () => void }) {
  const site = snapshot.value?.site;
  const name = site?.name || site?.serial || "";
  const [typed, setTyped] = useState("");
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const reset = async (event: Event) => {
    event.preventDefault();
    if (busy || typed !== name) return;
    setBusy(true);
    try {
      await call("POST", "/factory-reset", { confirm: typed });
      announce(t("factory.done"));
      onClose();
    } catch (problem) {
      setFailed(inWords(problem));
      setBusy(false);
    }
  };
  const running = site?.sessions ?? 0;
  return (
    <Dialog title={t("factory.title")} onClose={onClose} danger>
      <form class="form" onSubmit={reset}>
        <p>{t("factory.body")}</p>
        <p class="consequence">
          <Icon name={running ? "triangle-alert" : "circle-check"} />
          <b>{running ? say("danger.sessions", { n: running }) : t("danger.no_sessions")}</b>
        </p>
        <Field label={t("factory.type", { name })}>
          {(ids) => (
            <TextInput id={ids.id} described={ids.described} value={typed} onValue={setTyped} />
          )}
        </Field>
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        <footer class="dialog-foot">
          <Button onClick={onClose} focus>
            {t("dialog.cancel")}
          </Button>
          <Button
            type="submit"
            kind="danger"
            busy={busy}
            why={typed === name ? undefined : t("factory.type", { name })}
          >
            {busy ? t("dialog.working") : t("factory.do")}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
