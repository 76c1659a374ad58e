// Bars: the phases against the limit, and a connector's drawn against offered.

import { amps, ampsOf } from "../format";
import { t } from "../i18n";
import { phaseName, setLimit, type Headroom } from "../site";
import type { Snapshot } from "../words";
import { Card, Icon, Link } from "./basics";
import { PhaseTag } from "./fields";

export const share = (ma: number, scale: number): number => Math.max(0, Math.min(100, (ma / scale) * 100));

interface Row {
  place: number;
  building: number | null;
  chargers: number;
  reserved: number;
  limit: number;
  degraded: number | null;
  ceiling: number | null; // sealed
}

function rows(shot: Snapshot): Row[] {
  const { plan, site } = shot;
  return [0, 1, 2].map((place) => ({
    place,
    building: plan.building_ma?.[place] ?? null,
    chargers: site.used_ma[place] ?? 0,
    reserved: plan.reserved_ma[place] ?? 0,
    limit: setLimit(shot)[place] ?? 0,
    degraded: plan.degraded ? (plan.limit_ma[place] ?? 0) : null,
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
        {shot.plan.degraded && (
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
  const used = flows + row.reserved;
  const bound = row.degraded ?? row.limit;
  const over = flows > bound ? flows - bound : Math.min(0, used - bound);
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
        <span class={over > 0 ? "left over" : "left"}>
          {over > 0 && <Icon name="triangle-alert" size={16} />}
          {over > 0
            ? t("phases.over", { over: amps(over) })
            : t("phases.left", { free: amps(-over) })}
        </span>
      </div>
    </div>
  );
}

interface DrawBarProps {
  drawn: number;
  offered: number;
  most: number;
  label: string;
}

/** Drawn (full) against offered (light), of the most the charger could give. */
export function DrawBar({ drawn, offered, most, label }: DrawBarProps) {
  const scale = Math.max(most, offered, drawn, 1);
  return (
    <div class="draw-bar" role="img" aria-label={label}>
      <span class="part offered" style={{ width: `${share(offered, scale)}%` }} />
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
