// The audit log: who changed what, found by words and days, its chain checked, taken along as a file.

import { useEffect, useId, useState } from "preact/hooks";

import { call } from "../api";
import { exactly } from "../format";
import { number, say, t } from "../i18n";
import { snapshot } from "../live";
import { Button, Card, Icon, Link, Note } from "../parts/basics";
import { inWords } from "../parts/dialog";
import { go, query } from "../route";

interface AuditLine {
  seq: number;
  at: string;
  who: string;
  level: number;
  source: string;
  what: string;
  old: string;
  new: string;
  event: string;
}

interface AuditPage {
  lines: AuditLine[];
  total: number;
}

interface Chain {
  lines: number;
  holds_to: number;
  holds: boolean;
}

const FILTERS = ["who", "what", "text", "from", "to"] as const;
type Filter = (typeof FILTERS)[number];
type Wanted = Record<Filter, string>;
const SHOWN = 100;

/** A day at the site (`2026-11-23`) as the moment it begins, or the next one does; "": none. */
function beginning(day: string, zone: string, next = false): string {
  const [y, m, d] = day.split("-").map(Number);
  if (!y || !m || !d) return "";
  const midnight = Date.UTC(y, m - 1, d + (next ? 1 : 0));
  // twice: the first guess may lie on the other side of a change of the clocks
  const once = midnight - ahead(midnight, zone);
  return new Date(midnight - ahead(once, zone)).toISOString();
}

/** How far the zone's clocks are ahead of UTC at a moment, in ms. */
function ahead(ms: number, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(new Date(ms));
  const of = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  const there = Date.UTC(
    of("year"),
    of("month") - 1,
    of("day"),
    of("hour"),
    of("minute"),
    of("second"),
  );
  return there - Math.floor(ms / 1000) * 1000;
}

function asked(wanted: Wanted): URLSearchParams {
  const zone = snapshot.peek()?.site.time_zone || "UTC";
  const named = {
    who: wanted.who,
    what: wanted.what,
    text: wanted.text,
    since: beginning(wanted.from, zone),
    until: beginning(wanted.to, zone, true),
  };
  return new URLSearchParams(Object.entries(named).filter(([, value]) => value));
}

function address(wanted: Wanted, before = ""): string {
  const all = Object.entries({ ...wanted, before }).filter(([, value]) => value);
  const search = new URLSearchParams(all).toString();
  return `/security/audit${search ? `?${search}` : ""}`;
}

export function Audit() {
  const wanted = Object.fromEntries(FILTERS.map((one) => [one, query(one) ?? ""])) as Wanted;
  const before = query("before") ?? "";
  const zone = snapshot.value?.site.time_zone;
  const [page, setPage] = useState<AuditPage | null>(null);
  const [failed, setFailed] = useState("");
  const key = `${address(wanted, before)} ${zone ?? ""}`;
  useEffect(() => {
    let over = false;
    const search = asked(wanted);
    if (before) search.set("before", before);
    search.set("limit", String(SHOWN));
    call<AuditPage>("GET", `/audit?${search}`).then(
      (told) => {
        if (over) return;
        setPage(told.body);
        setFailed("");
      },
      (problem) => {
        if (!over) setFailed(inWords(problem));
      },
    );
    return () => {
      over = true;
    };
  }, [key]);
  const last = page?.lines.at(-1)?.seq ?? 0;
  const isLast = !page || page.lines.length < SHOWN || last <= 1;
  return (
    <>
      <Card>
        <Filters key={address(wanted)} wanted={wanted} />
      </Card>
      <Card
        title={page ? say("audit.found", { n: page.total }) : t("security.audit")}
        aside={<Files search={asked(wanted)} />}
      >
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        {page && !page.lines.length && <p class="second">{t("audit.nothing")}</p>}
        <ol class="audit-lines" aria-label={t("security.audit")}>
          {page?.lines.map((line) => (
            <Line key={line.seq} line={line} />
          ))}
        </ol>
        {(before || !isLast) && (
          <nav class="note-acts" aria-label={t("audit.pages")}>
            {before && (
              <Link class="button plain" to={address(wanted)}>
                <span>{t("audit.newest")}</span>
              </Link>
            )}
            {!isLast && (
              <Link class="button plain" to={address(wanted, String(last))}>
                <span>{t("audit.older")}</span> <Icon name="chevron-right" />
              </Link>
            )}
          </nav>
        )}
      </Card>
      <ChainCheck />
    </>
  );
}

