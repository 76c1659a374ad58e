// Debug: what goes over the lines right now, and what LinkRay says of itself.

import type { ComponentType } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { call } from "../api";
import { exactly } from "../format";
import { number, say, t, type Key } from "../i18n";
import type { IconName } from "../icons";
import { snapshot } from "../live";
import { Button, Card, Icon, Link, Note } from "../parts/basics";
import { inWords } from "../parts/dialog";
import { Field, Select, TextInput } from "../parts/fields";
import { go, query, segments } from "../route";
import { byName, nameOf } from "../site";
import type { Frame, FramesRead, Way } from "../words";

const KEPT = 500; // frames on the page; older ones are in the files
const EVERY_MS = 1_000;
const SHORT = 320; // characters shown before one opens a frame
const LOG_LINES = 500;

interface Tab {
  id: string;
  name: Key;
  show: ComponentType;
}

const TABS: readonly Tab[] = [
  { id: "ocpp", name: "debug.ocpp", show: AllMessages },
  { id: "log", name: "debug.log", show: OwnLog },
];

export function Debug() {
  const [, which] = segments();
  const tab = TABS.find((one) => one.id === which) ?? TABS[0];
  const Show = tab?.show ?? AllMessages;
  return (
    <>
      <h1>{t("nav.debug")}</h1>
      <nav class="tabs" aria-label={t("debug.tabs")}>
        {TABS.map((one) => (
          <Link key={one.id} to={`/debug/${one.id}`} current={one === tab}>
            {t(one.name)}
          </Link>
        ))}
      </nav>
      <Show />
    </>
  );
}

/** Asks again and again while the page is looked at; what fails is told, and asked again. */
function useEvery(ask: () => Promise<void>, of: string): string {
  const [failed, setFailed] = useState("");
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout>;
    const round = async () => {
      if (!document.hidden) {
        try {
          await latest.current();
          if (!over) setFailed("");
        } catch (problem) {
          if (!over) setFailed(inWords(problem));
        }
      }
      if (!over) timer = setTimeout(() => void round(), EVERY_MS);
    };
    void round();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [of]);
  return failed;
}

// --- the OCPP log --------------------------------------------------------------------------------

const WAYS: readonly Way[] = ["in", "out", "up", "down"];
const WAY_ICONS: Record<Way, IconName> = {
  in: "arrow-right",
  out: "arrow-right",
  up: "arrow-up",
  down: "arrow-down",
};

interface Tail {
  of: string; // the filter that it belongs to
  frames: readonly Frame[]; // the newest first
  last: number;
  leftOut: number;
  files: readonly number[];
}

const NOTHING: Tail = { of: "", frames: [], last: 0, leftOut: 0, files: [] };

function AllMessages() {
  return <OcppLog />;
}

/** Of all chargers, or (`only`) of one. */
export function OcppLog({ only }: { only?: string }) {
  const charger = only ?? query("charger") ?? "";
  const way = query("way") ?? "";
  const of = `${charger} ${way}`;
  const [tail, setTail] = useState<Tail>(NOTHING);
  const [held, setHeld] = useState<Tail | null>(null); // what is looked at while paused
  const newest = useRef<Tail>(NOTHING);
  const failed = useEvery(async () => {
    const before = newest.current.of === of ? newest.current : { ...NOTHING, of };
    const asked = new URLSearchParams({ after: String(before.last), charger, way });
    const told = (await call<FramesRead>("GET", `/ocpp-log?${asked}`)).body;
    const began = told.last < before.last; // LinkRay has started anew: its numbers too
    const frames = [...told.frames].reverse().concat(began ? [] : before.frames).slice(0, KEPT);
    newest.current = {
      of,
      frames,
      last: began ? 0 : told.last,
      leftOut: before.leftOut + told.left_out,
      files: told.files,
    };
    setTail(newest.current);
  }, of);
  useEffect(() => setHeld(null), [of]);
  const shown = held ?? (tail.of === of ? tail : NOTHING);
  const more = held ? tail.frames.filter((one) => one.number > held.last).length : 0;
  return (
    <>
      <Card class="log-card">
        <div class="log-bar">
          <Filters charger={charger} way={way} only={only !== undefined} />
          <Button
            icon={held ? "play" : "pause"}
            onClick={() => setHeld(held ? null : newest.current)}
          >
            {held ? say("debug.go_on", { n: more || null }) : t("debug.pause")}
          </Button>
        </div>
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        {tail.leftOut > 0 && (
          <p class="second">{say("debug.left_out", { n: tail.leftOut })}</p>
        )}
        <ol class="frames" tabIndex={0} aria-label={t("debug.ocpp")}>
          {shown.frames.map((one) => (
            <FrameLine key={one.number} frame={one} />
          ))}
        </ol>
        {!shown.frames.length && <p class="second">{t("debug.nothing")}</p>}
      </Card>
      {only === undefined && <Files sizes={tail.files} />}
    </>
  );
}

interface FilterProps {
  charger: string;
  way: string;
  only: boolean; // this charger alone: its own page
}

