// The API's reference, drawn from its own OpenAPI file: routes, what they take, what they give.

import { useEffect, useId, useState } from "preact/hooks";

import { call } from "../api";
import { given, say, t } from "../i18n";
import { Card, Icon, Link, Note } from "../parts/basics";
import { inWords } from "../parts/dialog";
import { go, query } from "../route";

interface Shape {
  $ref?: string;
  type?: string | string[];
  description?: string;
  properties?: Record<string, Shape>;
  required?: string[];
  items?: Shape | false;
  prefixItems?: Shape[];
  anyOf?: Shape[];
  enum?: (string | number | null)[];
  additionalProperties?: Shape | boolean;
  minimum?: number;
  maximum?: number;
}

interface Content {
  content?: Record<string, { schema?: Shape }>;
}

interface Told {
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, Shape> };
}

export interface Operation {
  method: string;
  path: string;
  summary: string;
  description: string;
  level: number;
  parameters: string[];
  takes: [string, Shape][]; // by media type
  gives: [string, Shape][];
  forKeys: boolean;
}

let schemas: Record<string, Shape> = {};
let held: Operation[] | null = null;

/** All routes; asked for once while the page is open. */
export function useReference(): [Operation[] | null, string] {
  const [told, setTold] = useState(held);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    if (held) return;
    call<Told>("GET", "/openapi.json").then(
      (answer) => {
        schemas = answer.body.components.schemas;
        held = operations(answer.body);
        setTold(held);
      },
      (problem) => setFailed(inWords(problem)),
    );
  }, []);
  return [told, failed];
}

function operations(told: Told): Operation[] {
  const shapes = (part: unknown): [string, Shape][] =>
    Object.entries((part as Content | undefined)?.content ?? {}).flatMap(([kind, one]) =>
      one.schema ? [[kind, one.schema] as [string, Shape]] : [],
    );
  return Object.entries(told.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, of]) => {
      const one = of as Record<string, unknown>;
      const named = (one["parameters"] ?? []) as { name: string }[];
      return {
        method,
        path,
        summary: String(one["summary"] ?? ""),
        description: String(one["description"] ?? ""),
        level: Number(one["x-level"] ?? 0),
        parameters: named.map((parameter) => parameter.name),
        takes: shapes(one["requestBody"]),
        gives: shapes((one["responses"] as Record<string, unknown>)["200"]),
        forKeys: ((one["security"] ?? []) as object[]).some((way) => "key" in way),
      };
    }),
  );
}

const partOf = (path: string): string => path.split("/")[3] ?? "";

export function Reference() {
  const [all, failed] = useReference();
  const wanted = (query("find") ?? "").toLowerCase();
  const id = useId();
  const found = (all ?? []).filter((one) =>
    `${one.method} ${one.path} ${one.summary}`.toLowerCase().includes(wanted),
  );
  const parts = [...new Set(found.map((one) => partOf(one.path)))];
  return (
    <>
      <Card>
        <div class="reference-bar">
          <div class="field">
            <label for={id}>{t("api.find")}</label>
            <input
              id={id}
              type="search"
              autocomplete="off"
              value={query("find") ?? ""}
              onInput={(event) => {
                const typed = event.currentTarget.value;
                const search = typed ? `?find=${encodeURIComponent(typed)}` : "";
                go(`/apikeys/reference${search}`, true);
              }}
            />
          </div>
          <a class="button plain" href="/api/v1/openapi.json" download="linkray-openapi.json">
            <Icon name="download" /> <span>{t("api.openapi")}</span>
          </a>
        </div>
        <p class="second">{t("api.reference_more")}</p>
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        {all && <p role="status">{say("api.found", { n: found.length })}</p>}
      </Card>
      {parts.map((part) => (
        <Card key={part} title={part}>
          <ul class="routes">
            {found
              .filter((one) => partOf(one.path) === part)
              .map((one) => (
                <Route key={`${one.method} ${one.path}`} one={one} />
              ))}
          </ul>
        </Card>
      ))}
    </>
  );
}

