// Chargers: what is kept for each, in a list and in forms for one or for many at once.

import type { ComponentType } from "preact";
import { useEffect, useId, useState } from "preact/hooks";

import { askDelete } from "../acts";
import { kw, moment } from "../format";
import { given, has, number, say, t, type Key } from "../i18n";
import { freshness, snapshot } from "../live";
import { Badge, Button, Card, Icon, Link, Note, Tick } from "../parts/basics";
import { DraftBar, LoadFailed } from "../parts/draftbar";
import { TextInput, unitOf } from "../parts/fields";
import { Limits } from "../parts/nodes";
import { Found } from "../parts/passport";
import { tick, ticked, Tile } from "../parts/points";
import { UplinkNow, uplinkOf, uplinkState } from "../parts/uplink";
import { go, query, segments } from "../route";
import { base, draft, loadFailed, same, settle } from "../settings";
import { byName, nameOf, points, type State } from "../site";
import type { Charger, ChargerSettings } from "../words";
import { AdoptTab, strangers } from "./adopt";
import { ChargerForm, FIELDS, fresh, placeOf, shown } from "./chargerform";
import { FirmwareTab } from "./chargerfirmware";
import {
  Acts,
  CHARGER_TABS,
  chargerPath,
  HistoryTab,
  KeysTab,
  MessagesTab,
  useTabInSight,
} from "./onecharger";

export function Chargers() {
  useEffect(settle, []);
  const [, which, tab] = segments();
  const overview = tab === undefined ? TABS.find((one) => one.id === (which ?? "list")) : undefined;
  const isBatch = which === "edit" && tab === undefined;
  const Show = overview?.show;
  return (
    <>
      {overview && <Overview current={overview.id} />}
      {loadFailed.value !== null && <LoadFailed />}
      {Show && <Show />}
      {isBatch && <Many ids={new URL(location.href).searchParams.getAll("id")} />}
      {which !== undefined && !overview && !isBatch && (
        <One key={which} id={which} tab={tab ?? "status"} />
      )}
      <DraftBar />
    </>
  );
}

// --- all of them, in tabs ------------------------------------------------------------------------

interface Tab {
  id: string;
  name: Key;
  show: ComponentType;
}

const TABS: readonly Tab[] = [
  { id: "list", name: "chargers.list", show: List },
  { id: "adopt", name: "chargers.adopt", show: AdoptTab },
  { id: "groups", name: "conf.groups", show: Groups },
  { id: "firmware", name: "chargers.firmware", show: FirmwareTab },
];

function Overview({ current }: { current: string }) {
  const n = strangers().length;
  useTabInSight(current);
  return (
    <>
      <header class="page-head">
        <h1>
          {t("chargers.title")}{" "}
          <span class="second count">{say("chargers.count", { n: known().length })}</span>
        </h1>
      </header>
      <nav class="tabs" aria-label={t("chargers.tabs")}>
        {TABS.map((one) => (
          <Link
            key={one.id}
            to={one.id === "list" ? "/chargers" : `/chargers/${one.id}`}
            current={one.id === current}
          >
            {t(one.name)}
            {one.id === "adopt" && n > 0 && <span class="tab-count">{number(n, 0)}</span>}
          </Link>
        ))}
      </nav>
    </>
  );
}

/** The limits as they stand now, and the same to be edited: a part of Configuration. */
function Groups() {
  const shot = snapshot.value;
  const [form, setForm] = useState<{ Show: ComponentType } | null>(null);
  useEffect(() => {
    void import("./configuration").then((page) => setForm({ Show: page.GroupsTab }));
  }, []);
  return (
    <>
      {shot && <Limits shot={shot} />}
      {draft.value && form && <form.Show />}
    </>
  );
}

/** Everything there is: kept in the settings, seen on the wire, or both. */
interface Known {
  id: string;
  name: string;
  kept: ChargerSettings | null;
  seen: Charger | null;
}

function known(): Known[] {
  const kept = draft.value?.chargers ?? [];
  const seen = snapshot.value?.chargers ?? [];
  const ids = [...new Set([...kept.map((c) => c.id), ...seen.map((c) => c.id)])];
  return byName(
    ids.map((id) => {
      const own = kept.find((charger) => charger.id === id) ?? null;
      const live = seen.find((charger) => charger.id === id) ?? null;
      return { id, name: own?.name || live?.name || "", kept: own, seen: live };
    }),
  );
}

