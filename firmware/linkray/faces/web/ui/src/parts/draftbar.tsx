// The bar of unsaved changes, and the question before leaving them.

import { useEffect, useState } from "preact/hooks";

import { say, t } from "../i18n";
import { mayAct } from "../live";
import { guardLeaving } from "../route";
import {
  changes,
  conflict,
  dirty,
  invalid,
  loadFailed,
  loadSettings,
  rebase,
  refused,
  save,
  undo,
} from "../settings";
import { Button, Note } from "./basics";
import { announce, askDanger, inWords } from "./dialog";

export function LoadFailed() {
  return (
    <Note tone="fault" live>
      <p>{inWords(loadFailed.value)}</p>
      <p>
        <Button icon="refresh-cw" onClick={() => void loadSettings()}>
          {t("app.again")}
        </Button>
      </p>
    </Note>
  );
}

const EDITING = ["/chargers", "/configuration"]; // the bar stays in sight there

export function DraftBar() {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState("");
  const unsaved = dirty.value;
  useEffect(() => {
    guardLeaving(unsaved ? ask : null);
    return () => guardLeaving(null);
  }, [unsaved]);
  const store = async () => {
    setFailed("");
    if (invalid.peek()) {
      focusFirstWrong();
      return;
    }
    setBusy(true);
    try {
      if (await save()) announce(t("draft.saved"));
      else if (refused.peek()) setTimeout(focusFirstWrong, 50);
    } catch (problem) {
      setFailed(inWords(problem));
    }
    setBusy(false);
  };
  if (!unsaved) return <div class="draft-space" />;
  const wrong = invalid.value;
  return (
    <div class="draft-bar" role="region" aria-label={t("draft.bar")}>
      {conflict.value && <Conflict />}
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {refused.value && (
        <Note tone="fault" live>
          {t("draft.errors", { why: refused.value.text })}
        </Note>
      )}
      <div class="draft-row">
        <b>{wrong ? say("draft.invalid", { n: wrong }) : say("draft.n", { n: changes.value })}</b>
        <div class="draft-acts">
          <Button
            icon="undo-2"
            onClick={() => {
              setFailed("");
              undo();
            }}
          >
            {t("draft.undo")}
          </Button>
          <Button
            kind="primary"
            icon="save"
            busy={busy}
            disabled={!mayAct.value}
            onClick={() => void store()}
          >
            {busy ? t("draft.saving") : t("draft.save")}
          </Button>
        </div>
      </div>
    </div>
  );
}

function Conflict() {
  return (
    <Note tone="limited" live>
      <p>{t("draft.conflict")}</p>
      <p class="note-acts">
        <Button onClick={() => void loadSettings()}>{t("draft.theirs")}</Button>
        <Button kind="primary" onClick={() => void rebase()}>
          {t("draft.mine")}
        </Button>
      </p>
    </Note>
  );
}

function focusFirstWrong(): void {
  document.querySelector<HTMLElement>("#main [aria-invalid=true], #main .wrong input")?.focus();
}

function ask(leave: () => void, to: string): void {
  if (EDITING.some((page) => new URL(to, location.origin).pathname.startsWith(page))) {
    leave();
    return;
  }
  askDanger({
    title: t("draft.leave_title"),
    body: say("draft.leave_body", { n: Math.max(1, changes.peek()) }),
    sessions: null,
    verb: t("draft.leave_do"),
    act: async () => {
      undo();
      guardLeaving(null);
      leave();
      return "";
    },
  });
}
