// A graph's numbers as a table.

import { useState } from "preact/hooks";

import { t } from "../i18n";
import type { Drawing, Past } from "../past";
import { Icon } from "./basics";
import { amount, hourIn, type Zoom } from "./graph";

interface TableProps {
  drawings: Drawing[];
  past: Past;
  zoom: Zoom | null;
}

/** The same as numbers: for whoever does not see the lines, and for looking one up. */
export function AsTable({ drawings, past, zoom }: TableProps) {
  const [open, setOpen] = useState(false);
  return (
    <details class="graph-more" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <Icon name="chevron-right" size={18} /> {t("graph.table")}
      </summary>
      {open && (
        <div class="table-scroll tall" tabIndex={0} role="group" aria-label={t("graph.table")}>
          <Numbers drawings={drawings} past={past} zoom={zoom} />
        </div>
      )}
    </details>
  );
}

function Numbers({ drawings, past, zoom }: TableProps) {
  const hour = hourIn(past.time_zone);
  const edges = drawings[0]?.edges ?? [];
  const slots = edges.slice(0, -1).flatMap((at, slot) => {
    const within = !zoom || (at + past.step_s > zoom.from && at < zoom.to);
    const known = drawings.some((one) => one.layers.some((layer) => layer.values[slot] !== null));
    return within && known ? slot : [];
  });
  return (
    <table class="power">
      <thead>
        <tr>
          <th scope="col" rowSpan={2}>{t("graph.time")}</th>
          {drawings.map((one) => (
            <th scope="colgroup" key={one.id} colSpan={one.layers.length}>
              {one.title}
            </th>
          ))}
        </tr>
        <tr>
          {drawings.map((one) =>
            one.layers.map((layer) => (
              <th scope="col" class="num" key={`${one.id} ${layer.id}`}>
                {layer.name}
              </th>
            )),
          )}
        </tr>
      </thead>
      <tbody>
        {slots.map((slot) => (
          <tr key={slot}>
            <th scope="row" class="figure">{hour(edges[slot] ?? 0)}</th>
            {drawings.map((one) =>
              one.layers.map((layer) => (
                <td class="num" key={`${one.id} ${layer.id}`}>
                  {amount(layer.values[slot] ?? null, one.unit)}
                </td>
              )),
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
