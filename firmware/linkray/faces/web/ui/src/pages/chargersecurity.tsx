// Charger security: what each charger's link is secured with, its password, and who was refused.

import { useId, useState } from "preact/hooks";

import { call } from "../api";
import { moment } from "../format";
import { given, number, say, t } from "../i18n";
import { snapshot } from "../live";
import { useAsked } from "../parts/asked";
import { Badge, Button, Card, Choices, Link, Note } from "../parts/basics";
import { withPassword } from "../parts/confirm";
import { announce, askDanger, Dialog, inWords } from "../parts/dialog";
import { Password } from "../parts/password";
import { nameOf, type State } from "../site";
import type { Settings } from "../words";

interface ChargerLink {
  charger: string;
  connected: boolean;
  address: string;
  tls: string;
  proved: boolean;
  password: "none" | "told" | "required";
  since: string;
  by: string;
  refused: number;
  refused_at: string;
  refused_from: string;
  refused_why: string;
  uplink_password: boolean;
}

const EVERY_MS = 5_000;

export function ChargerSecurity() {
  const [rows, failed, again] = useAsked<ChargerLink[]>("/charger-links", EVERY_MS);
  const [chosen, setChosen] = useState<ChargerLink | null>(null);
  return (
    <>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      <Policy />
      <Card title={t("links.title")}>
        <p class="second">{t("links.more")}</p>
        {rows && !rows.length && <p class="second">{t("links.none")}</p>}
        <ul class="people links-list">
          {rows?.map((row) => (
            <Row key={row.charger} row={row} again={again} onPassword={() => setChosen(row)} />
          ))}
        </ul>
      </Card>
      {chosen && (
        <GivePassword
          of={chosen}
          onClose={() => {
            setChosen(null);
            again();
          }}
        />
      )}
    </>
  );
}

// --- what holds for all of them ------------------------------------------------------------------

function Policy() {
  const [settings] = useAsked<Settings>("/settings");
  const site = snapshot.value?.site;
  if (!settings) return null;
  const access = settings["access"] as { whitelist: boolean; open_confirmed: boolean };
  const open = !access.whitelist && !access.open_confirmed;
  return (
    <Card title={t("links.policy")}>
      {open && (
        <Note tone="limited">
          <p>{t("links.anybody")}</p>
          <p>
            <Link class="text-link" to="/transactions/tags">
              {t("links.to_tags")}
            </Link>
          </p>
        </Note>
      )}
      <dl class="facts rows">
        <div>
          <dt>{t("links.new")}</dt>
          <dd>
            {t(settings.site.new_chargers === "ask" ? "links.new_ask" : "links.new_add")}{" "}
            <Link to="/configuration/site">{t("links.change")}</Link>
          </dd>
        </div>
        <div>
          <dt>{t("links.ports")}</dt>
          <dd>
            {t("links.port_open", { port: String(site?.ocpp_port ?? 0) })}
            {", "}
            {t("links.port_tls", { port: String(site?.ocpps_port ?? 0) })}
          </dd>
        </div>
        {settings.csms.url && (
          <div>
            <dt>{t("links.to_csms")}</dt>
            <dd>
              {t(settings.csms.password_in_clear ? "links.in_clear" : "links.not_in_clear")}{" "}
              <Link to="/configuration/csms">{t("links.change")}</Link>
            </dd>
          </div>
        )}
      </dl>
    </Card>
  );
}

// --- one charger ---------------------------------------------------------------------------------

function lineState(row: ChargerLink): State {
  if (!row.connected) return { tone: "idle", icon: "unplug", word: t("links.away") };
  if (row.tls) {
    const version = row.tls.replace("TLSv", "TLS ");
    return { tone: "ok", icon: "lock", word: version };
  }
  return { tone: "idle", icon: "plug", word: t("links.open_line") };
}

function passwordState(row: ChargerLink): State {
  if (row.password === "required") return { tone: "ok", icon: "key", word: t("links.required") };
  if (row.password === "told") return { tone: "limited", icon: "hourglass", word: t("links.told") };
  return { tone: "idle", icon: "circle-dashed", word: t("links.no_password") };
}

interface RowProps {
  row: ChargerLink;
  again: () => void;
  onPassword: () => void;
}

