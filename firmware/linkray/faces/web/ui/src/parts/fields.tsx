// Form fields: label, control, unit, help from the schema, error at its place.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { given, has, number, say, t, ungrouped } from "../i18n";
import { level } from "../session";
import {
  at,
  draft,
  errorAt,
  fieldSchema,
  markUnreadable,
  setValue,
  type Path,
  type Schema,
} from "../settings";
import { Icon } from "./basics";
import { Combo } from "./combo";

interface Frame {
  label: ComponentChildren;
  help?: string;
  error?: string | null;
  children: (ids: { id: string; described: string | undefined }) => ComponentChildren;
  wide?: boolean;
}

/** Label above, help and error below, tied together for those who cannot see them so. */
export function Field({ label, help, error, children, wide }: Frame) {
  const id = useId();
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class={`field${error ? " wrong" : ""}${wide ? " wide" : ""}`}>
      <label for={id}>{label}</label>
      {children({ id, described: described || undefined })}
      {help && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
      {error && <FieldError id={`${id}-error`} text={error} />}
    </div>
  );
}

export function FieldError({ id, text }: { id: string; text: string }) {
  return (
    <p class="field-error" id={id} role="alert">
      <Icon name="circle-x" size={18} /> {text}
    </p>
  );
}

const DIVISORS: Record<string, [number, string]> = {
  mA: [1000, "A"],
  mV: [1000, "V"],
  W: [1000, "kW"],
  s: [1, "s"],
};

export const unitOf = (shape: Schema): [number, string] =>
  DIVISORS[shape["x-unit"] ?? ""] ?? [1, ""];

const plain = (value: number, by: number): string => number(value / by, 3, 0, false);
const grouped = (value: number, by: number): string => number(value / by, 3);

/** As people write it: with the decimal sign of either kind, or as ranges show it: "6,300". */
function read(text: string, by: number): number | null {
  const tidy = ungrouped(text.trim()).replace(",", ".");
  return /^-?\d+(\.\d+)?$/.test(tidy) ? Math.round(Number(tidy) * by) : null;
}

/** What is allowed, in the unit shown: "90 to 260 V". */
export function rangeOf(shape: Schema): string {
  const [by, unit] = unitOf(shape);
  const [low, high] = [shape.minimum, shape.maximum];
  const params = {
    unit,
    low: low === undefined ? null : grouped(low, by),
    high: high === undefined ? null : grouped(high, by),
  };
  if (params.low && params.high) return t("field.range", params);
  if (params.low) return t("field.range_low", params);
  return params.high ? t("field.range_high", params) : "";
}

interface NumberProps {
  id: string;
  value: number | null | undefined;
  shape: Schema;
  onValue: (value: number | null) => void;
  onText: (error: string | null) => void;
  described?: string | undefined;
  placeholder?: string;
  optional?: boolean;
  disabled?: boolean;
  wrong?: boolean;
  label?: string;
}

/** A number in its field unit; what cannot be read is told and not passed on. */
export function NumberInput(props: NumberProps) {
  const [by, unit] = unitOf(props.shape);
  const shown = props.value == null ? "" : plain(props.value, by);
  const [text, setText] = useState(shown);
  const own = useRef<number | null | undefined>(props.value);
  useEffect(() => {
    if (props.value !== own.current) {
      own.current = props.value;
      setText(shown);
      props.onText(null);
    }
  }, [props.value]);
  const take = (typed: string) => {
    setText(typed);
    const value = typed.trim() === "" && props.optional ? null : read(typed, by);
    const error =
      value === null && !(props.optional && typed.trim() === "")
        ? t("field.bad_number")
        : outside(value, props.shape);
    props.onText(error);
    if (error) return;
    own.current = value;
    props.onValue(value);
  };
  return (
    <div class="with-unit">
      <input
        id={props.id}
        type="text"
        inputMode="decimal"
        autocomplete="off"
        value={text}
        placeholder={props.placeholder}
        disabled={props.disabled}
        aria-label={props.label}
        aria-describedby={props.described}
        aria-invalid={props.wrong ? "true" : undefined}
        onInput={(event) => take(event.currentTarget.value)}
      />
      {unit && (
        <span class="unit" aria-hidden="true">
          {unit}
        </span>
      )}
    </div>
  );
}

