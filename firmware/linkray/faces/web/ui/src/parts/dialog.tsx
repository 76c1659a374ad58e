// One dialog for everything; one pattern for danger: object, consequence, running sessions.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";

import { Problem } from "../api";
import { given, say, t } from "../i18n";
import { Button, Icon, Note } from "./basics";

interface DialogProps {
  title: ComponentChildren;
  onClose: () => void;
  children: ComponentChildren;
  danger?: boolean;
  wide?: boolean;
}

/** Modal: the browser traps the focus; closing gives it back to where it was. */
export function Dialog({ title, onClose, children, danger, wide }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useLayoutEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    box.current?.showModal();
    return () => {
      box.current?.close();
      if (before?.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={box}
      class={wide ? "wide" : ""}
      role={danger ? "alertdialog" : undefined}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === box.current) onClose();
      }}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={heading}>{title}</h2>
          <Button kind="quiet" icon="x" label={t("dialog.close")} onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

export interface Danger {
  title: string;
  body: string;
  /** Running sessions that end; null where none can. */
  sessions: number | null;
  verb: string;
  calm?: boolean; // a step to confirm that takes nothing away
  act: () => Promise<string>; // what to say when it is done
}

const asked = signal<Danger | null>(null);

export function askDanger(danger: Danger): void {
  asked.value = danger;
}

/** The visitor would not give the password again. */
export class Declined extends Error {}

/** Why, where the words before it say already that it was refused. */
export function reason(problem: unknown): string {
  const said = problem instanceof Problem && problem.status > 403 && problem.detail;
  return said ? given(said) : inWords(problem);
}

/** A problem in the visitor's words. */
export function inWords(problem: unknown): string {
  if (problem instanceof Declined) return t("confirm.declined");
  if (!(problem instanceof Problem)) return String(problem);
  if (problem.status === 0) {
    return problem.title === "timeout" ? t("error.timeout") : t("error.unreachable");
  }
  if (problem.status === 401) return t("error.session");
  if (problem.status === 403 && !problem.detail) return t("error.forbidden");
  if (problem.detail) return t("error.refused", { detail: given(problem.detail) });
  return t("error.other", { status: String(problem.status), detail: given(problem.title) });
}

export function DangerDialog() {
  const danger = asked.value;
  return danger && <Confirm key={danger.title} danger={danger} />;
}

function Confirm({ danger }: { danger: Danger }) {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState("");
  const close = () => {
    asked.value = null;
  };
  const act = async () => {
    if (busy) return;
    setBusy(true);
    setFailed("");
    try {
      announce(await danger.act());
      close();
    } catch (problem) {
      setFailed(inWords(problem));
      setBusy(false);
    }
  };
  return (
    <Dialog title={danger.title} onClose={close} danger>
      <p>{danger.body}</p>
      {danger.sessions !== null && (
        <p class="consequence">
          <Icon name={danger.sessions ? "triangle-alert" : "circle-check"} />
          <b>
            {danger.sessions
              ? say("danger.sessions", { n: danger.sessions })
              : t("danger.no_sessions")}
          </b>
        </p>
      )}
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      <footer class="dialog-foot">
        <Button onClick={close} focus>
          {t("dialog.cancel")}
        </Button>
        <Button kind={danger.calm ? "primary" : "danger"} busy={busy} onClick={() => void act()}>
          {busy ? t("dialog.working") : danger.verb}
        </Button>
      </footer>
    </Dialog>
  );
}

// --- what has just been done, said once ---------------------------------------------------------

const SAID_MS = 7_000;
const said = signal<{ text: string; fault: boolean } | null>(null);
let silence: ReturnType<typeof setTimeout> | undefined;

export function announce(text: string, fault = false): void {
  clearTimeout(silence);
  said.value = text ? { text, fault } : null;
  silence = setTimeout(() => {
    said.value = null;
  }, SAID_MS);
}

export function Said() {
  const now = said.value;
  return (
    <div class="said" role="status" aria-live="polite">
      {now && (
        <div class={`note ${now.fault ? "fault" : "ok"}`}>
          <Icon name={now.fault ? "circle-x" : "circle-check"} />
          <div>{now.text}</div>
          <Button
            kind="quiet"
            small
            icon="x"
            label={t("dialog.close")}
            onClick={() => announce("")}
          />
        </div>
      )}
    </div>
  );
}