function Route({ one }: { one: Operation }) {
  const [open, setOpen] = useState(false); // what is folded is not drawn: there are many
  return (
    <li>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <code class={`method ${one.method}`}>{one.method.toUpperCase()}</code>
          <code class="route-path">{one.path}</code>
          <span class="second">{given(one.summary)}</span>
        </summary>
        {open && <Details one={one} />}
      </details>
    </li>
  );
}

function Details({ one }: { one: Operation }) {
  return (
    <div class="route-more">
      <p>{given(one.description)}</p>
      {one.takes.length > 0 && <Shapes title={t("api.takes")} shapes={one.takes} asked />}
      {one.gives.length > 0 && <Shapes title={t("api.gives")} shapes={one.gives} />}
      {one.forKeys && <p class="second">{t("api.line")}</p>}
      {one.forKeys && <code class="secret example">{curl(one)}</code>}
      {one.method === "get" && one.path !== "/api/v1/events" && (
        <p>
          <Link class="button plain" to={`/apikeys/try?path=${encodeURIComponent(one.path)}`}>
            <Icon name="play" /> <span>{t("api.try")}</span>
          </Link>
        </p>
      )}
    </div>
  );
}

function curl(one: Operation): string {
  const words = ["curl -k"];
  if (one.method !== "get") words.push(`-X ${one.method.toUpperCase()}`);
  words.push('-H "Authorization: Bearer lr_…"');
  const kind = one.takes[0]?.[0];
  if (kind) words.push(`-H "Content-Type: ${kind}" -d @body`);
  words.push(`${location.origin}${one.path}`);
  return words.join(" ");
}

interface ShapesProps {
  title: string;
  shapes: [string, Shape][];
  asked?: boolean; // of whoever calls: what may be left out matters
}

function Shapes({ title, shapes, asked }: ShapesProps) {
  const [kind, shape] = shapes[0] ?? ["", {}];
  const whole = resolved(shape);
  const inner = resolved(whole.items ? whole.items : whole);
  const rows = Object.entries(inner.properties ?? {});
  const kinds = shapes.map(([one]) => one).join(", ");
  return (
    <div class="shape">
      <h3>
        {title} <span class="second">{kinds || kind}</span>
      </h3>
      <p>
        <code>{typeOf(shape)}</code>
        {inner.description && <span class="second"> {given(inner.description)}</span>}
      </p>
      {rows.length > 0 && (
        <dl class="fields">
          {rows.map(([name, field]) => (
            <div key={name}>
              <dt>
                <code>{name}</code>
                {asked && inner.required?.includes(name) && (
                  <span class="second"> {t("api.needed")}</span>
                )}
              </dt>
              <dd>
                <code>{typeOf(field)}</code>
                {field.description && <span class="second"> {given(field.description)}</span>}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

const refOf = (shape: Shape): string => shape.$ref?.split("/").at(-1) ?? "";

function resolved(shape: Shape): Shape {
  const name = refOf(shape);
  return name ? (schemas[name] ?? {}) : shape;
}

/** A type in a few signs: `Charger[]`, `"on" | "off"`, `integer 0 … 64`. */
function typeOf(shape: Shape): string {
  if (shape.$ref) return refOf(shape);
  if (shape.enum) return shape.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (shape.anyOf) return shape.anyOf.map(typeOf).join(" | ");
  if (shape.prefixItems) return `[${shape.prefixItems.map(typeOf).join(", ")}]`;
  if (shape.type === "array") return `${shape.items ? typeOf(shape.items) : "any"}[]`;
  if (shape.type === "object" && typeof shape.additionalProperties === "object") {
    return `{ name: ${typeOf(shape.additionalProperties)} }`;
  }
  const type = Array.isArray(shape.type) ? shape.type.join(" | ") : (shape.type ?? "any");
  const [low, high] = [shape.minimum, shape.maximum];
  if (low === undefined && high === undefined) return type;
  return `${type} ${low ?? ""} … ${high ?? ""}`;
}
