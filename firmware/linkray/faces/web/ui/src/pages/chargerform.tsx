// The form of a charger's settings; with several chargers, a field says "unchanged" until touched.

import type { ComponentChildren } from "preact";

import { has, say, t } from "../i18n";
import { Choices } from "../parts/basics";
import { Field, helpOf, NumberInput, rangeOf, Select, Switch, TextInput } from "../parts/fields";
import {
  base,
  draft,
  errorAt,
  fieldSchema,
  markUnreadable,
  same,
  setValue,
  type Schema,
} from "../settings";
import type { ChargerSettings } from "../words";

export const FIELDS = [
  "name",
  "phases",
  "connection",
  "max_ma",
  "max_w",
  "min_ma",
  "min_w",
  "unit",
  "start_with_zero",
  "supply_limit_ma",
  "fallback_ma",
  "writes_a_day",
  "turn_tags",
  "group",
  "priority",
  "nmi",
] as const;

const LEGS: Record<number, string[]> = {
  1: ["L1", "L2", "L3"],
  2: ["L1-L2", "L2-L3", "L3-L1"],
  3: ["L1-L2-L3", "L2-L3-L1", "L3-L1-L2", "L1-L3-L2", "L2-L1-L3", "L3-L2-L1"],
};
const UNCHANGED = "*";

/** What is kept for a charger at first (model/settings.py: the defaults). */
export const fresh = (id: string): ChargerSettings => ({
  id,
  name: "",
  phases: 1,
  connection: "L1",
  unit: "A",
  start_with_zero: true,
  supply_limit_ma: null,
  fallback_ma: null,
  writes_a_day: null,
  turn_tags: false,
  group: null,
  priority: "normal",
  nmi: "",
});

/** Its place in the draft; one that is not kept yet is put there when first edited. */
export function placeOf(id: string): number {
  const list = draft.peek()?.chargers ?? [];
  const place = list.findIndex((charger) => charger.id === id);
  if (place >= 0) return place;
  setValue(["chargers"], [...list, fresh(id)]);
  return list.length;
}

export const shown = (field: string): Schema => fieldSchema(["chargers", 0, field]);

interface FormProps {
  items: readonly ChargerSettings[];
  batch?: boolean;
}

/** One value that all have, or undefined. */
function common(items: readonly ChargerSettings[], field: string): unknown {
  const first = items[0]?.[field];
  return items.every((item) => same(item[field], first)) ? first : undefined;
}

/** Whether it has been touched here: on any, the draft differs from what is in force. */
function touched(items: readonly ChargerSettings[], field: string): boolean {
  const old = base.value?.chargers ?? [];
  return items.some((item) => {
    const before = old.find((one) => one.id === item.id);
    return before ? !same(before[field], item[field]) : false;
  });
}

function put(items: readonly ChargerSettings[], change: Partial<Record<string, unknown>>): void {
  for (const item of items) {
    const place = placeOf(item.id);
    for (const [field, value] of Object.entries(change))
      setValue(["chargers", place, field], value);
  }
}

function restore(items: readonly ChargerSettings[], fields: readonly string[]): void {
  const old = base.peek()?.chargers ?? [];
  for (const item of items) {
    const before = old.find((one) => one.id === item.id);
    for (const field of fields) {
      if (before) setValue(["chargers", placeOf(item.id), field], before[field]);
    }
  }
}

/** What is wrong with a field, on whichever of the chargers it is. */
function errorOf(items: readonly ChargerSettings[], ...fields: string[]): string | null {
  const list = draft.value?.chargers ?? [];
  for (const item of items) {
    const place = list.findIndex((charger) => charger.id === item.id);
    for (const field of fields) {
      const text = errorAt(["chargers", place < 0 ? list.length : place, field]);
      if (text) return text;
    }
  }
  return null;
}

/** What is shown as the field's name: `max_ma` and `max_w` share one. */
function nameOfField(field: string): string {
  const name = [`field.${field}`, `field.${field.replace(/_(ma|w)$/, "")}`].find(has);
  return name ? say(name) : "";
}

const help = (field: string): string =>
  helpOf(["chargers", field], shown(field), nameOfField(field));

