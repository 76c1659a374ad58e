// The header: brand, site, LED, alerts, age of the figures, who is signed in, and Stop all.

import { askAllow, askStopAll } from "../acts";
import { say, t } from "../i18n";
import { age, arrivedClock, away, freshness, known, snapshot, stopped } from "../live";
import { clock } from "../format";
import { Button, Icon, Link } from "../parts/basics";
import { INSTALLER, level, session } from "../session";
import { ledLook } from "../site";
import { byWhom } from "../why";
import { Brand } from "./brand";

export function Header() {
  const shot = snapshot.value;
  const site = shot?.site.name || session.value?.site || t("app.no_site");
  return (
    <header class={`head${stopped.value ? " stopped" : ""}`}>
      <div class="head-row">
        <span class="head-brand">
          <Brand />
        </span>
        <span class="head-site" title={site}>
          {site}
        </span>
        <div class="head-chips" role="group" aria-label={t("head.status")}>
          <LedMirror />
          <Alerts />
          <Live />
        </div>
        <Who />
        {!stopped.value && (
          <Button kind="danger" icon="octagon-x" onClick={askStopAll}>
            {t("head.stop_all")}
          </Button>
        )}
      </div>
      {stopped.value && <StoppedBar by={shot?.site.emergency_stop_by ?? null} />}
      {away.value && <Away />}
      {!away.value && shot && freshness.value === "grey" && <Old />}
    </header>
  );
}

function StoppedBar({ by }: { by: string | null }) {
  return (
    <div class="stopped-bar" role="alert">
      <Icon name="octagon-x" size={24} />
      <div>
        <b>{t("head.stopped", { by: byWhom(by) })}</b>
        <span>
          {t("head.stopped_more")} {level() < INSTALLER && t("head.allow_who")}
        </span>
      </div>
      {level() >= INSTALLER && (
        <Button acts icon="circle-check" onClick={askAllow}>
          {t("head.allow")}
        </Button>
      )}
    </div>
  );
}

function Away() {
  return (
    <div class="away-bar" role="alert">
      <Icon name="unplug" />
      <span>
        <b>{t(away.value === "control" ? "away.control" : "away.title")}.</b>{" "}
        {snapshot.value && t("away.text", { time: clock(arrivedClock.value) })}
      </span>
    </div>
  );
}

function Old() {
  return (
    <div class="away-bar" role="status">
      <Icon name="clock" />
      <span>
        {t("stale.title", { time: clock(arrivedClock.value) })}. {t("stale.reason")}
      </span>
    </div>
  );
}

/** The LED as the box shows it: the dot and the word, as long as that is known. */
function LedMirror() {
  const shot = snapshot.value;
  if (!shot) return null;
  const look = ledLook(known.value ? shot.led.look : "");
  const motion = freshness.value === "live" ? look.motion : "still";
  return (
    <span class={`chip led ${look.tone}`} title={t("led.light")}>
      <span class={`led-dot ${look.tone} ${motion}`} aria-hidden="true" />
      <span class="unseen">{t("led.light")}: </span>
      <span class="chip-word">{t(look.key)}</span>
    </span>
  );
}

function Alerts() {
  const count = snapshot.value?.faults.length;
  if (count === undefined) return null;
  if (!count && !known.value) {
    return (
      <span class="chip idle">
        <Icon name="circle-dashed" size={18} />
        <span class="chip-word">{t("head.alerts_unknown")}</span>
      </span>
    );
  }
  if (!count) {
    return (
      <span class="chip ok alerts-none">
        <Icon name="circle-check" size={18} />
        <span class="chip-word">{t("head.no_alerts")}</span>
      </span>
    );
  }
  return (
    <Link class="chip fault" to="/alerts/open">
      <Icon name="triangle-alert" size={18} />
      <span class="chip-word">{say("head.alerts", { n: count })}</span>
    </Link>
  );
}

function Live() {
  const state = freshness.value;
  if (!snapshot.value)
    return (
      <span class="chip idle">
        <Icon name="hourglass" size={18} />
        {t("head.connecting")}
      </span>
    );
  if (!known.value) {
    return (
      <span class="chip idle live-chip">
        <Icon name="clock" size={18} />
        <span class="figure">{t("head.as_of", { time: clock(arrivedClock.value) })}</span>
      </span>
    );
  }
  if (state === "dim") {
    return (
      <span class="chip limited live-chip">
        <Icon name="hourglass" size={18} />
        <span class="figure">{t("head.age", { s: Math.floor(age.value) })}</span>
      </span>
    );
  }
  return (
    <span class="chip ok live-chip">
      <Icon name="radio" size={18} />
      {t("head.live")}
    </span>
  );
}

function Who() {
  const now = session.value;
  if (!now?.account) return null;
  return (
    <Link class="chip who" to="/account">
      <Icon name="user" size={18} />
      <span>{t("head.level", { account: now.account, level: now.level })}</span>
    </Link>
  );
}
