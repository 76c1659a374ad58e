// API: the keys of programs, what every route takes and gives, and a place to try a question out.

import type { ComponentType } from "preact";
import { useEffect, useId, useState } from "preact/hooks";

import { call } from "../api";
import { moment } from "../format";
import { given, number, say, t, type Key } from "../i18n";
import { Badge, Button, Card, Link, Note } from "../parts/basics";
import { withPassword } from "../parts/confirm";
import { announce, askDanger, Dialog, inWords } from "../parts/dialog";
import { Field, Select, Switch } from "../parts/fields";
import { go, query, segments } from "../route";
import { ASSEMBLER, level } from "../session";
import type { State } from "../site";
import { Reference, useReference, type Operation } from "./reference";

type KeyState = "on" | "off" | "password" | "expired";
type Scope = "read" | "write";

interface ApiKey {
  id: string;
  name: string;
  scope: Scope;
  made: string;
  by: string;
  expires: string;
  state: KeyState;
}

interface Made {
  id: string;
  key: string;
  expires: string;
}

interface Tab {
  id: string;
  name: Key;
  show: ComponentType;
}

const TABS: readonly Tab[] = [
  { id: "keys", name: "api.keys", show: Keys },
  { id: "reference", name: "api.reference", show: Reference },
  { id: "try", name: "api.try", show: TryIt },
];

export function ApiPage() {
  const [, which] = segments();
  const tab = TABS.find((one) => one.id === which) ?? TABS[0];
  const Show = tab?.show ?? Keys;
  return (
    <>
      <h1>{t("nav.api")}</h1>
      <nav class="tabs" aria-label={t("api.tabs")}>
        {TABS.map((one) => (
          <Link key={one.id} to={`/apikeys/${one.id}`} current={one === tab}>
            {t(one.name)}
          </Link>
        ))}
      </nav>
      <Show />
    </>
  );
}

// --- keys ----------------------------------------------------------------------------------------

const SCOPES: readonly Scope[] = ["read", "write"];

const LOOKS: Record<KeyState, [State["tone"], State["icon"]]> = {
  on: ["ok", "circle-check"],
  off: ["idle", "circle-dashed"],
  password: ["limited", "lock"],
  expired: ["idle", "clock"],
};

const lookOf = (state: KeyState): State => {
  const [tone, icon] = LOOKS[state];
  return { tone, icon, word: say(`api.state_${state}`) };
};

function Keys() {
  const [keys, setKeys] = useState<readonly ApiKey[] | null>(null);
  const [failed, setFailed] = useState("");
  const [wanted, setWanted] = useState<{ scope: Scope; named: boolean } | null>(null);
  const [made, setMade] = useState<Made | null>(null);
  const look = async () => {
    try {
      setKeys((await call<ApiKey[]>("GET", "/keys")).body);
      setFailed("");
    } catch (problem) {
      setFailed(inWords(problem));
    }
  };
  useEffect(() => void look(), []);
  const bare = (scope: Scope) => keys?.filter((one) => !one.name && one.scope === scope) ?? [];
  const slots = SCOPES.map((scope) => bare(scope).at(-1));
  const others = keys?.filter((one) => !slots.includes(one)) ?? [];
  const mayChange = level() >= ASSEMBLER;
  return (
    <>
      <p class="second">{t("api.keys_more")}</p>
      {!mayChange && <Note tone="idle">{t("api.read_only_level")}</Note>}
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      <div class="pair">
        {SCOPES.map((scope, place) => (
          <Card
            key={scope}
            title={say(`api.slot_${scope}`)}
            aside={slots[place] && <Badge state={lookOf(slots[place].state)} />}
          >
            <p>{say(`api.scope_${scope}`)}</p>
            {slots[place] ? (
              <KeyFacts one={slots[place]} look={look} />
            ) : (
              <p class="second">{t("api.none")}</p>
            )}
            {mayChange && (
              <p>
                <Button icon="key" onClick={() => setWanted({ scope, named: false })}>
                  {t("api.generate")}
                  <span class="unseen">: {say(`api.slot_${scope}`)}</span>
                </Button>
              </p>
            )}
          </Card>
        ))}
      </div>
      <Card
        title={t("api.named")}
        aside={
          mayChange && (
            <Button
              small
              icon="plus"
              onClick={() => setWanted({ scope: "read", named: true })}
            >
              {t("api.new")}
            </Button>
          )
        }
      >
        <p class="second">{t("api.named_more")}</p>
        {!others.length && <p class="second">{t("api.no_named")}</p>}
        <ul class="people">
          {others.map((one) => (
            <li key={one.id}>
              <div class="people-who">
                <b>{one.name || t("api.nameless", { id: one.id.slice(0, 8) })}</b>
                <span class="second">{say(`api.slot_${one.scope}`)}</span>
              </div>
              <div class="people-state">
                <Badge state={lookOf(one.state)} />
              </div>
              <KeyFacts one={one} look={look} />
            </li>
          ))}
        </ul>
      </Card>
      {wanted && (
        <NewKey
          {...wanted}
          inPlace={!wanted.named && bare(wanted.scope).length > 0}
          onClose={() => setWanted(null)}
          onMade={(fresh) => {
            setWanted(null);
            setMade(fresh);
            void look();
          }}
        />
      )}
      {made && <Told made={made} onClose={() => setMade(null)} />}
    </>
  );
}

