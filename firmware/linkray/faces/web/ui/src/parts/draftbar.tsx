// The bar of unsaved changes, and the question before leaving them.

import { useEffect, useState } from "preact/hooks";

import { say, t } from "../i18n";
import { mayAct } from "../live";
import { guardLeaving } from "../route";
import {
  base,
  changes,
  conflict,
  dirty,
  draft,
  invalid,
  loadFailed,
  loadSettings,
  rebase,
  refused,
  save,
  undo,
} from "../settings";
import { Button, Note } from "./basics";
import { announce, askDanger, type Danger, inWords } from "./dialog";
import { inQueue, waitingFor } from "./uplink";

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

const EDITING = ["/chargers", "/configuration", "/setup", "/transactions/delivery"]; // the bar stays in sight there

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
    setBusy(true);
    try {
      await storeDraft();
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

/** Saves what is unsaved, if anything; false where a person is asked, or told what is wrong, first. */
export async function storeDraft(): Promise<boolean> {
  if (!dirty.peek()) return true;
  if (invalid.peek()) {
    focusFirstWrong();
    return false;
  }
  const left = await leftBehind();
  if (left) {
    askDanger(left);
    return false;
  }
  if (await save()) {
    announce(t("draft.saved"));
    return true;
  }
  if (refused.peek()) setTimeout(focusFirstWrong, 50);
  return false;
}

/** Asked where another CSMS is set while something waits for this one (nothing of it is lost). */
async function leftBehind(): Promise<Danger | null> {
  const url = base.peek()?.csms.url;
  if (!url || url === draft.peek()?.csms.url) return null;
  const own = (await waitingFor()).find((one) => one.csms === url);
  if (!own || !(own.messages + own.sessions)) return null;
  return {
    title: t("former.ask_title"),
    body: own.messages
      ? t("former.ask_body", { waiting: inQueue(own), url })
      : say("former.ask_running", { n: own.sessions, url }),
    sessions: null,
    verb: t("former.ask_do"),
    calm: true,
    act: async () => ((await save()) ? t("draft.saved") : ""),
  };
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
