// A charger's passport: what it says of itself, what LinkRay found out of it, and on what evidence.

import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { amps, duration, kw, moment } from "../format";
import { given, has, number, say, t } from "../i18n";
import { INSTALLER, level } from "../session";
import { nameOf } from "../site";
import type { Charger, PassportFinding, PassportNow } from "../words";
import { Button, Card, Icon, Note } from "./basics";
import { askDanger, inWords } from "./dialog";

/** What was found by trying, the entry of the quirk table, and the budget of writes. */
export function Found({ seen }: { seen: Charger }) {
  const [now, setNow] = useState<PassportNow | null>(null);
  const [failed, setFailed] = useState("");
  const path = `/chargers/${encodeURIComponent(seen.id)}/passport`;
  const told = JSON.stringify([seen.passport, seen.probing, seen.firmware, seen.quirk]);
  useEffect(() => {
    let wanted = true;
    call<PassportNow>("GET", path).then(
      (answer) => {
        if (!wanted) return;
        setNow(answer.body);
        setFailed("");
      },
      (problem) => wanted && setFailed(inWords(problem)),
    );
    return () => {
      wanted = false;
    };
  }, [path, told]);
  const again = () =>
    askDanger({
      title: t("found.again_title", { name: nameOf(seen) }),
      body: t("found.again_body"),
      sessions: null,
      calm: true,
      verb: t("found.again"),
      act: async () => {
        await call("POST", `${path}/probe`);
        return t("found.again_done");
      },
    });
  return (
    <Card title={t("found.title")} class="found">
      {failed && <Note tone="fault">{failed}</Note>}
      {seen.probing && (
        <p class="second">
          <Icon name="hourglass" size={18} /> {t("found.probing", { what: given(seen.probing) })}
        </p>
      )}
      {now && <Findings findings={now.passport.findings.filter((one) => isIts(one, seen))} />}
      <Writes seen={seen} />
      {now && <Quirk now={now} />}
      <p class="note-acts">
        {level() >= INSTALLER && (
          <Button acts icon="refresh-cw" onClick={again}>
            {t("found.again")}
          </Button>
        )}
        <a class="button plain" href="/api/v1/passports/export" download="linkray-passports.json">
          <Icon name="download" /> <span>{t("found.export")}</span>
        </a>
      </p>
    </Card>
  );
}

const LONG = 24; // characters: a longer finding has a line of its own

/** Some findings are about one charger, not about its make. */
const isIts = (one: PassportFinding, seen: Charger): boolean =>
  one.what === "own_limit"
    ? one.charger === seen.id && one.found !== "none" // taken back
    : !["lease", "obey"].includes(one.what) || one.about === seen.id;

function Findings({ findings }: { findings: readonly PassportFinding[] }) {
  if (!findings.length) return <p class="second">{t("found.none")}</p>;
  return (
    <ul class="found-list">
      {findings.map((one) => (
        <li key={`${one.what}/${one.about}`}>
          <span class="found-what">
            {has(`found.what.${one.what}`) ? say(`found.what.${one.what}`) : given(one.what)}
            {about(one) && <span class="second"> {about(one)}</span>}
          </span>
          <b class={foundWords(one).length > LONG ? "long" : ""}>{foundWords(one)}</b>
          <Evidence one={one} />
        </li>
      ))}
    </ul>
  );
}

/** Its subject, where that says more than the charger whose page this is. */
function about(one: PassportFinding): string {
  if (one.what === "refused") return formWords(one.about);
  if (one.what === "own_limit") return one.about.slice(one.charger.length).trim();
  const key = `found.form.${one.about}`;
  return one.what === "form" && has(key) ? say(key) : "";
}

/** "TxProfile/Relative/A/2": its parts in words. */
function formWords(form: string): string {
  const [purpose = "", ...parts] = form.split("/");
  const words = parts.map((part) => (has(`found.part.${part}`) ? say(`found.part.${part}`) : part));
  return [purpose, ...words].join(", ");
}

