// Tags: who may charge while LinkRay decides. The list, and beside it what was refused, learning
// at the reader, and the file.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { number, say, t, type Key } from "../i18n";
import { Badge, Button, Card, Icon, Link, Note, Tick } from "../parts/basics";
import { announce, askDanger, inWords } from "../parts/dialog";
import { Field, Select, Switch } from "../parts/fields";
import { AddTag, EditTag, until, useSearch, type Listed } from "../parts/tagform";
import { go, query, segments } from "../route";
import { INSTALLER, level } from "../session";
import type { State } from "../site";
import type { TagsRead } from "../words";
import { Import } from "./tagimport";
import { Learn } from "./taglearn";
import { Rejected } from "./tagrejected";

const PLACE = "/transactions/tags";
const SHOWN = 100;
const ORDERS = ["tag", "name", "type", "expires"] as const;

interface View {
  id: string;
  name: Key;
  show: ComponentType;
  level: number;
}

const VIEWS: readonly View[] = [
  { id: "", name: "tags.list", show: List, level: 1 },
  { id: "rejected", name: "tags.rejected", show: Rejected, level: 1 },
  { id: "learn", name: "tags.learn", show: Learn, level: 1 },
  { id: "import", name: "tags.import", show: Import, level: INSTALLER },
];

/** What stands below the tab Tags of Transactions. */
export function TagsTab() {
  const [, , which = ""] = segments();
  const open = VIEWS.filter((one) => level() >= one.level);
  const view = open.find((one) => one.id === which) ?? open[0];
  const Show = view?.show ?? List;
  return (
    <>
      <nav class="views" aria-label={t("tags.views")}>
        {open.map((one) => (
          <Link key={one.id} to={one.id ? `${PLACE}/${one.id}` : PLACE} current={one === view}>
            {t(one.name)}
          </Link>
        ))}
      </nav>
      <Show />
    </>
  );
}

// --- the list ------------------------------------------------------------------------------------

function List() {
  const find = query("q") ?? "";
  const order = ORDERS.find((one) => one === query("order")) ?? "tag";
  const page = Math.max(1, Math.floor(Number(query("page")) || 1));
  const [told, setTold] = useState<TagsRead | null>(null);
  const [failed, setFailed] = useState("");
  const [looks, setLooks] = useState(0);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [editing, setEditing] = useState<Listed | "new" | null>(null);
  const again = () => setLooks((count) => count + 1);
  useEffect(() => {
    let over = false;
    const skip = String((page - 1) * SHOWN);
    const asked = new URLSearchParams({ find, order, skip, limit: String(SHOWN) });
    call<TagsRead>("GET", `/tags?${asked}`).then(
      ({ body }) => {
        if (over) return;
        setTold(body);
        setFailed("");
        setChosen(new Set());
      },
      (problem) => !over && setFailed(inWords(problem)),
    );
    return () => {
      over = true;
    };
  }, [find, order, page, looks]);
  const show = (next: Record<string, string>) => go(placeOf({ q: find, order, ...next }), true);
  const mine = level() >= INSTALLER;
  const tags = told?.tags ?? [];
  return (
    <>
      {told && <Whitelist told={told} onChanged={again} />}
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {told && (
        <div class="tags-bar">
          <Search value={find} onFind={(q) => show({ q })} />
          <Field label={t("tags.order")}>
            {(ids) => (
              <Select
                id={ids.id}
                value={order}
                choices={ORDERS.map((one) => ({ value: one, text: say(`tags.order.${one}`) }))}
                onChange={(next) => show({ order: next })}
              />
            )}
          </Field>
          <div class="tags-acts">
            {mine && (
              <Button kind="primary" icon="plus" onClick={() => setEditing("new")}>
                {t("tags.add")}
              </Button>
            )}
            <a
              class="button plain"
              href={`/api/v1/tags/export?${new URLSearchParams({ find })}`}
              download
            >
              <Icon name="download" /> <span>{t("tags.export")}</span>
            </a>
          </div>
        </div>
      )}
      {told && !told.total && (
        <Card class="empty">
          <p>
            <b>{t("tags.none")}</b>
          </p>
          <p class="second">{t("tags.none_more")}</p>
        </Card>
      )}
      {told && told.total > 0 && (
        <Rows
          tags={tags}
          found={told.found}
          chosen={chosen}
          onChoose={setChosen}
          onEdit={setEditing}
        />
      )}
      {told && <Pages page={page} found={told.found} to={(n) => placeOf({ q: find, order, page: n })} />}
      <Chosen tags={tags} chosen={chosen} onChoose={setChosen} onDone={again} />
      {mine && told && told.total > 0 && !chosen.size && <Clear total={told.total} onDone={again} />}
      {editing === "new" && <AddTag onClose={() => setEditing(null)} onDone={again} />}
      {editing && editing !== "new" && (
        <EditTag was={editing} onClose={() => setEditing(null)} onDone={again} />
      )}
    </>
  );
}