export function ChargerForm({ items, batch }: FormProps) {
  return (
    <div class="form">
      {!batch && <NameField items={items} />}
      <div class="form-row">
        <PhasesField items={items} batch={batch} />
        <ChoiceField
          items={items}
          batch={batch}
          field="connection"
          label={t("field.connection")}
          choices={connections(items).map((one) => ({ value: one, text: one }))}
          help={`${help("connection")}. ${t("connection.hint")}`}
        />
      </div>
      <PowerFields items={items} batch={batch} />
      <div class="form-row">
        <ChoiceField
          items={items}
          batch={batch}
          field="unit"
          label={t("field.unit")}
          help={help("unit")}
          choices={[
            { value: "A", text: t("field.unit_A") },
            { value: "W", text: t("field.unit_W") },
          ]}
        />
        <GroupField items={items} batch={batch} />
      </div>
      <YesField items={items} batch={batch} field="start_with_zero" />
      <YesField items={items} batch={batch} field="turn_tags" />
      <div class="form-row">
        <AmountField
          items={items}
          batch={batch}
          field="supply_limit_ma"
          label={t("field.supply_limit_ma")}
          optional
        />
        <AmountField
          items={items}
          batch={batch}
          field="fallback_ma"
          label={t("field.fallback_ma")}
          optional
        />
      </div>
      <div class="form-row">
        <AmountField
          items={items}
          batch={batch}
          field="writes_a_day"
          label={t("field.writes_a_day")}
          optional
        />
        {!batch && <NmiField items={items} />}
      </div>
      <ChoiceField
        items={items}
        batch={batch}
        field="priority"
        label={t("field.priority")}
        help={help("priority")}
        choices={[
          { value: "normal", text: t("field.priority_normal") },
          { value: "high", text: t("field.priority_high") },
        ]}
      />
    </div>
  );
}

function NmiField({ items }: FormProps) {
  const error = errorOf(items, "nmi");
  return (
    <Field label={t("field.nmi")} help={help("nmi")} error={error}>
      {(ids) => (
        <TextInput
          id={ids.id}
          described={ids.described}
          value={items[0]?.nmi ?? ""}
          wrong={Boolean(error)}
          maxLength={shown("nmi").maxLength}
          onValue={(nmi) => put(items, { nmi: nmi.toUpperCase().trim() })}
        />
      )}
    </Field>
  );
}

function NameField({ items }: FormProps) {
  const error = errorOf(items, "name");
  return (
    <Field label={t("field.name")} help={help("name")} error={error}>
      {(ids) => (
        <TextInput
          id={ids.id}
          described={ids.described}
          value={items[0]?.name ?? ""}
          wrong={Boolean(error)}
          maxLength={shown("name").maxLength}
          onValue={(name) => put(items, { name })}
        />
      )}
    </Field>
  );
}

function connections(items: readonly ChargerSettings[]): string[] {
  const phases = common(items, "phases");
  return typeof phases === "number" ? (LEGS[phases] ?? []) : Object.values(LEGS).flat();
}

interface ChoiceProps extends FormProps {
  field: string;
  label: string;
  help: string;
  choices: readonly { value: string; text: string }[];
  onChoose?: (value: string) => void;
  also?: readonly string[]; // fields that go back with it to "unchanged"
}

function ChoiceField({
  items,
  batch,
  field,
  label,
  help: words,
  choices,
  onChoose,
  also = [],
}: ChoiceProps) {
  const error = errorOf(items, field);
  const value =
    batch && !touched(items, field) ? UNCHANGED : String(common(items, field) ?? UNCHANGED);
  const all = batch ? [{ value: UNCHANGED, text: t("chargers.unchanged") }, ...choices] : choices;
  const choose = (chosen: string) => {
    if (chosen === UNCHANGED) restore(items, [field, ...also]);
    else if (onChoose) onChoose(chosen);
    else put(items, { [field]: chosen });
  };
  return (
    <Field label={label} help={words} error={error}>
      {(ids) => (
        <Select
          id={ids.id}
          described={ids.described}
          value={value}
          choices={all}
          wrong={Boolean(error)}
          onChange={choose}
        />
      )}
    </Field>
  );
}

function PhasesField({ items, batch }: FormProps) {
  const split = draft.value?.site.split_mode !== "off";
  const two = split || items.some((item) => item.phases === 2);
  const choices = [1, ...(two ? [2] : []), 3].map((n) => ({
    value: String(n),
    text: t(`field.phases_${n as 1 | 2 | 3}`),
  }));
  const choose = (chosen: string) => {
    const phases = Number(chosen);
    for (const item of items) {
      const legs = LEGS[phases] ?? [];
      put([item], {
        phases,
        connection: legs.includes(item.connection) ? item.connection : legs[0],
      });
    }
  };
  return (
    <ChoiceField
      items={items}
      batch={batch}
      field="phases"
      label={t("field.phases")}
      help={help("phases")}
      choices={choices}
      onChoose={choose}
      also={["connection"]}
    />
  );
}