function outside(value: number | null, shape: Schema): string | null {
  const [by, unit] = unitOf(shape);
  if (value === null) return null;
  if (shape.minimum !== undefined && value < shape.minimum) {
    return t("field.too_low", { low: grouped(shape.minimum, by), unit });
  }
  if (shape.maximum !== undefined && value > shape.maximum) {
    return t("field.too_high", { high: grouped(shape.maximum, by), unit });
  }
  return null;
}

interface SelectProps {
  id: string;
  value: string;
  choices: readonly { value: string; text: string }[];
  onChange: (value: string) => void;
  described?: string | undefined;
  disabled?: boolean;
  wrong?: boolean;
}

export function Select(props: SelectProps) {
  return (
    <div class="select">
      <select
        id={props.id}
        value={props.value}
        disabled={props.disabled}
        aria-describedby={props.described}
        aria-invalid={props.wrong ? "true" : undefined}
        onChange={(event) => props.onChange(event.currentTarget.value)}
      >
        {props.choices.map((choice) => (
          <option key={choice.value} value={choice.value} selected={choice.value === props.value}>
            {choice.text}
          </option>
        ))}
      </select>
      <Icon name="chevron-down" size={18} />
    </div>
  );
}

interface SwitchProps {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  help?: string;
  disabled?: boolean;
  error?: string | null;
}

export function Switch({ label, checked, onChange, help, disabled, error }: SwitchProps) {
  const id = useId();
  return (
    <div class={`switch-field${error ? " wrong" : ""}`}>
      <label class="switch">
        <input
          type="checkbox"
          role="switch"
          checked={checked}
          disabled={disabled}
          aria-describedby={help ? id : undefined}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        <span class="track" aria-hidden="true" />
        <span class="switch-text">{label}</span>
        <span class="switch-word" aria-hidden="true">
          {t(checked ? "field.on" : "field.off")}
        </span>
      </label>
      {help && (
        <p class="help" id={id}>
          {help}
        </p>
      )}
      {error && <FieldError id={`${id}-error`} text={error} />}
    </div>
  );
}

// --- a field of the settings, drawn from its schema ----------------------------------------------

const EMPTY = /^(a|an|and|at|by|for|from|in|its?|of|on|or|per|phase|profiles|site|the|this|to|use|with)$/;

/** The words of a text that say something. */
function content(text: string): string[] {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => !EMPTY.test(word));
}

/** The API's description; left out where it says no more than the label. */
export function helpOf(path: Path, shape: Schema, label = ""): string {
  const key = `help.${path.filter((step) => typeof step === "string").join(".")}`;
  const text = given(shape.description ?? "", key);
  const said = new Set(content(label));
  return content(text).every((word) => said.has(word)) ? "" : text;
}

export function labelOf(path: Path): string {
  const name = path.filter((step) => typeof step === "string").join(".");
  if (has(`conf.f.${name}`)) return say(`conf.f.${name}`);
  const last = String(path.at(-1))
    .replace(/_(ma|mv|mw|w|wh|s)$/, "")
    .replaceAll("_", " ");
  return given(last.charAt(0).toUpperCase() + last.slice(1));
}

function choiceText(path: Path, value: string): string {
  const key = `choice.${String(path.at(-1))}.${value}`;
  return has(key) ? say(key) : given(value);
}

/** One setting: looks, limits, help and who may change it, all from the schema. */
export function Setting({ path, off, usual }: { path: Path; off?: boolean; usual?: string }) {
  const shape = fieldSchema(path);
  const value = at(draft.value, path);
  const locked = (shape["x-level"] ?? 2) > level();
  const disabled = off || locked;
  const help = [helpOf(path, shape, labelOf(path)), rangeOf(shape)].filter(Boolean).join(" · ");
  const error = errorAt(path);
  if (shape.type === "array" && shape.prefixItems) {
    return <PhasesSetting path={path} disabled={disabled} help={help} />;
  }
  if (shape.type === "boolean") {
    return (
      <Switch
        label={labelOf(path)}
        checked={Boolean(value)}
        help={help}
        error={error}
        disabled={disabled}
        onChange={(checked) => setValue(path, checked)}
      />
    );
  }
  return (
    <Field label={labelOf(path)} help={help} error={error}>
      {(ids) => (
        <Control
          path={path}
          shape={shape}
          value={value}
          usual={usual}
          disabled={disabled}
          wrong={Boolean(error)}
          id={ids.id}
          described={ids.described}
        />
      )}
    </Field>
  );
}

