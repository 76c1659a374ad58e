// The form of a tag, in a dialog: added, edited, or taken over from what was refused.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { call, Problem } from "../api";
import { moment, siteTime } from "../format";
import { say, t } from "../i18n";
import type { Tag } from "../words";
import { Button, Choices, Note } from "./basics";
import { announce, Dialog, inWords } from "./dialog";
import { Field, Switch, TextInput } from "./fields";

const TAG_MOST = 20;
const NAME_MOST = 100;
const SEARCH_MS = 250;
const TYPES = ["User", "VIP", "Admin"] as const;

export type Listed = Tag;

/** Until when a tag holds, as people say it: a day that ends at midnight is that day. */
export function until(utc: string): string {
  const { date, time } = lastMoment(utc);
  return t("tags.until", { when: time ? moment(utc) : date });
}

/** Day and time at the site; no time where the tag holds to the end of the day. */
function lastMoment(utc: string): { date: string; time: string } {
  const at = siteTime(new Date(utc));
  if (at.time !== "00:00:00") return at;
  return { date: siteTime(new Date(Date.parse(utc) - 1000)).date, time: "" };
}

/** What is typed, looked for once the typing rests. */
export function useSearch(
  value: string,
  onFind: (text: string) => void,
): [string, (text: string) => void] {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onFind(next), SEARCH_MS);
  };
  return [text, type];
}

interface Typed {
  tag: string;
  name: string;
  type: Tag["type"];
  allowed: boolean;
  date: string;
  time: string;
}

const EMPTY: Typed = { tag: "", name: "", type: "User", allowed: true, date: "", time: "" };

function typedOf(tag: Tag): Typed {
  const end = tag.expires ? lastMoment(tag.expires) : { date: "", time: "" };
  return { ...tag, ...end };
}

/** The expiry as the API takes it: untouched it stays to the millisecond. */
function bodyOf(typed: Typed, was: Tag | null): Record<string, unknown> {
  const { date, time, ...rest } = typed;
  const old = was && typedOf(was);
  const same = old && old.date === date && old.time === time;
  const expires = same ? was.expires : date && `${date}${time ? ` ${time}` : ""}`;
  return { ...rest, expires: expires || null };
}

interface DoneProps {
  onClose: () => void;
  onDone: () => void;
}

export function AddTag({ onClose, onDone }: DoneProps) {
  return (
    <TagDialog
      title={t("tags.add")}
      start={EMPTY}
      onClose={onClose}
      act={async (typed) => {
        await call("POST", "/tags", { tags: [bodyOf(typed, null)] });
        onDone();
        return say("tags.added", { n: 1 });
      }}
    />
  );
}

export function EditTag({ was, onClose, onDone }: DoneProps & { was: Tag }) {
  return (
    <TagDialog
      title={t("tags.edit")}
      start={typedOf(was)}
      onClose={onClose}
      act={async (typed) => {
        await call("PUT", "/tags", { was: was.tag, tag: bodyOf(typed, was) });
        onDone();
        return t("tags.saved");
      }}
    />
  );
}

interface TagDialogProps {
  title: string;
  start: Typed;
  onClose: () => void;
  act: (typed: Typed) => Promise<string>;
}

function TagDialog({ title, start, onClose, act }: TagDialogProps) {
  const [typed, setTyped] = useState(start);
  const [wrong, setWrong] = useState<{ field: string; text: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const put = (change: Partial<Typed>) => setTyped({ ...typed, ...change });
  const errorOf = (field: string) => (wrong?.field === field ? wrong.text : null);
  const submit = async () => {
    setBusy(true);
    setWrong(null);
    try {
      announce(await act(typed));
      onClose();
    } catch (problem) {
      const path = problem instanceof Problem ? (problem.path ?? "") : "";
      setWrong({ field: path.split(".").at(-1) ?? "", text: inWords(problem) });
      setBusy(false);
    }
  };
  const known = wrong && ["tag", "name", "expires"].includes(wrong.field);
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) void submit();
        }}
      >
        <Field label={t("tags.tag")} help={t("tags.tag_help")} error={errorOf("tag")}>
          {(ids) => (
            <TextInput
              {...ids}
              value={typed.tag}
              maxLength={TAG_MOST}
              wrong={errorOf("tag") !== null}
              onValue={(tag) => put({ tag })}
            />
          )}
        </Field>
        <Field label={t("tags.name")} error={errorOf("name")}>
          {(ids) => (
            <TextInput
              {...ids}
              value={typed.name}
              maxLength={NAME_MOST}
              wrong={errorOf("name") !== null}
              onValue={(name) => put({ name })}
            />
          )}
        </Field>
        <Types value={typed.type} onChange={(type) => put({ type })} />
        <Switch
          label={t("tags.allowed")}
          checked={typed.allowed}
          onChange={(allowed) => put({ allowed })}
        />
        <Expiry typed={typed} error={errorOf("expires")} onChange={put} />
        {wrong && !known && (
          <Note tone="fault" live>
            {wrong.text}
          </Note>
        )}
        <footer class="dialog-foot">
          <Button onClick={onClose}>{t("dialog.cancel")}</Button>
          <Button
            kind="primary"
            type="submit"
            busy={busy}
            why={typed.tag.trim() ? undefined : t("tags.tag_missing")}
          >
            {t("tags.save")}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

export function Types({ value, onChange }: TypesProps) {
  return (
    <div class="field">
      <span class="label">{t("tags.type")}</span>
      <Choices
        label={t("tags.type")}
        value={value}
        choices={TYPES.map((one) => ({ value: one, text: say(`tags.type.${one}`) }))}
        onChange={onChange}
      />
      <p class="help">{say(`tags.type_help.${value}`)}</p>
    </div>
  );
}

interface TypesProps {
  value: Tag["type"];
  onChange: (type: Tag["type"]) => void;
}

interface ExpiryProps {
  typed: Typed;
  error: string | null;
  onChange: (change: Partial<Typed>) => void;
}

function Expiry({ typed, error, onChange }: ExpiryProps) {
  return (
    <div class="expiry">
      <Field label={t("tags.last_day")} help={t("tags.last_day_help")} error={error}>
        {(ids) => (
          <DayInput
            ids={ids}
            kind="date"
            value={typed.date}
            onValue={(date) => onChange(date ? { date } : { date, time: "" })}
          />
        )}
      </Field>
      {typed.date && (
        <Field label={t("tags.last_time")}>
          {(ids) => (
            <DayInput ids={ids} kind="time" value={typed.time} onValue={(time) => onChange({ time })} />
          )}
        </Field>
      )}
    </div>
  );
}

interface DayInputProps {
  ids: { id: string; described: string | undefined };
  kind: "date" | "time";
  value: string;
  onValue: (text: string) => void;
}

function DayInput({ ids, kind, value, onValue }: DayInputProps): ComponentChildren {
  return (
    <input
      id={ids.id}
      type={kind}
      step={kind === "time" ? 1 : undefined}
      max={kind === "date" ? "9999-12-31" : undefined}
      value={value}
      aria-describedby={ids.described}
      onInput={(event) => onValue(event.currentTarget.value)}
    />
  );
}
