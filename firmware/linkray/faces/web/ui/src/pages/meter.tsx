// The Meter tab: which meter, where, what it reads now, and what holds when it fails.

import { useEffect, useId, useState } from "preact/hooks";

import { call } from "../api";
import { amps, kw, voltsExact } from "../format";
import { given, has, say, t } from "../i18n";
import { snapshot } from "../live";
import { Badge, Card, FilePick, Icon, Note } from "../parts/basics";
import { inWords } from "../parts/dialog";
import { Field, FieldError, PhaseTag, Select, Setting, TextInput } from "../parts/fields";
import { draft, errorAt, same, setValue } from "../settings";
import type { State } from "../site";
import type { Meter, MeterFile, ShippedMeter } from "../words";

const FILE_MOST_B = 64 * 1024;
const LINE_KEYS = ["IP", "port", "Baud", "Parity", "StopBits", "Address", "AddressA", "AddressV"];

export function MeterTab() {
  const enabled = draft.value?.site.meter.enabled;
  return (
    <div class="pair wide-left">
      <div class="stack">
        <Card title={t("conf.meter")}>
          <div class="form">
            <Setting path={["site", "meter", "enabled"]} />
            <Chooser />
            <div class="form-row">
              <Setting path={["site", "meter", "location"]} off={!enabled} />
              <Setting path={["site", "meter", "fast"]} off={!enabled} />
            </div>
          </div>
        </Card>
        <Card title={t("meter.failure")}>
          <div class="form">
            <Setting path={["site", "meter", "on_failure"]} off={!enabled} />
            <Setting path={["site", "meter", "degraded_ma"]} off={!enabled} />
          </div>
        </Card>
      </div>
      <Reading />
    </div>
  );
}

// --- what it reads -------------------------------------------------------------------------------

function stateOf(meter: Meter): State {
  if (!meter.enabled) return { tone: "idle", icon: "ban", word: t("meter.off") };
  return meter.healthy
    ? { tone: "ok", icon: "circle-check", word: t("meter.healthy") }
    : { tone: "fault", icon: "unplug", word: t("meter.failed") };
}