export function linkState(seen: Charger | null): State {
  if (!seen) return { tone: "idle", icon: "circle-dashed", word: t("chargers.never") };
  if (!seen.licensed) return { tone: "limited", icon: "lock", word: t("chargers.unlicensed") };
  return seen.connected
    ? { tone: "ok", icon: "circle-check", word: t("chargers.connected") }
    : { tone: "fault", icon: "unplug", word: t("chargers.disconnected") };
}

// --- the list ------------------------------------------------------------------------------------

function List() {
  const all = known();
  const chosen = all.filter((one) => ticked.value.has(one.id)).map((one) => one.id);
  return (
    <>
      {!draft.value && loadFailed.value === null && <p role="status">{t("draft.loading")}</p>}
      {all.length > 0 && (
        <div class="card charger-list">
          <div class="charger-row titles">
            <Tick
              label={t("table.all")}
              checked={chosen.length === all.length && all.length > 0}
              mixed={chosen.length > 0 && chosen.length < all.length}
              onChange={(on) =>
                tick(
                  all.map((one) => one.id),
                  on,
                )
              }
            />
            <span>{t("table.name")}</span>
            <span>{t("chargers.wiring")}</span>
            <span>{t("chargers.range")}</span>
            <span>{t("chargers.group")}</span>
            <span>{t("chargers.firmware")}</span>
            <span>{t("chargers.link")}</span>
          </div>
          <ul>
            {all.map((one) => (
              <Line key={one.id} one={one} />
            ))}
          </ul>
        </div>
      )}
      {draft.value && !all.length && (
        <Card class="empty">
          <p>
            <b>{t("groups.none")}</b>
          </p>
          <p class="second">{t("groups.none_more")}</p>
        </Card>
      )}
      <ListActs chosen={chosen} />
      {draft.value && <Add />}
    </>
  );
}

function Line({ one }: { one: Known }) {
  const { kept, seen } = one;
  return (
    <li class="charger-row">
      <Tick
        label={t("chargers.select", { name: nameOf(one) })}
        checked={ticked.value.has(one.id)}
        onChange={(on) => tick([one.id], on)}
      />
      <Link class="charger-name" to={chargerPath(one.id)}>
        <b>{nameOf(one)}</b>
        {one.name && <span class="second">{one.id}</span>}
        {!kept && draft.value && (
          <span class="badge limited">
            <Icon name="plus" size={16} /> {t("chargers.unlisted")}
          </span>
        )}
      </Link>
      <span>{kept ? `${kept.phases} · ${kept.connection}` : "–"}</span>
      <span class="figure">{kept ? range(kept) : "–"}</span>
      <span>{kept?.group ?? <span class="second">{t("field.none_set")}</span>}</span>
      <span class="second firmware">{seen?.firmware || "–"}</span>
      <span class="links">
        <Badge state={linkState(seen)} />
        <Behind id={one.id} connected={seen?.connected ?? false} />
      </span>
    </li>
  );
}

/** How its link to the CSMS stands, where there is one at all. */
function Behind({ id, connected }: { id: string; connected: boolean }) {
  const uplink = uplinkOf(snapshot.value, id);
  if (!uplink || uplink.state === "off") return null;
  const looks = uplinkState(uplink, connected);
  if (looks.tone === "idle") return null;
  const n = uplink.waiting ? number(uplink.waiting, 0) : null;
  return <Badge state={{ ...looks, word: say(`uplink.short.${uplink.state}`, { waiting: n }) }} />;
}

function range(kept: ChargerSettings): string {
  const inW = kept.max_w !== undefined;
  const low = inW ? (kept.min_w ?? 0) : (kept.min_ma ?? 6000);
  const high = inW ? (kept.max_w ?? 0) : (kept.max_ma ?? 32_000);
  if (inW) return `${kw(low)} – ${kw(high)}`;
  return `${t("unit.a", { v: low / 1000 })} – ${t("unit.a", { v: high / 1000 })}`;
}

const named = (ids: readonly string[]): string =>
  new URLSearchParams(ids.map((id) => ["id", id])).toString();

