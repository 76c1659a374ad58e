// Learn mode: for half a minute what is held to a reader goes on the list, or off it.

import { useEffect, useId, useState } from "preact/hooks";

import { call } from "../api";
import { clock } from "../format";
import { say, t } from "../i18n";
import { snapshot } from "../live";
import { Badge, Button, Card, Choices, Link, Note } from "../parts/basics";
import { inWords } from "../parts/dialog";
import { Select } from "../parts/fields";
import { INSTALLER, level } from "../session";
import { byName, nameOf, type State } from "../site";
import type { LearningView, LearntTag } from "../words";

const EVERY_MS = 1_000;

const LOOKS: Record<LearntTag["came"], Omit<State, "word">> = {
  added: { tone: "ok", icon: "plus" },
  removed: { tone: "ok", icon: "trash" },
  there: { tone: "idle", icon: "check" },
  unknown: { tone: "idle", icon: "info" },
  refused: { tone: "fault", icon: "ban" },
};

export function Learn() {
  const [view, setView] = useState<LearningView | null>(null);
  const [failed, setFailed] = useState("");
  const read = (asked: Promise<{ body: LearningView }>) =>
    asked.then(
      ({ body }) => {
        setView(body);
        setFailed("");
      },
      (problem) => setFailed(inWords(problem)),
    );
  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout>;
    const round = async () => {
      if (!document.hidden) await read(call<LearningView>("GET", "/tags/learn"));
      if (!over) timer = setTimeout(() => void round(), EVERY_MS);
    };
    void round();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, []);
  const set = (body: Record<string, unknown>) =>
    void read(call<LearningView>("PUT", "/tags/learn", body));
  const on = (view?.left_s ?? 0) > 0;
  return (
    <Card title={t("learn.title")}>
      <p class="second">{t("learn.more")}</p>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {view && !on && level() >= INSTALLER && <Begin onBegin={set} />}
      {view && !on && level() < INSTALLER && <p>{t("learn.off")}</p>}
      {view && on && (
        <div class="learning" role="status">
          <b class="figure learn-left">{t("time.s", { v: view.left_s })}</b>
          <p>
            {t(view.remove ? "learn.removes" : "learn.adds", {
              charger: titleOf(view.charger) || null,
            })}
          </p>
          {level() >= INSTALLER && (
            <Button icon="square" onClick={() => set({ on: false })}>
              {t("learn.stop")}
            </Button>
          )}
        </div>
      )}
      {view && view.tags.length > 0 && (
        <ul class="rejected">
          {view.tags.map((one) => (
            <li key={one.tag} class="tag-row">
              <span class="tag-name">
                <code>
                  <bdi>{one.tag}</bdi>
                </code>
                <span class="second">
                  <bdi>{titleOf(one.charger)}</bdi>
                </span>
              </span>
              <time class="figure second" dateTime={one.at}>
                {clock(new Date(one.at))}
              </time>
              <span class="tag-state">
                <Badge state={{ ...LOOKS[one.came], word: say(`learn.${one.came}`) }} />
              </span>
            </li>
          ))}
        </ul>
      )}
      {view && !on && view.tags.some((one) => one.came === "added") && (
        <p>
          <Link class="text-link" to="/transactions/tags">
            {t("learn.name_them")}
          </Link>
        </p>
      )}
    </Card>
  );
}

function titleOf(id: string): string {
  const known = snapshot.value?.chargers.find((one) => one.id === id);
  return known ? nameOf(known) : id;
}

function Begin({ onBegin }: { onBegin: (body: Record<string, unknown>) => void }) {
  const [how, setHow] = useState<"add" | "remove">("add");
  const [charger, setCharger] = useState("");
  const id = useId();
  return (
    <div class="form">
      <Choices
        label={t("learn.what")}
        value={how}
        choices={[
          { value: "add", text: t("learn.add"), icon: "plus" },
          { value: "remove", text: t("learn.remove"), icon: "trash" },
        ]}
        onChange={setHow}
      />
      <div class="field">
        <label for={id}>{t("learn.where")}</label>
        <Select
          id={id}
          value={charger}
          choices={[
            { value: "", text: t("learn.anywhere") },
            ...byName(snapshot.value?.chargers ?? []).map((one) => ({
              value: one.id,
              text: one.name ? `${nameOf(one)} (${one.id})` : one.id,
            })),
          ]}
          onChange={setCharger}
        />
      </div>
      <p>
        <Button
          acts
          kind="primary"
          icon="radio"
          onClick={() => onBegin({ on: true, remove: how === "remove", charger })}
        >
          {t("learn.start")}
        </Button>
      </p>
    </div>
  );
}