function foundWords({ what, found }: PassportFinding): string {
  if (has(`found.${what}.${found}`)) return say(`found.${what}.${found}`);
  if (what === "form") return formWords(found);
  const n = Number(found);
  if (!Number.isFinite(n)) return found.replaceAll(",", ", ");
  if (what === "own_limit") return t("found.own_limit", { v: amps(n) });
  if (what === "draws_at" || what === "idle_at" || what === "step") return amps(n);
  if (what === "interval") return duration(n);
  return what === "obey" ? t("time.s", { v: number(n, 1) }) : number(n, 0);
}

/** When, at which charger, what was offered and what was measured. */
function Evidence({ one }: { one: PassportFinding }) {
  const words = [
    one.at && moment(one.at),
    one.charger,
    one.offered && t("found.offered", { v: given(one.offered) }),
    one.measured && t("found.measured", { v: given(one.measured) }),
  ].filter(Boolean);
  return words.length ? <span class="second">{words.join(" · ")}</span> : null;
}

function Writes({ seen }: { seen: Charger }) {
  const budget = seen.writes_a_day ?? null;
  const used = seen.profile_writes;
  return (
    <div class="writes">
      <span>{t("passport.writes")}</span>
      <b class="figure">
        {budget === null
          ? number(used, 0)
          : t("found.writes_of", { n: number(used, 0), most: number(budget, 0) })}
      </b>
      {budget !== null ? (
        <div
          class="load-bar"
          role="img"
          aria-label={t("found.writes_of", { n: number(used, 0), most: number(budget, 0) })}
        >
          <span
            class={`part ${used > budget ? "over" : used > budget * 0.9 ? "near" : ""}`}
            style={{ width: `${Math.min(100, (used / Math.max(1, budget)) * 100)}%` }}
          />
        </div>
      ) : (
        <span class="second">{t("found.no_budget")}</span>
      )}
    </div>
  );
}

/** What its make does its own way: why, where it was seen, and what LinkRay does about it. */
function Quirk({ now }: { now: PassportNow }) {
  if (!now.quirk && !now.rules.length) return <p class="second">{t("found.no_quirk")}</p>;
  const why = now.why.replace(`${now.quirk}: `, "");
  return (
    <section class="quirk">
      <h3>{t("passport.quirk")}</h3>
      {now.quirk && (
        <p>
          <b>{now.quirk}</b> <span class="second">{given(why)}</span>
        </p>
      )}
      {now.rules.length > 0 && (
        <ul class="notes">
          {now.rules.map((rule) => (
            <RuleLine key={rule} rule={rule} />
          ))}
        </ul>
      )}
      {now.seen !== undefined && now.seen.length > 0 && (
        <>
          <p class="second">{t("rule.seen")}</p>
          <ul class="notes sources">
            {now.seen.map((place) => (
              <li key={place}>
                <Source place={place} />
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Source({ place }: { place: string }) {
  if (!place.startsWith("https://")) return <span>{place}</span>;
  return (
    <a class="text-link" href={place} target="_blank" rel="noreferrer">
      {place.replace("https://", "")}
    </a>
  );
}

const RULE = /^(\w+) (.*) \((site|table|measured)\)$/;

function RuleLine({ rule }: { rule: string }) {
  const [, key = "", value = "", origin = ""] = RULE.exec(rule) ?? [];
  const words = [`rule.${key}.${value}`, `rule.${key}`].find(has);
  if (!words) return <li>{rule}</li>;
  return (
    <li>
      {say(words, { v: valueWords(key, value) })}{" "}
      <span class="second">{say(`rule.from_${origin}`)}</span>
    </li>
  );
}

/** A rule's value with its unit: the key's last word tells it. */
function valueWords(key: string, value: string): string {
  if (key.endsWith("_ma")) return value.split(", ").map((ma) => amps(Number(ma))).join(", ");
  if (key.endsWith("_w")) return kw(Number(value));
  if (key.endsWith("_s") || key.endsWith("_s_min")) return duration(Number(value));
  return /^\d+$/.test(value) ? number(Number(value), 0) : value;
}