function ListActs({ chosen }: { chosen: string[] }) {
  if (!chosen.length) return null;
  const clear = () => tick(chosen, false);
  const seen = (snapshot.value?.chargers ?? []).filter((charger) => chosen.includes(charger.id));
  const edit = () =>
    go(
      chosen.length === 1
        ? chargerPath(chosen[0] ?? "")
        : `/chargers/edit?${named(chosen)}`,
    );
  const remove = () =>
    askDelete(seen, () => {
      clear();
      settle();
    });
  return (
    <div class="ticked-bar" role="region" aria-label={say("ticked.n", { n: chosen.length })}>
      <b>{say("ticked.n", { n: chosen.length })}</b>
      <div class="ticked-acts">
        <Button kind="primary" icon="pencil" onClick={edit}>
          {say("chargers.edit_n", { n: chosen.length })}
        </Button>
        <Button icon="download" onClick={() => go(`/chargers/firmware?${named(chosen)}`)}>
          {t("fw.update_chosen")}
        </Button>
        {seen.length === chosen.length && (
          <Button acts kind="danger" icon="trash" onClick={remove}>
            {t("ticked.delete")}
          </Button>
        )}
        <Button kind="quiet" icon="x" label={t("ticked.clear")} onClick={clear} />
      </div>
    </div>
  );
}

function Add() {
  const [text, setText] = useState("");
  const id = useId();
  const add = (event: Event) => {
    event.preventDefault();
    const name = text.trim();
    if (name) go(`${chargerPath(name)}?new=1`);
  };
  return (
    <details class="card details add">
      <summary>
        <h2>{t("chargers.add")}</h2> <Icon name="chevron-down" />
      </summary>
      <form class="form inline" onSubmit={add}>
        <div class="field">
          <label for={id}>{t("chargers.add_title")}</label>
          <TextInput
            id={id}
            value={text}
            onValue={setText}
            maxLength={48}
            described={`${id}-help`}
          />
          <p class="help" id={`${id}-help`}>
            {t("chargers.add_help")}
          </p>
        </div>
        <Button type="submit" icon="plus">
          {t("chargers.add_do")}
        </Button>
      </form>
    </details>
  );
}

// --- one charger ---------------------------------------------------------------------------------

function One({ id, tab }: { id: string; tab: string }) {
  useTabInSight(tab);
  const kept = draft.value?.chargers.find((charger) => charger.id === id) ?? null;
  const seen = snapshot.value?.chargers.find((charger) => charger.id === id) ?? null;
  return (
    <>
      <header class="page-head">
        <div>
          <Link class="text-link back" to="/chargers">
            <Icon name="arrow-right" size={18} /> {t("chargers.back")}
          </Link>
          <h1>{kept?.name || seen?.name || id}</h1>
          <span class="second">{id}</span>
        </div>
        <Badge state={linkState(seen)} />
      </header>
      <nav class="tabs" aria-label={t("charger.tabs")}>
        {CHARGER_TABS.map((one) => (
          <Link key={one.id} to={chargerPath(id, one.id)} current={one.id === tab}>
            {t(one.name)}
          </Link>
        ))}
      </nav>
      {tab === "configuration" &&
        (seen ? <KeysTab seen={seen} /> : <Note tone="limited">{t("keys.away")}</Note>)}
      {tab === "messages" && <MessagesTab id={id} />}
      {tab === "history" && <HistoryTab id={id} />}
      {!["configuration", "messages", "history"].includes(tab) && <Status id={id} />}
    </>
  );
}

/** How it is now, what is kept for it, what it may be asked to do. */
function Status({ id }: { id: string }) {
  const kept = draft.value?.chargers.find((charger) => charger.id === id) ?? null;
  const seen = snapshot.value?.chargers.find((charger) => charger.id === id) ?? null;
  const asked = query("new") !== null;
  const there = kept ?? (seen || asked ? fresh(id) : null);
  return (
    <>
      {draft.value && !there && <Note tone="limited">{t("chargers.gone", { id })}</Note>}
      <Now id={id} />
      {draft.value && there && (
        <div class="pair wide-left">
          <Card title={t("chargers.settings")}>
            {!kept && <Note tone="idle">{t("chargers.unlisted_more")}</Note>}
            <ChargerForm items={[there]} />
          </Card>
          <div class="stack">
            {seen && <Acts seen={seen} />}
            <UplinkNow id={id} connected={seen?.connected ?? false} />
            <Passport seen={seen} />
            {seen && <Found seen={seen} />}
          </div>
        </div>
      )}
      {draft.value && there && !kept && (
        <p>
          <Button kind="primary" icon="plus" onClick={() => placeOf(id)}>
            {t("chargers.add_do")}
          </Button>
        </p>
      )}
    </>
  );
}