function Reading() {
  const meter = snapshot.value?.meter;
  if (!meter) return null;
  const age =
    meter.age_s === null ? t("meter.never") : t("meter.age", { s: Math.round(meter.age_s) });
  return (
    <Card title={t("meter.reading")} aside={<Badge state={stateOf(meter)} />} class="reading">
      {meter.enabled && (
        <p class="second figure">{[meter.name, age].filter(Boolean).join(" · ")}</p>
      )}
      <table class="power">
        <thead>
          <tr>
            <th scope="col">
              <span class="unseen">{t("field.phases")}</span>
            </th>
            <th scope="col" class="num">
              {t("meter.current")}
            </th>
            <th scope="col" class="num">
              {t("meter.voltage")}
            </th>
          </tr>
        </thead>
        <tbody>
          {[0, 1, 2].map((place) => {
            const mv = meter.voltage_mv[place];
            return (
              <tr key={place}>
                <th scope="row">
                  <PhaseTag place={place} />
                </th>
                <td class="num">{meter.current_ma ? amps(meter.current_ma[place] ?? 0) : "–"}</td>
                <td class="num">{mv == null ? "–" : voltsExact(mv)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="total">
        <span>{t("meter.power")}</span>{" "}
        <b class="figure">{meter.power_w === null ? "–" : kw(meter.power_w)}</b>
      </p>
      {meter.error && (
        <Note tone="fault">
          <p>{given(meter.error)}</p>
          {meter.hint && <p>{given(meter.hint)}</p>}
        </Note>
      )}
    </Card>
  );
}

// --- which meter ---------------------------------------------------------------------------------

interface Told {
  fault: boolean;
  text: string;
}

const putFile = (file: MeterFile): void => setValue(["site", "meter", "file"], file);

/** Has the server read the file; a good one goes into the draft. */
async function taken(file: File): Promise<Told> {
  if (file.size > FILE_MOST_B) {
    return { fault: true, text: t("meter.too_big", { kb: Math.round(file.size / 1024) }) };
  }
  try {
    const text = await file.text();
    const { body } = await call<{ file: MeterFile }>("POST", "/meters/check", undefined, { text });
    putFile(body.file);
    const name = String(body.file["name"] ?? file.name);
    return { fault: false, text: t("meter.accepted", { name }) };
  } catch (problem) {
    return { fault: true, text: t("meter.refused", { why: inWords(problem) }) };
  }
}

function Chooser() {
  const [list, setList] = useState<ShippedMeter[]>([]);
  const [told, setTold] = useState<Told | null>(null);
  const [busy, setBusy] = useState(false);
  const id = useId();
  const file = draft.value?.site.meter.file ?? null;
  useEffect(() => {
    call<ShippedMeter[]>("GET", "/meters").then(
      (answer) => setList(answer.body),
      (problem) => setTold({ fault: true, text: inWords(problem) }),
    );
  }, []);
  const upload = async (chosen: File) => {
    setBusy(true);
    setTold(await taken(chosen));
    setBusy(false);
  };
  const error = errorAt(["site", "meter", "file"]);
  return (
    <fieldset class="field meter-file">
      <legend>{t("meter.file")}</legend>
      <MeterNow file={file} />
      <div class="form-row">
        <Templates list={list} file={file} />
        <div class="field upload">
          <FilePick accept=".meter,.json" onFile={(chosen) => void upload(chosen)}>
            {busy ? t("meter.checking") : t("meter.upload")}
          </FilePick>
        </div>
      </div>
      {told && (
        <Note tone={told.fault ? "fault" : "ok"} live>
          {told.text}
        </Note>
      )}
      {error && <FieldError id={`${id}-error`} text={error} />}
      {file && <FileForm file={file} />}
    </fieldset>
  );
}

function MeterNow({ file }: { file: MeterFile | null }) {
  if (!file) return <p class="meter-now second">{t("meter.no_file")}</p>;
  return (
    <p class="meter-now">
      <b>{String(file["name"] ?? "–")}</b>{" "}
      <span class="second">{t(file["tcp"] ? "meter.tcp" : "meter.rtu")}</span>
    </p>
  );
}

function Templates({ list, file }: { list: readonly ShippedMeter[]; file: MeterFile | null }) {
  const chosen = list.find((one) => file && one.name === file["name"]);
  const choices = list.map((one) => ({
    value: one.name,
    text: one.own ? t("meter.own", { name: one.name }) : one.name,
  }));
  return (
    <Field
      label={t("meter.template")}
      help={chosen?.note && `${t("meter.note")}: ${given(chosen.note)}`}
    >
      {(ids) => (
        <Select
          id={ids.id}
          described={ids.described}
          value={chosen?.name ?? ""}
          choices={[{ value: "", text: t("meter.template_none") }, ...choices]}
          onChange={(name) => {
            const made = list.find((one) => one.name === name);
            if (made) putFile(made.file);
          }}
        />
      )}
    </Field>
  );
}

/** The line and address of the meter can be typed; its registers are shown as they are. */
function FileForm({ file }: { file: MeterFile }) {
  const keys = LINE_KEYS.filter((key) => key in file);
  return (
    <>
      <div class="form-row">
        {keys.map((key) => (
          <LineField key={key} name={key} value={file[key] ?? ""} />
        ))}
      </div>
      <details class="registers">
        <summary>
          {t("meter.registers")} <Icon name="chevron-down" size={18} />
        </summary>
        <dl class="facts rows">
          {Object.entries(file).map(([key, value]) => (
            <div key={key}>
              <dt>
                <code>{key}</code>
              </dt>
              <dd class="figure">{String(value)}</dd>
            </div>
          ))}
        </dl>
      </details>
    </>
  );
}

function LineField({ name, value }: { name: string; value: string | number | boolean }) {
  const path = ["site", "meter", "file", name];
  const [text, setText] = useState(String(value));
  useEffect(() => {
    if (!same(read(text, value), value)) setText(String(value));
  }, [value]);
  const error = errorAt(path);
  const label = has(`meter.f.${name}`) ? say(`meter.f.${name}`) : name;
  return (
    <Field label={label} error={error}>
      {(ids) => (
        <TextInput
          id={ids.id}
          described={ids.described}
          value={text}
          wrong={Boolean(error)}
          onValue={(typed) => {
            setText(typed);
            setValue(path, read(typed, value));
          }}
        />
      )}
    </Field>
  );
}

/** A number stays a number, as the file has it. */
function read(text: string, like: unknown): string | number {
  return typeof like === "number" && /^\d+$/.test(text.trim()) ? Number(text) : text.trim();
}
