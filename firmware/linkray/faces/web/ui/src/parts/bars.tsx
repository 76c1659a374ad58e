// Bars: the phases against the limit, and a connector's drawn against offered.

import { amps, ampsOf } from "../format";
import { t } from "../i18n";
import { headroomOn, keptBeyond, phaseName, setLimit, siteRoom, type Headroom } from "../site";
import { heldUntil, stoppedWords } from "../why";
import type { Snapshot } from "../words";
import { Card, Icon, Link } from "./basics";
import { PhaseTag } from "./fields";

export const share = (ma: number, scale: number): number => Math.max(0, Math.min(100, (ma / scale) * 100));

interface Row {
  place: number;
  building: number | null;
  chargers: number;
  reserved: number;
  limit: number; // as set
  bound: number; // in force
  free: number; // nobody draws it; below 0: over the limit
  degraded: number | null; // of the chargers alone where the building is known
  ceiling: number | null; // sealed
}

function rows(shot: Snapshot): Row[] {
  const { plan, site } = shot;
  const room = siteRoom(shot);
  const isDegraded = plan.degraded || plan.held;
  return [0, 1, 2].map((place) => ({
    place,
    building: plan.building_ma?.[place] ?? null,
    chargers: site.used_ma[place] ?? 0,
    reserved: keptBeyond(room, place),
    limit: setLimit(shot)[place] ?? 0,
    bound: room.limit_ma[place] ?? 0,
    free: headroomOn(room, place).free,
    degraded: isDegraded
      ? (plan.limit_ma[place] ?? 0) + (plan.held ? (plan.building_ma?.[place] ?? 0) : 0)
      : null,
    ceiling: site.ceiling_ma?.[place] ?? null,
  }));
}

/** Three bars: building grey, chargers in the phase's colour, reserved hatched, limit red. */
export function PhaseBars({ shot, more = false }: { shot: Snapshot; more?: boolean }) {
  const all = rows(shot);
  const full = Math.max(
    ...all.map((row) =>
      Math.max(row.limit, row.ceiling ?? 0, Math.max(0, row.building ?? 0) + row.chargers + row.reserved, 1000),
    ),
  );
  const scale = full * 1.06; // so that the limit's mark has room on its right
  return (
    <Card title={t("phases.title")} class="phases-card" aside={more && <ToBalancing />}>
      <div class="phase-rows">
        {all.map((row) => (
          <PhaseRow key={row.place} row={row} scale={scale} />
        ))}
      </div>
      <Stopped />
      <ul class="legend">
        <li>
          <i class="swatch building" />
          {t("phases.building")}
        </li>
        <li>
          <i class="swatch chargers" />
          {t("phases.chargers")}
        </li>
        <li>
          <i class="swatch reserved" />
          {t("phases.reserved")}
        </li>
        <li>
          <i class="swatch limit" />
          {t("phases.limit")}
        </li>
        {all.some((row) => row.degraded !== null) && (
          <li>
            <i class="swatch degraded" />
            {t("phases.degraded")}
          </li>
        )}
        {shot.site.ceiling_ma && (
          <li>
            <i class="swatch ceiling" />
            {t("phases.ceiling")}
          </li>
        )}
      </ul>
    </Card>
  );
}

/** Why nothing, or so little, is offered although there is room. */
function Stopped() {
  const words = stoppedWords();
  const until = heldUntil();
  if (!words && !until) return null;
  return (
    <p class="stopped-note">
      <Icon name={words ? "octagon-x" : "clock"} size={18} />
      <span>{words ?? t("stopped.held", { until })}</span>
    </p>
  );
}

/** Where every limit stands with what is under it, and what is set about sharing. */
function ToBalancing() {
  return (
    <Link to="/configuration/balancing" class="text-link">
      {t("conf.balancing")} <Icon name="arrow-right" size={18} />
    </Link>
  );
}