function placeOf(told: Record<string, string>): string {
  const plain: Record<string, string> = { q: "", order: "tag", page: "1" };
  const kept = Object.entries(told).filter(([name, value]) => value !== plain[name]);
  const search = new URLSearchParams(kept).toString();
  return search ? `${PLACE}?${search}` : PLACE;
}

function Search({ value, onFind }: { value: string; onFind: (text: string) => void }) {
  const [text, type] = useSearch(value, onFind);
  return (
    <Field label={t("tags.find")}>
      {(ids) => (
        <input
          id={ids.id}
          type="search"
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={(event) => type(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

/** Whether the list counts at all; that anybody may charge is said until somebody means it. */
function Whitelist({ told, onChanged }: { told: TagsRead; onChanged: () => void }) {
  const [wanted, setWanted] = useState<boolean | null>(null); // shown at once, until it is told
  const [busy, setBusy] = useState(false);
  useEffect(() => setWanted(null), [told]);
  const mine = level() >= INSTALLER;
  const put = async (access: Record<string, boolean>) => {
    setBusy(true);
    setWanted(access["whitelist"] ?? null);
    try {
      await call("PATCH", "/settings", { access });
      announce(t("tags.saved"));
    } catch (problem) {
      announce(inWords(problem), true);
      setWanted(null);
    }
    setBusy(false);
    onChanged();
  };
  return (
    <Card title={t("tags.who")}>
      {mine && (
        <Switch
          label={t("tags.whitelist")}
          checked={wanted ?? told.whitelist}
          disabled={busy}
          help={t("tags.whitelist_help")}
          onChange={(on) => void put({ whitelist: on })}
        />
      )}
      {!mine && <p>{t(told.whitelist ? "tags.closed" : "tags.open")}</p>}
      {!told.whitelist && !told.open_confirmed && (
        <Note tone="limited">
          <p>{t("tags.open_notice")}</p>
          {mine && (
            <div class="note-acts">
              <Button busy={busy} onClick={() => void put({ open_confirmed: true })}>
                {t("tags.open_confirm")}
              </Button>
            </div>
          )}
        </Note>
      )}
    </Card>
  );
}

/** Icon, word and colour of a row: may it charge, and until when. */
export function stateOf(tag: Listed): State {
  if (!tag.allowed) return { tone: "fault", icon: "ban", word: t("tags.not_allowed") };
  if (tag.expires && Date.parse(tag.expires) <= Date.now()) {
    return { tone: "limited", icon: "hourglass", word: t("tags.expired") };
  }
  return { tone: "ok", icon: "circle-check", word: t("tags.allowed") };
}

interface RowsProps {
  tags: readonly Listed[];
  found: number;
  chosen: ReadonlySet<string>;
  onChoose: (tags: ReadonlySet<string>) => void;
  onEdit: (tag: Listed) => void;
}

function Rows({ tags, found, chosen, onChoose, onEdit }: RowsProps) {
  const mine = level() >= INSTALLER;
  const tick = (names: readonly string[], on: boolean) => {
    const next = new Set(chosen);
    for (const name of names) if (on) next.add(name);
    else next.delete(name);
    onChoose(next);
  };
  return (
    <div class={`card tag-list${mine ? " picks" : ""}`}>
      <div class="tag-row titles">
        {mine && (
          <Tick
            label={t("tags.all")}
            checked={tags.length > 0 && chosen.size === tags.length}
            mixed={chosen.size > 0 && chosen.size < tags.length}
            onChange={(on) => tick(tags.map((one) => one.tag), on)}
          />
        )}
        <span>{say("tags.found", { n: found })}</span>
      </div>
      <ul>
        {tags.map((one) => (
          <li key={one.tag} class="tag-row">
            {mine && (
              <Tick
                label={t("tags.select", { tag: one.tag })}
                checked={chosen.has(one.tag)}
                onChange={(on) => tick([one.tag], on)}
              />
            )}
            <span class="tag-name">
              <b>
                <bdi>{one.name || t("tags.unnamed")}</bdi>
              </b>
              <code>
                <bdi>{one.tag}</bdi>
              </code>
            </span>
            <span class="tag-type">
              {one.type !== "User" && (
                <Icon name={one.type === "VIP" ? "star" : "user"} size={16} />
              )}
              {say(`tags.type.${one.type}`)}
            </span>
            <span class="tag-state">
              <Badge state={stateOf(one)} />
              {one.expires && <span class="second">{until(one.expires)}</span>}
            </span>
            {mine && (
              <Button
                kind="quiet"
                icon="pencil"
                label={t("tags.edit_one", { tag: one.name || one.tag })}
                onClick={() => onEdit(one)}
              />
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

interface PagesProps {
  page: number;
  found: number;
  to: (page: string) => string;
}

function Pages({ page, found, to }: PagesProps) {
  const last = Math.max(1, Math.ceil(found / SHOWN));
  if (last === 1 && page === 1) return null;
  return (
    <nav class="pages" aria-label={t("tags.pages")}>
      {page > 1 && (
        <Link class="button plain" to={to(String(Math.min(page - 1, last)))}>
          <span>{t("tags.newer")}</span>
        </Link>
      )}
      <span class="second figure">
        {t("tags.page", { page: number(page, 0), last: number(last, 0) })}
      </span>
      {page < last && (
        <Link class="button plain" to={to(String(page + 1))}>
          <span>{t("tags.older")}</span>
        </Link>
      )}
    </nav>
  );
}

interface ChosenProps {
  tags: readonly Listed[];
  chosen: ReadonlySet<string>;
  onChoose: (tags: ReadonlySet<string>) => void;
  onDone: () => void;
}

function Chosen({ tags, chosen, onChoose, onDone }: ChosenProps) {
  const names = tags.map((one) => one.tag).filter((tag) => chosen.has(tag));
  if (!names.length) return null;
  const remove = () =>
    askDanger({
      title: say("tags.delete_title", { n: names.length }),
      body: t("tags.delete_body"),
      sessions: null,
      verb: t("tags.delete"),
      act: async () => {
        await call("POST", "/tags/delete", { tags: names });
        onDone();
        return say("tags.deleted", { n: names.length });
      },
    });
  return (
    <div class="ticked-bar" role="region" aria-label={say("tags.chosen", { n: names.length })}>
      <b>{say("tags.chosen", { n: names.length })}</b>
      <div class="ticked-acts">
        <Button kind="danger" icon="trash" onClick={remove}>
          {t("tags.delete")}
        </Button>
        <Button kind="quiet" icon="x" label={t("ticked.clear")} onClick={() => onChoose(new Set())} />
      </div>
    </div>
  );
}

function Clear({ total, onDone }: { total: number; onDone: () => void }) {
  const clear = () =>
    askDanger({
      title: t("tags.clear_title"),
      body: say("tags.clear_body", { n: total }),
      sessions: null,
      verb: t("tags.clear"),
      act: async () => {
        await call("POST", "/tags/clear");
        onDone();
        return say("tags.deleted", { n: total });
      },
    });
  return (
    <p>
      <Button kind="quiet" icon="trash" onClick={clear}>
        {t("tags.clear")}
      </Button>
    </p>
  );
}
