// Tags that were refused: a history that stays, from which some go on the list.

import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { exactly } from "../format";
import { say, t } from "../i18n";
import { snapshot } from "../live";
import { Badge, Button, Card, Note, Tick } from "../parts/basics";
import { announce, Dialog, inWords } from "../parts/dialog";
import { Field, TextInput } from "../parts/fields";
import { Types, useSearch } from "../parts/tagform";
import { go, query } from "../route";
import { INSTALLER, level } from "../session";
import { nameOf } from "../site";
import type { RejectedRead, RejectedTag, Tag } from "../words";

const PLACE = "/transactions/tags/rejected";
const SHOWN = 100;

export function Rejected() {
  const find = query("q") ?? "";
  const [told, setTold] = useState<readonly RejectedTag[] | null>(null);
  const [found, setFound] = useState(0);
  const [failed, setFailed] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [naming, setNaming] = useState(false);
  const [text, type] = useSearch(find, (q) =>
    go(q ? `${PLACE}?${new URLSearchParams({ q })}` : PLACE, true),
  );
  const read = async (before?: number) => {
    const asked = new URLSearchParams({ find, limit: String(SHOWN) });
    if (before !== undefined) asked.set("before", String(before));
    try {
      const { body } = await call<RejectedRead>("GET", `/tags/rejected?${asked}`);
      setTold((now) => (before === undefined ? body.tags : [...(now ?? []), ...body.tags]));
      setFound(body.found);
      setFailed("");
    } catch (problem) {
      setFailed(inWords(problem));
    }
  };
  useEffect(() => void read(), [find]);
  const mine = level() >= INSTALLER;
  const last = told?.at(-1);
  return (
    <>
      <Card title={t("rejected.title")}>
        <p class="second">{t("rejected.more")}</p>
        <Field label={t("rejected.find")}>
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
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        {told && !told.length && <p class="second">{t("rejected.none")}</p>}
        {told && told.length > 0 && (
          <ul class={`rejected${mine ? " picks" : ""}`}>
            {told.map((one) => (
              <Line key={one.number} one={one} chosen={chosen} onChoose={setChosen} />
            ))}
          </ul>
        )}
        {told && last && told.length < found && (
          <p>
            <Button onClick={() => void read(last.number)}>{t("rejected.older")}</Button>
          </p>
        )}
      </Card>
      {chosen.size > 0 && (
        <div class="ticked-bar" role="region" aria-label={say("tags.chosen", { n: chosen.size })}>
          <b>{say("tags.chosen", { n: chosen.size })}</b>
          <div class="ticked-acts">
            <Button kind="primary" icon="plus" onClick={() => setNaming(true)}>
              {t("rejected.add")}
            </Button>
            <Button
              kind="quiet"
              icon="x"
              label={t("ticked.clear")}
              onClick={() => setChosen(new Set())}
            />
          </div>
        </div>
      )}
      {naming && (
        <Naming
          tags={[...chosen]}
          onClose={() => setNaming(false)}
          onDone={() => {
            setChosen(new Set());
            void read();
          }}
        />
      )}
    </>
  );
}

interface LineProps {
  one: RejectedTag;
  chosen: ReadonlySet<string>;
  onChoose: (tags: ReadonlySet<string>) => void;
}

function Line({ one, chosen, onChoose }: LineProps) {
  const charger = snapshot.value?.chargers.find((known) => known.id === one.charger);
  const choose = (on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(one.tag);
    else next.delete(one.tag);
    onChoose(next);
  };
  const state = one.listed
    ? ({ tone: "ok", icon: "circle-check", word: t("rejected.listed") } as const)
    : ({ tone: "idle", icon: "ban", word: t("rejected.refused") } as const);
  return (
    <li class="tag-row">
      {level() >= INSTALLER &&
        (one.listed ? (
          <span />
        ) : (
          <Tick
            label={t("tags.select", { tag: one.tag })}
            checked={chosen.has(one.tag)}
            onChange={choose}
          />
        ))}
      <span class="tag-name">
        <code>
          <bdi>{one.tag}</bdi>
        </code>
        <span class="second">
          <bdi>{charger ? nameOf(charger) : one.charger}</bdi>
        </span>
      </span>
      <time class="figure second" dateTime={one.at}>
        {exactly(one.at)}
      </time>
      <span class="tag-state">
        <Badge state={state} />
      </span>
    </li>
  );
}

interface NamingProps {
  tags: readonly string[];
  onClose: () => void;
  onDone: () => void;
}

/** Each gets a name of its own; the type is one for all. */
function Naming({ tags, onClose, onDone }: NamingProps) {
  const [names, setNames] = useState<Record<string, string>>({});
  const [type, setType] = useState<Tag["type"]>("User");
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const once = [...new Map(tags.map((tag) => [tag.trim().toLowerCase(), tag])).values()];
  const add = async () => {
    setBusy(true);
    setFailed("");
    try {
      const body = { tags: once.map((tag) => ({ tag, name: names[tag] ?? "", type })) };
      await call("POST", "/tags", body);
      announce(say("tags.added", { n: once.length }));
      onDone();
      onClose();
    } catch (problem) {
      setFailed(inWords(problem));
      setBusy(false);
    }
  };
  return (
    <Dialog title={t("rejected.add")} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) void add();
        }}
      >
        {once.map((tag) => (
          <Field key={tag} label={t("rejected.name", { tag })}>
            {(ids) => (
              <TextInput
                {...ids}
                value={names[tag] ?? ""}
                maxLength={100}
                onValue={(name) => setNames({ ...names, [tag]: name })}
              />
            )}
          </Field>
        ))}
        <Types value={type} onChange={setType} />
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        <footer class="dialog-foot">
          <Button onClick={onClose}>{t("dialog.cancel")}</Button>
          <Button kind="primary" type="submit" busy={busy}>
            {t("rejected.add")}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