/** Its connectors as they are on Info, each with why it may draw what it may. */
function Now({ id }: { id: string }) {
  const shot = snapshot.value;
  const own = shot ? points(shot).filter((point) => point.charger.id === id) : [];
  if (!shot || !own.length) return null;
  return (
    <section class={`live one-now ${freshness.value}`} aria-labelledby="one-now">
      <h2 id="one-now">{t("chargers.now")}</h2>
      <ul class="tiles">
        {own.map((point) => (
          <Tile key={point.key} point={point} voltage={shot.site.voltage_mv} alone />
        ))}
      </ul>
    </section>
  );
}

/** Read-only facts: what the charger says of itself and how its messages are. */
function Passport({ seen }: { seen: Charger | null }) {
  const none = t("passport.none");
  const facts: [string, string][] = [
    [t("passport.vendor"), seen?.vendor || none],
    [t("passport.model"), seen?.model || none],
    [t("passport.serial"), seen?.serial || none],
    [t("passport.firmware"), seen?.firmware || none],
    [t("passport.firmware_since"), seen?.firmware_since ? moment(seen.firmware_since) : none],
    [t("passport.address"), seen?.address || none],
    [t("passport.deviations"), seen ? String(seen.deviations) : none],
  ];
  return (
    <Card title={t("chargers.passport")}>
      {seen?.since && (
        <p class="second">
          {t("chargers.since", { word: linkState(seen).word, time: moment(seen.since) })}
        </p>
      )}
      <dl class="facts rows">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <div>
          <dt>{t("passport.notes")}</dt>
          <dd>
            {seen?.notes.length ? (
              <ul class="notes">
                {seen.notes.map((note) => (
                  <li key={note}>{given(note)}</li>
                ))}
              </ul>
            ) : (
              t("passport.no_notes")
            )}
          </dd>
        </div>
      </dl>
    </Card>
  );
}

// --- many at once --------------------------------------------------------------------------------

function Many({ ids }: { ids: string[] }) {
  const list = draft.value?.chargers ?? [];
  const items = ids.map((id) => list.find((c) => c.id === id) ?? fresh(id));
  return (
    <>
      <header class="page-head">
        <div>
          <Link class="text-link back" to="/chargers">
            <Icon name="arrow-right" size={18} /> {t("chargers.back")}
          </Link>
          <h1>{say("chargers.batch_title", { n: ids.length })}</h1>
          <p class="second">{byName(items).map(nameOf).join(", ")}</p>
        </div>
      </header>
      {draft.value && (
        <div class="pair wide-left">
          <Card title={t("chargers.settings")}>
            <p class="second">{t("chargers.batch_more")}</p>
            <ChargerForm items={items} batch />
          </Card>
          <Preview items={items} />
        </div>
      )}
    </>
  );
}

/** What saving would change, field by field. */
function Preview({ items }: { items: readonly ChargerSettings[] }) {
  const old = base.value?.chargers ?? [];
  const lines = FIELDS.flatMap((field) => {
    const changed = items.filter((item) => {
      const before = old.find((one) => one.id === item.id) ?? fresh(item.id);
      return !same(before[field], item[field]);
    });
    const [first] = changed;
    return first ? [{ field, n: changed.length, value: shownValue(field, first[field]) }] : [];
  });
  return (
    <Card title={t("chargers.preview")}>
      {!lines.length && <p class="second">{t("chargers.preview_none")}</p>}
      <ul class="preview">
        {lines.map((line) => (
          <li key={line.field}>
            <Icon name="pencil" size={16} />
            <span>
              {say("chargers.preview_line", {
                field: has(`field.${line.field}`)
                  ? say(`field.${line.field}`)
                  : labelFor(line.field),
                value: line.value,
                n: line.n,
              })}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function labelFor(field: string): string {
  return field.startsWith("max") ? t("field.max") : t("field.min");
}

function shownValue(field: string, value: unknown): string {
  if (value === null || value === undefined) return t("field.none_set");
  if (typeof value === "boolean") return t(value ? "field.yes" : "field.no");
  if (typeof value !== "number") return String(value);
  const [by, unit] = unitOf(shown(field));
  return `${value / by} ${unit}`.trim();
}
