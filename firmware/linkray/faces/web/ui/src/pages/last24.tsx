// The last 24 hours on Info: building and groups, in kW or in A of each phase (web.md, Info, 6).

import { useEffect, useMemo, useState } from "preact/hooks";

import { amps } from "../format";
import { t } from "../i18n";
import { snapshot } from "../live";
import { Button, Choices, Link, Note } from "../parts/basics";
import { inWords } from "../parts/dialog";
import { Graph, Marks, type Zoom } from "../parts/graph";
import { AsTable } from "../parts/graphtable";
import { limitMarks, readPast, sharesDrawing, type Drawing, type Past } from "../past";
import { go, query } from "../route";
import { PHASES } from "../words";

const EVERY_MS = 5 * 60_000;

interface Chosen {
  view: "stacked" | "overlaid";
  unit: "kw" | "a";
  zoom: Zoom | null;
}

function chosen(): Chosen {
  const [from, to] = (query("part") ?? "").split("-").map(Number);
  return {
    view: query("view") === "overlaid" ? "overlaid" : "stacked",
    unit: query("unit") === "a" ? "a" : "kw",
    zoom: from && to && to > from ? { from, to } : null,
  };
}

function choose(change: Partial<Chosen>): void {
  const next = { ...chosen(), ...change };
  const asked = new URLSearchParams();
  if (next.view === "overlaid") asked.set("view", next.view);
  if (next.unit === "a") asked.set("unit", next.unit);
  if (next.zoom) asked.set("part", `${next.zoom.from}-${next.zoom.to}`);
  go(asked.size ? `/info?${asked}` : "/info", true);
}

function useLast(): { past: Past | null; failed: string } {
  const [past, setPast] = useState<Past | null>(null);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    let over = false;
    const read = () => {
      if (document.hidden) return;
      readPast(null, 15).then(
        (told) => {
          if (over) return;
          setPast(told);
          setFailed("");
        },
        (problem) => over || setFailed(inWords(problem)),
      );
    };
    read();
    const timer = setInterval(read, EVERY_MS);
    document.addEventListener("visibilitychange", read);
    return () => {
      over = true;
      clearInterval(timer);
      document.removeEventListener("visibilitychange", read);
    };
  }, []);
  return { past, failed };
}

export function Last24() {
  const { past, failed } = useLast();
  const now = chosen();
  return (
    <>
      <div class="day-choices">
        <Choices
          label={t("graph.view")}
          value={now.view}
          onChange={(view) => choose({ view })}
          choices={[
            { value: "stacked", text: t("graph.stacked") },
            { value: "overlaid", text: t("graph.overlaid") },
          ]}
        />
        <Choices
          label={t("graph.unit")}
          value={now.unit}
          onChange={(unit) => choose({ unit })}
          choices={[
            { value: "kw", text: "kW" },
            { value: "a", text: "A" },
          ]}
        />
        {now.zoom && (
          <Button small icon="undo-2" onClick={() => choose({ zoom: null })}>
            {t("graph.whole_24")}
          </Button>
        )}
      </div>
      {failed && <Note tone="fault">{failed}</Note>}
      {past && <Drawn past={past} now={now} />}
    </>
  );
}

function Drawn({ past, now }: { past: Past; now: Chosen }) {
  const shot = snapshot.peek();
  const drawings = useMemo((): Drawing[] => {
    const wanted = {
      past,
      view: now.view,
      ...(shot && { shot }),
      marks: limitMarks(past, amps),
    };
    if (now.unit === "kw") return [sharesDrawing(wanted, null, t("graph.site_power"))];
    return PHASES.map((phase, place) => sharesDrawing(wanted, place, t("graph.phase", { phase })));
  }, [past, now.view, now.unit]);
  return (
    <>
      <div class={`graphs${drawings.length > 1 ? " three" : ""}`}>
        {drawings.map((one) => (
          <Graph
            key={one.id}
            drawing={one}
            zone={past.time_zone}
            zoom={now.zoom}
            onZoom={(zoom) => choose({ zoom })}
            sync="last24"
            height={240}
          />
        ))}
      </div>
      <Marks drawing={drawings[0]} zone={past.time_zone} />
      <AsTable drawings={drawings} past={past} zoom={now.zoom} />
      <p>
        <Link to="/transactions/days">{t("graph.all_days")}</Link>
      </p>
    </>
  );
}
