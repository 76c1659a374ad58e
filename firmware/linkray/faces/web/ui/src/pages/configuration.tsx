// Configuration: the site, its meter, its groups, the CSMS, files.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { kw } from "../format";
import { say, t, type Key } from "../i18n";
import { snapshot } from "../live";
import { Button, Card, FilePick, Icon, Link, Note } from "../parts/basics";
import { CeilingCard } from "../parts/ceiling";
import { announce, askDanger, inWords } from "../parts/dialog";
import { DraftBar, LoadFailed } from "../parts/draftbar";
import { Field, NumberInput, rangeOf, Select, Setting, TextInput } from "../parts/fields";
import { segments } from "../route";
import {
  base,
  draft,
  errorAt,
  fieldSchema,
  loadFailed,
  loadSettings,
  markUnreadable,
  revision,
  setValue,
  settle,
  type Path,
} from "../settings";
import { byName, nameOf, powerW } from "../site";
import type { GroupSettings, SettingChange, Settings, SettingsCheck } from "../words";
import { BALANCING, BalancingTab } from "./balancing";
import { CsmsTab } from "./csms";
import { MeterTab } from "./meter";
import { ScheduleTab } from "./schedule";

interface Tab {
  id: string;
  name: Key;
  show: ComponentType;
}

const TABS: readonly Tab[] = [
  { id: "site", name: "conf.site", show: SiteTab },
  { id: "meter", name: "conf.meter", show: MeterTab },
  { id: "balancing", name: "conf.balancing", show: BalancingTab },
  { id: "schedule", name: "conf.schedule", show: ScheduleTab },
  { id: "groups", name: "conf.groups", show: GroupsTab },
  { id: "csms", name: "conf.csms", show: CsmsTab },
  { id: "files", name: "conf.files", show: FilesTab },
];