function GroupField({ items, batch }: FormProps) {
  const none = "\u0000";
  const names = (draft.value?.groups ?? []).map((group) => ({
    value: group.name,
    text: group.name,
  }));
  const error = errorOf(items, "group");
  const same_ = common(items, "group");
  const value =
    batch && !touched(items, "group")
      ? UNCHANGED
      : same_ === undefined
        ? UNCHANGED
        : ((same_ as string | null) ?? none);
  const choices = [
    ...(batch ? [{ value: UNCHANGED, text: t("chargers.unchanged") }] : []),
    { value: none, text: t("field.no_group") },
    ...names,
  ];
  const choose = (chosen: string) => {
    if (chosen === UNCHANGED) restore(items, ["group"]);
    else put(items, { group: chosen === none ? null : chosen });
  };
  return (
    <Field label={t("field.group")} help={help("group")} error={error}>
      {(ids) => (
        <Select
          id={ids.id}
          described={ids.described}
          value={value}
          choices={choices}
          wrong={Boolean(error)}
          onChange={choose}
        />
      )}
    </Field>
  );
}

/** Most and least: in amps per phase or in kilowatts in all, never both. */
function PowerFields({ items, batch }: FormProps) {
  const inW = items.every((item) => item.max_w !== undefined || item.min_w !== undefined);
  const basis = inW ? "w" : "a";
  const choose = (chosen: "a" | "w") => {
    if (chosen === basis) return;
    put(
      items,
      chosen === "w"
        ? { max_ma: undefined, min_ma: undefined, max_w: 50_000, min_w: 0, unit: "W" }
        : { max_w: undefined, min_w: undefined, max_ma: 32_000, min_ma: 6_000, unit: "A" },
    );
  };
  return (
    <fieldset class="field power-fields">
      <legend>{t("field.basis")}</legend>
      <Choices
        label={t("field.basis")}
        value={basis}
        onChange={choose}
        choices={[
          { value: "a", text: t("field.basis_a") },
          { value: "w", text: t("field.basis_w") },
        ]}
      />
      <div class="form-row">
        <AmountField
          items={items}
          batch={batch}
          field={inW ? "min_w" : "min_ma"}
          label={t("field.min")}
          optional
          fallback={inW ? 0 : 6_000}
        />
        <AmountField
          items={items}
          batch={batch}
          field={inW ? "max_w" : "max_ma"}
          label={t("field.max")}
          optional
          fallback={inW ? undefined : 32_000}
        />
      </div>
    </fieldset>
  );
}

interface AmountProps extends FormProps {
  field: string;
  label: string;
  optional?: boolean;
  fallback?: number | undefined; // what holds where nothing is kept
}

function AmountField({ items, batch, field, label, optional, fallback }: AmountProps) {
  const error = errorOf(items, field);
  const shape = shown(field);
  const unset = field.startsWith("m"); // max and min are absent, the others null
  const hidden = Boolean(batch) && !touched(items, field);
  const value = hidden ? null : (common(items, field) as number | null | undefined);
  const place = (draft.value?.chargers ?? []).findIndex((charger) => charger.id === items[0]?.id);
  const take = (number: number | null) => {
    if (number === null && batch) restore(items, [field]);
    else put(items, { [field]: number === null && unset ? undefined : number });
  };
  const standard =
    fallback === undefined ? t("field.none_set") : t("field.default", { v: fallback / 1000 });
  const words: ComponentChildren[] = [help(field), rangeOf(shape)].filter(Boolean);
  return (
    <Field label={label} help={words.join(" · ")} error={error}>
      {(ids) => (
        <NumberInput
          id={ids.id}
          described={ids.described}
          value={value}
          shape={shape}
          optional={optional || batch}
          placeholder={batch ? t("chargers.unchanged") : standard}
          wrong={Boolean(error)}
          onValue={take}
          onText={(text) => markUnreadable(["chargers", Math.max(0, place), field], text)}
        />
      )}
    </Field>
  );
}

/** A switch for one charger, a choice for many, of which some may differ. */
function YesField({ items, batch, field }: FormProps & { field: "start_with_zero" | "turn_tags" }) {
  const label = say(`field.${field}`);
  if (batch) {
    return (
      <ChoiceField
        items={items}
        batch
        field={field}
        label={label}
        help={help(field)}
        onChoose={(chosen) => put(items, { [field]: chosen === "true" })}
        choices={[
          { value: "true", text: t("field.yes") },
          { value: "false", text: t("field.no") },
        ]}
      />
    );
  }
  return (
    <Switch
      label={label}
      help={help(field)}
      error={errorOf(items, field)}
      checked={Boolean(items[0]?.[field])}
      onChange={(checked) => put(items, { [field]: checked })}
    />
  );
}