function Filters({ wanted }: { wanted: Wanted }) {
  const id = useId();
  const [typed, setTyped] = useState(wanted);
  const submit = (event: Event) => {
    event.preventDefault();
    go(address(typed));
  };
  const filtered = FILTERS.some((one) => wanted[one]);
  return (
    <form class="audit-filter" role="search" onSubmit={submit}>
      {FILTERS.map((one) => (
        <div class="field" key={one}>
          <label for={`${id}-${one}`}>{say(`audit.${one}`)}</label>
          <input
            id={`${id}-${one}`}
            type={(one === "from" || one === "to" ? "date" : "search") as "search"}
            maxLength={200}
            autocomplete="off"
            value={typed[one]}
            onInput={(event) => setTyped({ ...typed, [one]: event.currentTarget.value })}
          />
        </div>
      ))}
      <div class="note-acts">
        <Button type="submit" kind="primary">
          {t("audit.search")}
        </Button>
        {filtered && (
          <Link class="button plain" to="/security/audit">
            <span>{t("audit.all")}</span>
          </Link>
        )}
      </div>
    </form>
  );
}

function Line({ line }: { line: AuditLine }) {
  return (
    <li>
      <span class="audit-head">
        <span class="figure second">{number(line.seq, 0)}</span>
        <time class="figure" dateTime={line.at}>
          {exactly(line.at)}
        </time>
        <b>{line.who || "–"}</b>
        {line.source && <span class="second">{t("sessions.from", { source: line.source })}</span>}
      </span>
      <span class="audit-what">
        {line.what} {line.event && <code class="second">{line.event}</code>}
      </span>
      {(line.old || line.new) && <Change old={line.old} fresh={line.new} />}
    </li>
  );
}

const SHORT = 160; // characters of either side shown before one opens the rest

function Change({ old, fresh }: { old: string; fresh: string }) {
  const whole = <Sides old={old} fresh={fresh} />;
  if (Math.max(old.length, fresh.length) <= SHORT) return <div class="audit-change">{whole}</div>;
  const cut = (text: string) => (text.length > SHORT ? `${text.slice(0, SHORT)} …` : text);
  return (
    <details class="audit-folded">
      <summary class="audit-change">
        <Sides old={cut(old)} fresh={cut(fresh)} />
      </summary>
      <div class="audit-change">{whole}</div>
    </details>
  );
}

function Sides({ old, fresh }: { old: string; fresh: string }) {
  return (
    <>
      {old && <code>{old}</code>}
      {old && fresh && <Icon name="arrow-right" size={16} />}
      {old && fresh && <span class="unseen">{t("audit.became")}</span>}
      {fresh && <code>{fresh}</code>}
    </>
  );
}

function Files({ search }: { search: URLSearchParams }) {
  const of = (format: string) => {
    const wanted = new URLSearchParams(search);
    wanted.set("format", format);
    return `/api/v1/audit/export?${wanted}`;
  };
  return (
    <span class="note-acts">
      {["csv", "json"].map((format) => (
        <a
          key={format}
          class="button plain small"
          href={of(format)}
          download
          aria-label={t("audit.download", { format: format.toUpperCase() })}
        >
          <Icon name="download" /> <span>{format.toUpperCase()}</span>
        </a>
      ))}
    </span>
  );
}

function ChainCheck() {
  const [chain, setChain] = useState<Chain | null>(null);
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const check = async () => {
    if (busy) return;
    setBusy(true);
    setFailed("");
    try {
      setChain((await call<Chain>("GET", "/audit/chain")).body);
    } catch (problem) {
      setFailed(inWords(problem));
    }
    setBusy(false);
  };
  return (
    <Card title={t("audit.chain")}>
      <p class="second">{t("audit.chain_more")}</p>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {chain && (
        <Note tone={chain.holds ? "ok" : "fault"} live>
          {chain.holds
            ? say("audit.holds", { n: chain.lines })
            : t("audit.broken", { to: chain.holds_to, next: chain.holds_to + 1 })}
        </Note>
      )}
      <p>
        <Button icon="refresh-cw" busy={busy} onClick={() => void check()}>
          {busy ? t("dialog.working") : t("audit.check")}
        </Button>
      </p>
    </Card>
  );
}