function KeyFacts({ one, look }: { one: ApiKey; look: () => Promise<void> }) {
  const name = one.name || say(`api.slot_${one.scope}`);
  const [going, setGoing] = useState<boolean | null>(null); // what was asked for, until it is known
  const turn = async (on: boolean) => {
    if (going !== null) return;
    setGoing(on);
    try {
      await withPassword(() => call("PUT", `/keys/${one.id}`, { on }));
      announce(t(on ? "api.now_on" : "api.now_off", { name }));
    } catch (problem) {
      announce(inWords(problem), true);
    }
    await look();
    setGoing(null);
  };
  const remove = () => {
    askDanger({
      title: t("api.remove_title", { name }),
      body: t("api.remove_body"),
      sessions: null,
      verb: t("api.remove"),
      act: async () => {
        await withPassword(() => call("DELETE", `/keys/${one.id}`));
        await look();
        return t("api.removed", { name });
      },
    });
  };
  return (
    <div class="key-facts">
      <p class="second">
        {t(one.state === "expired" ? "api.expired_at" : "api.expires_at", {
          time: moment(one.expires),
        })}
        {" · "}
        {one.by
          ? t("api.made_by", { time: moment(one.made), by: one.by })
          : t("api.made_on_site", { time: moment(one.made) })}
      </p>
      {one.state === "password" && (
        <Note tone="limited">{t("api.password_more", { by: one.by })}</Note>
      )}
      {level() >= ASSEMBLER && (
        <div class="key-acts">
          {one.state !== "expired" && (
            <Switch
              label={t("api.works", { name })}
              checked={going ?? one.state === "on"}
              onChange={(on) => void turn(on)}
            />
          )}
          <Button small icon="trash" label={t("api.remove_one", { name })} onClick={remove}>
            {t("api.remove")}
          </Button>
        </div>
      )}
    </div>
  );
}

const SPANS = ["1d", "30d", "90d", "365d", "3650d"] as const;

interface NewKeyProps {
  scope: Scope;
  named: boolean;
  inPlace: boolean;
  onClose: () => void;
  onMade: (made: Made) => void;
}

function NewKey({ scope: first, named, inPlace, onClose, onMade }: NewKeyProps) {
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Scope>(first);
  const [span, setSpan] = useState<string>("365d");
  const [own, setOwn] = useState("");
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailed("");
    const expires = span === "own" ? own.replaceAll(" ", "") : span;
    try {
      const body = { scope, expires, name: named ? name.trim() : "" };
      onMade((await withPassword(() => call<Made>("POST", "/keys", body))).body);
    } catch (problem) {
      setFailed(inWords(problem));
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={named ? t("api.new") : `${t("api.generate")}: ${say(`api.slot_${first}`)}`}
      onClose={onClose}
    >
      <form class="form" onSubmit={(event) => void submit(event)}>
        {inPlace && <Note tone="limited">{t("api.in_place")}</Note>}
        {named && (
          <Field label={t("api.name")} help={t("api.name_help")}>
            {({ id, described }) => (
              <input
                id={id}
                type="text"
                maxLength={64}
                autocomplete="off"
                required
                aria-describedby={described}
                value={name}
                onInput={(event) => setName(event.currentTarget.value)}
              />
            )}
          </Field>
        )}
        {named && (
          <Field label={t("api.scope")}>
            {({ id }) => (
              <Select
                id={id}
                value={scope}
                choices={SCOPES.map((one) => ({ value: one, text: say(`api.slot_${one}`) }))}
                onChange={(chosen) => setScope(chosen as Scope)}
              />
            )}
          </Field>
        )}
        <Field label={t("api.span")}>
          {({ id }) => (
            <Select
              id={id}
              value={span}
              choices={[...SPANS, "own"].map((one) => ({
                value: one,
                text: say(`api.span_${one}`),
              }))}
              onChange={setSpan}
            />
          )}
        </Field>
        {span === "own" && (
          <Field label={t("api.own_span")} help={t("api.own_span_help")}>
            {({ id, described }) => (
              <input
                id={id}
                type="text"
                autocomplete="off"
                required
                aria-describedby={described}
                value={own}
                onInput={(event) => setOwn(event.currentTarget.value)}
              />
            )}
          </Field>
        )}
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        <footer class="dialog-foot">
          <Button onClick={onClose}>{t("dialog.cancel")}</Button>
          <Button type="submit" kind="primary" busy={busy} disabled={named && !name.trim()}>
            {busy ? t("dialog.working") : t("api.make")}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

/** The only time that a key is shown. */
function Told({ made, onClose }: { made: Made; onClose: () => void }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(made.key);
      setCopied(true);
    } catch {
      setCopied(false); // not allowed here: it can be marked by hand
    }
  };
  const line = `curl -k -H "Authorization: Bearer ${made.key}" ${location.origin}/api/v1/site`;
  return (
    <Dialog title={t("api.made")} onClose={onClose} wide>
      <Note tone="limited">{t("api.once")}</Note>
      <p class="second">{t("api.expires_at", { time: moment(made.expires) })}</p>
      <code class="secret">{made.key}</code>
      <p>
        <Button icon="copy" onClick={() => void copy()}>
          {t(copied ? "api.copied" : "api.copy")}
        </Button>
      </p>
      <p class="second">{t("api.example")}</p>
      <code class="secret example">{line}</code>
      <footer class="dialog-foot">
        <Button kind="primary" onClick={onClose} focus>
          {t("api.kept")}
        </Button>
      </footer>
    </Dialog>
  );
}