export function Configuration() {
  useEffect(settle, []);
  useFreshness();
  const [, which = "site"] = segments();
  const tab = TABS.find((one) => one.id === which) ?? TABS[0];
  const Show = tab?.show ?? SiteTab;
  useEffect(() => {
    const tabs = document.querySelector(".tabs [aria-current]"); // narrow screens scroll them
    tabs?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [tab?.id]);
  return (
    <>
      <h1>{t("conf.title")}</h1>
      <nav class="tabs" aria-label={t("conf.tabs")}>
        {TABS.map((one) => (
          <Link key={one.id} to={`/configuration/${one.id}`} current={one === tab}>
            {t(one.name)}
          </Link>
        ))}
      </nav>
      {loadFailed.value !== null && <LoadFailed />}
      {!draft.value && loadFailed.value === null && <p role="status">{t("draft.loading")}</p>}
      {draft.value && <Show />}
      <DraftBar />
    </>
  );
}

/** Settings changed elsewhere: loaded anew at once where nothing is being edited here. */
function useFreshness(): void {
  const now = snapshot.value?.site.settings_revision;
  useEffect(() => {
    const mine = revision();
    if (now !== undefined && mine !== null && now > mine) settle();
  }, [now]);
}

// --- site ----------------------------------------------------------------------------------------

const SUPPLY = ["name", "voltage_mv", "limit_ma", "split_mode", "time_zone"];
const ELSEWHERE = ["meter", "base_load_ma", ...BALANCING];

function SiteTab() {
  const known = Object.keys(fieldSchema(["site"]).properties ?? {});
  const rest = known.filter((name) => ![...SUPPLY, ...ELSEWHERE].includes(name));
  const site = draft.value?.site;
  const voltage = site?.voltage_mv ?? 0;
  const total = powerW(site?.limit_ma ?? [0, 0, 0], [voltage, voltage, voltage]);
  return (
    <>
      <Card title={t("conf.supply")}>
        <div class="form">
          <Setting path={["site", "name"]} />
          <div class="form-row">
            <Setting path={["site", "voltage_mv"]} />
            <Setting path={["site", "split_mode"]} />
          </div>
          <Setting path={["site", "limit_ma"]} />
          <p class="total">
            <span>{t("conf.total")}</span> <b class="figure">{kw(total)}</b>{" "}
            <span class="second">{t("conf.total_more")}</span>
          </p>
          <Setting path={["site", "time_zone"]} />
        </div>
      </Card>
      <CeilingCard />
      <details class="card details">
        <summary>
          <h2>{t("conf.more")}</h2> <Icon name="chevron-down" />
        </summary>
        <div class="form two">
          {rest.map((name) => (
            <Setting key={name} path={["site", name]} />
          ))}
        </div>
      </details>
    </>
  );
}

// --- groups --------------------------------------------------------------------------------------

export function GroupsTab() {
  const groups = draft.value?.groups ?? [];
  const add = () => {
    const taken = new Set(groups.map((group) => group.name));
    let n = groups.length + 1;
    while (taken.has(t("groupset.new", { n }))) n += 1;
    setValue(
      ["groups"],
      [...groups, { name: t("groupset.new", { n }), limit_ma: 63_000, parent: null }],
    );
  };
  return (
    <Card
      title={t("conf.groups")}
      aside={
        <Button icon="plus" onClick={add}>
          {t("groupset.add")}
        </Button>
      }
    >
      {!groups.length && <p class="second">{t("groupset.none")}</p>}
      {groups.map((group, place) => (
        <GroupForm key={place} group={group} place={place} />
      ))}
      {groups.length > 0 && (
        <p class="second">
          {t("groupset.assign")}{" "}
          <Link class="text-link" to="/chargers">
            {t("nav.chargers")} <Icon name="arrow-right" size={18} />
          </Link>
        </p>
      )}
    </Card>
  );
}

/** A new name goes with the chargers and groups that point at it. */
function rename(place: number, name: string): void {
  const tree = draft.peek();
  const old = tree?.groups[place]?.name;
  if (!tree || old === undefined) return;
  draft.value = {
    ...tree,
    groups: tree.groups.map((group, i) => ({
      ...group,
      name: i === place ? name : group.name,
      parent: group.parent === old ? name : group.parent,
    })),
    chargers: tree.chargers.map((one) => (one.group === old ? { ...one, group: name } : one)),
  };
}

function remove(place: number): void {
  const tree = draft.peek();
  const gone = tree?.groups[place];
  if (!tree || !gone) return;
  const left = tree.groups.filter((_, i) => i !== place);
  draft.value = {
    ...tree,
    groups: left.map((group) =>
      group.parent === gone.name ? { ...group, parent: gone.parent } : group,
    ),
    chargers: tree.chargers.map((one) => (one.group === gone.name ? { ...one, group: null } : one)),
  };
}

function askRemove(place: number, name: string, inside: number): void {
  if (!inside) {
    remove(place);
    return;
  }
  askDanger({
    title: t("groupset.remove_title", { name }),
    body: say("groupset.remove_body", { n: inside }),
    sessions: null,
    verb: t("groupset.remove_do"),
    act: async () => {
      remove(place);
      return "";
    },
  });
}

function GroupForm({ group, place }: { group: GroupSettings; place: number }) {
  const inside = (draft.value?.chargers ?? []).filter((charger) => charger.group === group.name);
  const path = (field: string): Path => ["groups", place, field];
  const limit = fieldSchema(path("limit_ma"));
  const others = (draft.value?.groups ?? []).filter((one) => one.name !== group.name);
  const fed = others.filter((one) => one.parent === group.name).map((one) => one.name);
  return (
    <fieldset class="group-form">
      <legend class="unseen">{t("groupset.legend", { n: place + 1 })}</legend>
      <Field label={t("groupset.name")} error={errorAt(path("name"))}>
        {(ids) => (
          <TextInput
            id={ids.id}
            described={ids.described}
            value={group.name}
            maxLength={50}
            wrong={Boolean(errorAt(path("name")))}
            onValue={(name) => rename(place, name)}
          />
        )}
      </Field>
      <Field label={t("groupset.limit")} help={rangeOf(limit)} error={errorAt(path("limit_ma"))}>
        {(ids) => (
          <NumberInput
            id={ids.id}
            described={ids.described}
            value={group.limit_ma}
            shape={limit}
            wrong={Boolean(errorAt(path("limit_ma")))}
            onValue={(ma) => setValue(path("limit_ma"), ma)}
            onText={(text) => markUnreadable(path("limit_ma"), text)}
          />
        )}
      </Field>
      <Field label={t("groupset.parent")} error={errorAt(path("parent"))}>
        {(ids) => (
          <Select
            id={ids.id}
            described={ids.described}
            value={group.parent ?? ""}
            wrong={Boolean(errorAt(path("parent")))}
            choices={[
              { value: "", text: t("groupset.site") },
              ...others.map((one) => ({ value: one.name, text: one.name })),
            ]}
            onChange={(chosen) => setValue(path("parent"), chosen || null)}
          />
        )}
      </Field>
      <p class="group-inside second">
        {say("groupset.chargers", { n: inside.length })}
        {inside.length > 0 && `: ${byName(inside).map(nameOf).join(", ")}`}
        {fed.length > 0 && ` · ${t("groupset.feeds", { names: fed.join(", ") })}`}
      </p>
      <Button
        kind="quiet"
        icon="trash"
        label={t("groupset.remove", { name: group.name })}
        onClick={() => askRemove(place, group.name, inside.length)}
      />
    </fieldset>
  );
}

// --- import and export ---------------------------------------------------------------------------

interface Chosen {
  file: File;
  name: string;
  tree: unknown;
  fault: string; // "" when the server found it good
  changes: readonly SettingChange[];
}

function FilesTab() {
  return (
    <div class="pair">
      <Card title={t("files.export")}>
        <p class="second">{t("files.export_more")}</p>
        <p>
          <a class="button plain" href="/api/v1/settings/export" download>
            <Icon name="download" /> <span>{t("files.export_do")}</span>
          </a>
        </p>
      </Card>
      <Card title={t("files.import")}>
        <Import />
      </Card>
      <Card title={t("passports.title")}>
        <p class="second">{t("passports.more")}</p>
        <p class="note-acts">
          <a class="button plain" href="/api/v1/passports/export" download="linkray-passports.json">
            <Icon name="download" /> <span>{t("passports.download")}</span>
          </a>
        </p>
        <ImportPassports />
      </Card>
      <Card title={t("bundle.title")}>
        <p class="second">{t("bundle.more")}</p>
        <p>
          <a class="button plain" href="/api/v1/support-bundle" download>
            <Icon name="download" /> <span>{t("bundle.download")}</span>
          </a>
        </p>
      </Card>
    </div>
  );
}

async function checked(file: File): Promise<Chosen> {
  let tree: unknown;
  try {
    tree = JSON.parse(await file.text());
    const told = await call<SettingsCheck>("POST", "/settings/import?check=1", tree);
    return { file, name: file.name, tree, fault: "", changes: told.body.changes };
  } catch (problem) {
    const fault = problem instanceof SyntaxError ? t("files.no_settings") : inWords(problem);
    return { file, name: file.name, tree, fault, changes: [] };
  }
}

function askImport(chosen: Chosen, done: () => void): void {
  const tree = chosen.tree as Partial<Settings>;
  const contents = t("files.contents", {
    chargers: tree.chargers?.length ?? 0,
    groups: tree.groups?.length ?? 0,
  });
  askDanger({
    title: t("files.title"),
    body: t("files.body", { name: chosen.name, contents, changes: changesWords(chosen) }),
    sessions: null,
    verb: t("files.do"),
    act: async () => {
      await call("POST", "/settings/import", chosen.tree);
      done();
      draft.value = base.peek();
      await loadSettings();
      return t("files.done");
    },
  });
}

const changesWords = ({ changes }: Chosen): string =>
  changes.length ? say("files.changes", { n: changes.length }) : t("files.changes_none");

/** What an import would change, in the names and values of the file. */
function Differences({ changes }: { changes: readonly SettingChange[] }) {
  if (!changes.length) return null;
  return (
    <ul class="differences" tabIndex={0} aria-label={t("chargers.preview")}>
      {changes.map((one) => (
        <li key={one.name}>
          <code>{one.name}</code>{" "}
          <span>{changeWords(one)}</span>
        </li>
      ))}
    </ul>
  );
}

/** Values as the file has them; what has parts (a charger, a meter's file) comes or goes. */
function changeWords({ now, new: then }: SettingChange): string {
  const whole = (value: unknown) => value instanceof Object && !Array.isArray(value);
  if (whole(now)) return t("files.removed");
  if (whole(then)) return t("files.added");
  return t("files.change", { now: valueOf(now), new: valueOf(then) });
}

const valueOf = (value: unknown): string =>
  value === null ? t("files.not_there") : JSON.stringify(value);

function Import() {
  const [busy, setBusy] = useState(false);
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const now = snapshot.value?.site.settings_revision;
  useEffect(() => {
    // settings changed elsewhere: what the file would change is another list
    if (chosen) void checked(chosen.file).then((fresh) => setChosen((held) => (held?.file === fresh.file ? fresh : held)));
  }, [now]);
  const choose = async (file: File) => {
    setBusy(true);
    setChosen(await checked(file));
    setBusy(false);
  };
  return (
    <>
      <p class="second">{t("files.import_more")}</p>
      <p>
        <FilePick accept=".json,application/json" onFile={(file) => void choose(file)}>
          {t("files.choose")}
        </FilePick>
      </p>
      {busy && <p role="status">{t("files.checking")}</p>}
      {chosen?.fault && (
        <Note tone="fault" live>
          {t("files.bad", { name: chosen.name, why: chosen.fault })}
        </Note>
      )}
      {chosen && !chosen.fault && (
        <>
          <Note tone="ok" live>
            {t("files.good", { name: chosen.name, changes: changesWords(chosen) })}
          </Note>
          <Differences changes={chosen.changes} />
          <p>
            <Button
              acts
              kind="danger"
              icon="file-check"
              onClick={() => askImport(chosen, () => setChosen(null))}
            >
              {t("files.do")}
            </Button>
          </p>
        </>
      )}
    </>
  );
}

/** Passports are checked whole before any is taken over. */
function ImportPassports() {
  const [fault, setFault] = useState("");
  const take = async (file: File) => {
    setFault("");
    try {
      const tree: unknown = JSON.parse(await file.text());
      await call("POST", "/passports/import", tree);
      announce(t("passports.done"));
    } catch (problem) {
      const why = problem instanceof SyntaxError ? t("files.no_passports") : inWords(problem);
      setFault(t("files.bad", { name: file.name, why }));
    }
  };
  return (
    <>
      <p>
        <FilePick accept=".json,application/json" onFile={(file) => void take(file)}>
          {t("passports.choose")}
        </FilePick>
      </p>
      {fault && (
        <Note tone="fault" live>
          {fault}
        </Note>
      )}
    </>
  );
}