function PhaseRow({ row, scale }: { row: Row; scale: number }) {
  const building = Math.max(0, row.building ?? 0);
  const flows = building + row.chargers; // what is reserved may flow, and does not yet
  const { bound, free } = row;
  const words = t("phases.read", {
    phase: `L${row.place + 1}`,
    building: row.building === null ? t("info.unknown") : amps(row.building),
    chargers: amps(row.chargers),
    reserved: amps(row.reserved),
    limit: amps(bound),
    ceiling: row.ceiling === null ? null : amps(row.ceiling),
  });
  const chargersAt = share(building, scale);
  const reservedAt = share(building + row.chargers, scale);
  return (
    <div class={`phase-row p${row.place + 1}`}>
      <PhaseTag place={row.place} />
      <div class="phase-bar" role="img" aria-label={words}>
        <span class="part building" style={{ width: `${share(building, scale)}%` }} />
        <span
          class="part chargers"
          style={{ insetInlineStart: `${chargersAt}%`, width: `${share(row.chargers, scale)}%` }}
        />
        <span
          class="part reserved"
          style={{ insetInlineStart: `${reservedAt}%`, width: `${share(row.reserved, scale)}%` }}
        />
        {row.ceiling !== null && (
          <span class="mark ceiling" style={{ insetInlineStart: `${share(row.ceiling, scale)}%` }} />
        )}
        <span class="mark limit" style={{ insetInlineStart: `${share(row.limit, scale)}%` }} />
        {row.degraded !== null && (
          <span
            class="mark degraded"
            style={{ insetInlineStart: `${share(row.degraded, scale)}%` }}
          />
        )}
      </div>
      <div class="phase-words">
        <span class="figure">{t("phases.of", { used: ampsOf(flows), limit: amps(bound) })}</span>
        <span class={free < 0 ? "left over" : "left"}>
          {free < 0 && <Icon name="triangle-alert" size={16} />}
          {free < 0
            ? t("phases.over", { over: amps(-free) })
            : t("phases.left", { free: amps(free) })}
        </span>
      </div>
    </div>
  );
}

interface DrawBarProps {
  drawn: number;
  accepted: number;
  offered: number;
  most: number;
  label: string;
}

/** Drawn (full), accepted (light), offered (hatched to its mark), of the most it could give. */
export function DrawBar({ drawn, accepted, offered, most, label }: DrawBarProps) {
  const scale = Math.max(most, offered, accepted, drawn, 1);
  return (
    <div class="draw-bar" role="img" aria-label={label}>
      <span class="part offered" style={{ width: `${share(offered, scale)}%` }} />
      <span class="part accepted" style={{ width: `${share(accepted, scale)}%` }} />
      <span class="part drawn" style={{ width: `${share(drawn, scale)}%` }} />
    </div>
  );
}

/** "16 A unused on L2, 10 A of it offered, 6 A reserved", or by how much it is passed. */
export function roomWords({ free, offered, reserved, phase }: Headroom): string {
  const on = phaseName(phase);
  if (free < 0) return t("groups.over", { over: amps(-free), phase: on });
  return t("groups.headroom", {
    free: amps(free),
    phase: on,
    offered: offered > 0 ? amps(offered) : null,
    reserved: reserved > 0 ? amps(reserved) : null,
  });
}

/** A limit and its headroom on one line: bar, "47 / 63 A", "16 A unused on L2". */
export function RoomLine({ room }: { room: Headroom }) {
  const { used, limit, reserved, free } = room;
  const load = t("groups.load", { used: ampsOf(used), limit: amps(limit) });
  const full = free < 0 ? "over" : used + reserved > limit * 0.9 ? "near" : "";
  const scale = Math.max(limit, used + reserved, 1);
  return (
    <>
      <div class="load-bar" role="img" aria-label={load}>
        <span class={`part ${full}`} style={{ width: `${share(used, scale)}%` }} />
        <span
          class="part reserved"
          style={{
            insetInlineStart: `${share(used, scale)}%`,
            width: `${share(reserved, scale)}%`,
          }}
        />
      </div>
      <span class="group-words">
        <b class="figure">{load}</b>{" "}
        <span class={free < 0 ? "over" : "second"}>
          {roomWords(room)}
        </span>
      </span>
    </>
  );
}