interface ControlProps {
  path: Path;
  shape: Schema;
  value: unknown;
  usual?: string | undefined; // what holds where a number is empty
  id: string;
  described: string | undefined;
  disabled: boolean;
  wrong: boolean;
}

function Control(props: ControlProps) {
  const { path, shape, value, id, described, disabled, wrong } = props;
  if (shape.enum) {
    const choices = shape.enum.map((one) => ({
      value: String(one),
      text: choiceText(path, String(one)),
    }));
    return (
      <Select
        id={id}
        value={String(value)}
        described={described}
        disabled={disabled}
        wrong={wrong}
        choices={choices}
        onChange={(chosen) => setValue(path, chosen)}
      />
    );
  }
  if (shape.type === "integer" || shape.type === "number") {
    return (
      <NumberInput
        id={id}
        value={value as number | null}
        shape={shape}
        described={described}
        disabled={disabled}
        wrong={wrong}
        optional={shape.nullable ?? false}
        placeholder={props.usual ?? (shape.nullable ? t("field.off") : "")}
        onValue={(number) => setValue(path, number)}
        onText={(error) => markUnreadable(path, error)}
      />
    );
  }
  const text = {
    id,
    value: typeof value === "string" ? value : "",
    described,
    disabled,
    wrong,
    onValue: (typed: string) => setValue(path, typed),
  };
  const known = path.at(-1) === "time_zone" ? zones() : [];
  if (known.length) {
    return (
      <Combo {...text} choices={known} onText={(error) => markUnreadable(path, error)} />
    );
  }
  return <TextInput {...text} maxLength={shape.maxLength} />;
}

function zones(): string[] {
  return typeof Intl.supportedValuesOf === "function"
    ? ["UTC", ...Intl.supportedValuesOf("timeZone")]
    : [];
}

interface TextProps {
  id: string;
  value: string;
  onValue: (text: string) => void;
  described?: string | undefined;
  disabled?: boolean;
  wrong?: boolean;
  maxLength?: number | undefined;
  placeholder?: string;
}

export function TextInput(props: TextProps) {
  return (
    <input
      id={props.id}
      type="text"
      autocomplete="off"
      spellcheck={false}
      value={props.value}
      placeholder={props.placeholder}
      disabled={props.disabled}
      maxLength={props.maxLength}
      aria-describedby={props.described}
      aria-invalid={props.wrong ? "true" : undefined}
      onInput={(event) => props.onValue(event.currentTarget.value)}
    />
  );
}

function PhasesSetting({ path, disabled, help }: { path: Path; disabled: boolean; help: string }) {
  const id = useId();
  const own = errorAt(path);
  const unit = fieldSchema(path)["x-unit"];
  const shapeOf = (place: number): Schema => {
    const shape = fieldSchema([...path, place]);
    return unit ? { ...shape, "x-unit": unit } : shape;
  };
  return (
    <fieldset class="field phases-field" aria-describedby={`${id}-help`}>
      <legend>{labelOf(path)}</legend>
      <div class="three">
        {[0, 1, 2].map((place) => {
          const error = errorAt([...path, place]);
          return (
            <div key={place} class={error ? "wrong" : ""}>
              <label for={`${id}-${place}`}>
                <PhaseTag place={place} />
              </label>
              <NumberInput
                id={`${id}-${place}`}
                value={at(draft.value, [...path, place]) as number}
                shape={shapeOf(place)}
                disabled={disabled}
                wrong={Boolean(error)}
                onValue={(number) => setValue([...path, place], number)}
                onText={(text) => markUnreadable([...path, place], text)}
              />
              {error && <FieldError id={`${id}-${place}-error`} text={error} />}
            </div>
          );
        })}
      </div>
      <p class="help" id={`${id}-help`}>
        {[help, rangeOf(shapeOf(0))].filter(Boolean).join(" · ")}
      </p>
      {own && <FieldError id={`${id}-error`} text={own} />}
    </fieldset>
  );
}

/** "L2" in its fixed colour. */
export function PhaseTag({ place }: { place: number }) {
  return <span class={`phase p${place + 1}`}>{`L${place + 1}`}</span>;
}
