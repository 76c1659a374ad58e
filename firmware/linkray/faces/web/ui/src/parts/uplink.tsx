// A charger's link to the CSMS as people read it: its state, what waits, when it tries again.

import { call } from "../api";
import { exactly, moment } from "../format";
import { given, say, t } from "../i18n";
import { snapshot } from "../live";
import { Badge, Card, Icon, Link } from "./basics";
import type { State } from "../site";
import type { CsmsQueue, Snapshot, Uplink } from "../words";

export const uplinkOf = (shot: Snapshot | null, id: string): Uplink | null =>
  shot?.uplinks?.find((one) => one.charger === id) ?? null;

export function uplinkState(uplink: Uplink | null, connected = true): State {
  if (!uplink || uplink.state === "off") {
    return { tone: "idle", icon: "circle-dashed", word: t("uplink.none") };
  }
  if (uplink.state === "live") return { tone: "ok", icon: "circle-check", word: t("uplink.live") };
  if (uplink.state === "behind") {
    return { tone: "limited", icon: "refresh-cw", word: t("uplink.behind") };
  }
  if (uplink.state === "waits") return { tone: "limited", icon: "ban", word: t("uplink.waits") };
  return uplink.next_attempt === null && !uplink.text && !connected
    ? { tone: "idle", icon: "circle-dashed", word: t("uplink.rests") }
    : { tone: "fault", icon: "unplug", word: t("uplink.away") };
}

/** What waits for each address: the one that is set, and those of before. */
export const waitingFor = async (): Promise<readonly CsmsQueue[]> =>
  (await call<CsmsQueue[]>("GET", "/csms/queues")).body;

export function inQueue(queue: CsmsQueue): string {
  const since = queue.oldest ? moment(queue.oldest) : null;
  const chargers = say("former.chargers", { n: queue.chargers });
  return say("former.waiting", { n: queue.messages, chargers, since });
}

/** As a sentence begins. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What there is to say beside the state, each a short sentence. */
function facts(uplink: Uplink): string[] {
  const told: string[] = [];
  if (uplink.waiting) {
    const since = uplink.oldest ? moment(uplink.oldest) : null;
    told.push(say("uplink.waiting", { n: uplink.waiting, since }));
  }
  if (uplink.next_attempt) {
    const at = exactly(uplink.next_attempt);
    const n = uplink.attempts;
    told.push(n ? say("uplink.next", { n, at }) : t("uplink.next_first", { at }));
  }
  if (uplink.set_aside) told.push(say("uplink.aside", { n: uplink.set_aside }));
  return told;
}

export function UplinkFacts({ uplink }: { uplink: Uplink }) {
  const told = facts(uplink);
  return (
    <div class="uplink-facts">
      {uplink.text && <p>{given(capital(uplink.text))}</p>}
      {told.length > 0 && <p class="second figure">{told.join(" · ")}</p>}
    </div>
  );
}

/** One charger's uplink as a card of its own page holds it. */
export function UplinkNow({ id, connected }: { id: string; connected: boolean }) {
  const uplink = uplinkOf(snapshot.value, id);
  return (
    <Card title={t("uplink.title")} aside={<Badge state={uplinkState(uplink, connected)} />}>
      {uplink && <UplinkFacts uplink={uplink} />}
      <p class="note-acts">
        <Link class="text-link" to="/configuration/csms">
          {t("uplink.settings")} <Icon name="arrow-right" size={18} />
        </Link>
        <Link class="text-link" to={`/debug/ocpp?charger=${encodeURIComponent(id)}`}>
          {t("uplink.messages")} <Icon name="arrow-right" size={18} />
        </Link>
      </p>
    </Card>
  );
}