// --- trying it out -------------------------------------------------------------------------------

const SHOWN_CHARS = 100_000;

interface Outcome {
  status: number;
  ms: number;
  kind: string;
  text: string;
  bytes: number;
}

function TryIt() {
  const [reference, failed] = useReference();
  const id = useId();
  const wanted = query("path") ?? "/api/v1/site";
  const asks = (reference ?? []).filter(
    (one) => one.method === "get" && one.path !== "/api/v1/events" && one.level <= level(),
  );
  const chosen = asks.find((one) => one.path === wanted) ?? asks[0];
  return (
    <Card title={t("api.try")}>
      <p class="second">{t("api.try_more")}</p>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {chosen && (
        <>
          <div class="field">
            <label for={id}>{t("api.question")}</label>
            <Select
              id={id}
              value={chosen.path}
              choices={asks.map((one) => ({
                value: one.path,
                text: `${one.path} – ${given(one.summary)}`,
              }))}
              onChange={(path) => go(`/apikeys/try?path=${encodeURIComponent(path)}`, true)}
            />
          </div>
          <Ask key={chosen.path} operation={chosen} />
        </>
      )}
    </Card>
  );
}

function Ask({ operation }: { operation: Operation }) {
  const [values, setValues] = useState<Record<string, string>>({});
  const [search, setSearch] = useState("");
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(values[name] ?? ""),
  );
  const missing = operation.parameters.some((name) => !values[name]);
  const bare = search.replace(/^\?/, "");
  const full = `${path}${bare ? `?${bare}` : ""}`;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy || missing) return;
    setBusy(true);
    setFailed("");
    const began = performance.now();
    try {
      const answer = await fetch(full, { credentials: "same-origin", cache: "no-store" });
      const content = await answer.arrayBuffer();
      const kind = answer.headers.get("Content-Type") ?? "";
      const ms = performance.now() - began;
      setOutcome({
        status: answer.status,
        ms,
        kind,
        text: wordsOf(content, kind),
        bytes: content.byteLength,
      });
    } catch {
      setFailed(t("error.unreachable"));
    }
    setBusy(false);
  };
  return (
    <form class="form" onSubmit={(event) => void submit(event)}>
      <div class="form-row">
        {operation.parameters.map((name) => (
          <Field key={name} label={<code>{name}</code>}>
            {({ id }) => (
              <input
                id={id}
                type="text"
                autocomplete="off"
                value={values[name] ?? ""}
                onInput={(event) => setValues({ ...values, [name]: event.currentTarget.value })}
              />
            )}
          </Field>
        ))}
        <Field label={t("api.search")} help={t("api.search_help")}>
          {({ id, described }) => (
            <input
              id={id}
              type="text"
              autocomplete="off"
              spellcheck={false}
              aria-describedby={described}
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
            />
          )}
        </Field>
      </div>
      <code class="secret example">GET {full}</code>
      <p>
        <Button type="submit" kind="primary" icon="play" busy={busy} disabled={missing}>
          {busy ? t("dialog.working") : t("api.ask")}
        </Button>
      </p>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {outcome && <Answer outcome={outcome} />}
    </form>
  );
}

function Answer({ outcome }: { outcome: Outcome }) {
  const good = outcome.status < 400;
  return (
    <section class="stack" aria-label={t("api.answer")}>
      <p role="status">
        <Badge
          state={{
            tone: good ? "ok" : "fault",
            icon: good ? "circle-check" : "circle-x",
            word: String(outcome.status),
          }}
        />{" "}
        <span class="second">
          {t("api.took", { ms: number(outcome.ms, 0), bytes: number(outcome.bytes, 0) })}
          {" · "}
          {outcome.kind}
        </span>
      </p>
      <pre class="answer" tabIndex={0} aria-label={t("api.answer")}>
        {outcome.text}
      </pre>
      {outcome.text.length >= SHOWN_CHARS && <p class="second">{t("api.cut")}</p>}
    </section>
  );
}

function wordsOf(content: ArrayBuffer, kind: string): string {
  if (!/json|text/.test(kind)) return t("api.binary");
  const text = new TextDecoder().decode(content);
  try {
    return JSON.stringify(JSON.parse(text), null, 2).slice(0, SHOWN_CHARS);
  } catch {
    return text.slice(0, SHOWN_CHARS);
  }
}