function Row({ row, again, onPassword }: RowProps) {
  const known = snapshot.value?.chargers.find((one) => one.id === row.charger);
  const name = known ? nameOf(known) : row.charger;
  return (
    <li>
      <div class="people-who">
        <b>{name}</b>
        <span class="second">{[row.charger, row.address].filter(Boolean).join(" · ")}</span>
      </div>
      <div class="people-state">
        <Badge state={lineState(row)} />
        <Badge state={passwordState(row)} />
      </div>
      <div class="people-acts">
        <Button small icon="key" label={t("links.password_of", { charger: name })} onClick={onPassword}>
          {t("links.password")}
        </Button>
        {row.password !== "none" && (
          <Button
            small
            label={t("links.remove_of", { charger: name })}
            onClick={() => askRemove(row, name, again)}
          >
            {t("links.remove")}
          </Button>
        )}
      </div>
      <Told row={row} />
    </li>
  );
}

/** What else there is to say of it, in sentences; nothing where there is nothing. */
function Told({ row }: { row: ChargerLink }) {
  const lines = [
    row.since && t("links.since", { time: moment(row.since), by: row.by }),
    row.connected && row.password === "required" && !row.proved && t("links.not_yet"),
    row.connected && row.proved && !row.tls && t("links.in_the_open"),
    row.uplink_password && t("links.uplink"),
  ].filter(Boolean) as string[];
  if (!lines.length && !row.refused) return null;
  return (
    <div class="links-told">
      {lines.map((line) => (
        <span key={line} class="second">
          {line}
        </span>
      ))}
      {row.refused > 0 && (
        <span class="links-refused">
          <Badge
            state={{
              tone: "limited",
              icon: "ban",
              word: say("links.refused", { n: row.refused, v: number(row.refused, 0) }),
            }}
          />
          <span class="second">
            {t("links.refused_last", {
              time: moment(row.refused_at),
              from: row.refused_from,
              why: given(row.refused_why),
            })}
          </span>
        </span>
      )}
    </div>
  );
}

function askRemove(row: ChargerLink, name: string, again: () => void): void {
  askDanger({
    title: t("links.remove_title", { charger: name }),
    body: t("links.remove_body"),
    sessions: null,
    verb: t("links.remove"),
    act: async () => {
      const path = `/chargers/${encodeURIComponent(row.charger)}/password`;
      await withPassword(() => call("DELETE", path));
      again();
      return t("links.removed", { charger: name });
    },
  });
}

// --- a new password ------------------------------------------------------------------------------

interface Given {
  ok: boolean;
  text: string;
  password: string;
}

type How = "tell" | "hand";

const nameFor = (row: ChargerLink): string => {
  const known = snapshot.peek()?.chargers.find((one) => one.id === row.charger);
  return known ? nameOf(known) : row.charger;
};

function GivePassword({ of, onClose }: { of: ChargerLink; onClose: () => void }) {
  const [how, setHow] = useState<How>(of.connected ? "tell" : "hand");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState("");
  const [done, setDone] = useState<Given | null>(null);
  const id = useId();
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailed("");
    try {
      const path = `/chargers/${encodeURIComponent(of.charger)}/password`;
      const body = { password, tell: how === "tell" };
      const told = await withPassword(() => call<Given>("PUT", path, body, { charger: true }));
      if (told.body.password) setDone(told.body);
      else {
        announce(given(told.body.text));
        onClose();
      }
    } catch (problem) {
      setFailed(inWords(problem));
    }
    setBusy(false);
  };
  if (done) return <ShowOnce of={of} done={done} onClose={onClose} />;
  return (
    <Dialog title={t("links.password_of", { charger: nameFor(of) })} onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        {of.connected && (
          <Choices<How>
            label={t("links.how")}
            value={how}
            onChange={setHow}
            choices={[
              { value: "tell", text: t("links.how_tell") },
              { value: "hand", text: t("links.how_hand") },
            ]}
          />
        )}
        <p class="second" id={id}>
          {t(how === "tell" ? "links.tell_more" : "links.hand_more")}
        </p>
        {!of.tls && how === "tell" && <Note tone="limited">{t("links.tell_open")}</Note>}
        <Password
          label={t("links.word")}
          value={password}
          onValue={setPassword}
          fresh
          help={t("links.word_help")}
        />
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        <footer class="dialog-foot">
          <Button onClick={onClose}>{t("dialog.cancel")}</Button>
          <Button type="submit" kind="primary" busy={busy}>
            {busy ? t("dialog.working") : t(password ? "links.set" : "links.make")}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

function ShowOnce({ of, done, onClose }: { of: ChargerLink; done: Given; onClose: () => void }) {
  return (
    <Dialog title={t("links.password_of", { charger: nameFor(of) })} onClose={onClose}>
      <Note tone={done.ok ? "ok" : "limited"} live>
        {given(done.text)}
      </Note>
      <p>{t("links.once")}</p>
      <code class="secret">{done.password}</code>
      <footer class="dialog-foot">
        <Button kind="primary" onClick={onClose}>
          {t("links.written")}
        </Button>
      </footer>
    </Dialog>
  );
}