function Filters({ charger, way, only }: FilterProps) {
  const id = useId();
  const known = byName(snapshot.value?.chargers ?? []);
  const listed = known.some((one) => one.id === charger) || !charger;
  const show = (next: Record<string, string>) => {
    const all = only ? { way, ...next } : { charger, way, ...next };
    const chosen = Object.entries(all).filter(([, value]) => value);
    const search = new URLSearchParams(chosen).toString();
    const page = only ? location.pathname : "/debug/ocpp";
    go(`${page}${search ? `?${search}` : ""}`, true);
  };
  return (
    <>
      {!only && (
        <div class="field">
          <label for={`${id}-charger`}>{t("debug.charger")}</label>
          <Select
            id={`${id}-charger`}
            value={charger}
            choices={[
              { value: "", text: t("debug.all_chargers") },
              ...known.map((one) => ({
                value: one.id,
                text: one.name ? `${nameOf(one)} (${one.id})` : one.id,
              })),
              ...(listed ? [] : [{ value: charger, text: charger }]),
            ]}
            onChange={(chosen) => show({ charger: chosen })}
          />
        </div>
      )}
      <div class="field">
        <label for={`${id}-way`}>{t("debug.way")}</label>
        <Select
          id={`${id}-way`}
          value={way}
          choices={[
            { value: "", text: t("debug.all_ways") },
            ...WAYS.map((one) => ({ value: one, text: say(`way.${one}`) })),
            { value: "in,out", text: t("way.chargers") },
            { value: "up,down", text: t("way.csms") },
          ]}
          onChange={(chosen) => show({ way: chosen })}
        />
      </div>
    </>
  );
}

function FrameLine({ frame }: { frame: Frame }) {
  const long = frame.text.length > SHORT;
  return (
    <li class={`frame-line ${frame.way}`}>
      <span class="frame-head">
        <time class="figure" dateTime={frame.at}>
          {stamped(frame.at)}
        </time>
        <span class="way">
          <Icon name={WAY_ICONS[frame.way]} size={16} /> {say(`way.${frame.way}`)}
        </span>
        <b>{frame.charger}</b>
      </span>
      {!long && <code class="frame-text">{frame.text}</code>}
      {long && (
        <details>
          <summary>
            <code class="frame-text">{frame.text.slice(0, SHORT)} …</code>
          </summary>
          <code class="frame-text">{frame.text}</code>
        </details>
      )}
    </li>
  );
}

/** With its thousandths: in which order things came is what one looks for. */
const stamped = (utc: string): string => `${exactly(utc)}${utc.slice(19, 23)}`;

function Files({ sizes }: { sizes: readonly number[] }) {
  return (
    <Card title={t("debug.files")}>
      <p class="second">{t("debug.files_more")}</p>
      <div class="note-acts">
        {sizes.map((size, place) => (
          <a key={place} class="button plain" href={`/api/v1/ocpp-log/${place}`} download>
            <Icon name="download" />
            <span>
              {place ? `OCPP.${place}` : "OCPP"}{" "}
              <span class="second figure">{t("debug.kib", { v: number(size / 1024, 0) })}</span>
            </span>
          </a>
        ))}
        <a class="button plain" href="/api/v1/support-bundle" download>
          <Icon name="download" /> <span>{t("bundle.download")}</span>
        </a>
      </div>
    </Card>
  );
}

// --- LinkRay's own log ---------------------------------------------------------------------------

function OwnLog() {
  const [lines, setLines] = useState<readonly string[]>([]);
  const [paused, setPaused] = useState(false);
  const failed = useEvery(async () => {
    if (paused) return;
    const told = await call<{ lines: string[] }>("GET", `/log?lines=${LOG_LINES}`);
    setLines(told.body.lines.reverse());
  }, "log");
  const wanted = query("q") ?? "";
  const words = wanted.toLowerCase().split(/\s+/);
  const shown = lines.filter((line) => words.every((word) => line.toLowerCase().includes(word)));
  return (
    <Card class="log-card">
      <div class="log-bar">
        <Field label={t("debug.search")}>
          {({ id }) => (
            <TextInput
              id={id}
              value={wanted}
              onValue={(q) => go(`/debug/log${q ? `?${new URLSearchParams({ q })}` : ""}`, true)}
            />
          )}
        </Field>
        <Link class="button plain" to="/admin/logs">
          <span>{t("debug.log_files")}</span> <Icon name="arrow-right" size={18} />
        </Link>
        <Button icon={paused ? "play" : "pause"} onClick={() => setPaused(!paused)}>
          {paused ? say("debug.go_on", { n: null }) : t("debug.pause")}
        </Button>
      </div>
      <p class="second">{t("debug.log_more")}</p>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      <ol class="frames" tabIndex={0} aria-label={t("debug.log")}>
        {shown.map((line, place) => (
          <li key={`${shown.length - place} ${line}`} class="frame-line">
            <code class="frame-text">{line}</code>
          </li>
        ))}
      </ol>
      {lines.length > 0 && !shown.length && <p class="second">{t("debug.no_line")}</p>}
    </Card>
  );
}
