// The small pieces every page is made of: icons, buttons, links, states, notes.

import { Component, type ComponentChildren } from "preact";

import { t } from "../i18n";
import { ICONS, type IconName } from "../icons";
import { mayAct } from "../live";
import { follows, go } from "../route";
import type { State, Tone } from "../site";

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}

interface SteadyProps {
  same: string;
  children: ComponentChildren;
}

/** Draws its children anew only when what they show has changed. */
export class Steady extends Component<SteadyProps> {
  override shouldComponentUpdate(next: SteadyProps): boolean {
    return next.same !== this.props.same;
  }

  override render() {
    return this.props.children;
  }
}

type Kind = "plain" | "primary" | "danger" | "quiet";

interface ButtonProps {
  children?: ComponentChildren;
  icon?: IconName;
  kind?: Kind;
  onClick?: (event: MouseEvent) => void;
  type?: "button" | "submit";
  busy?: boolean;
  disabled?: boolean;
  why?: string | undefined; // off, with this reason
  /** Changes something: off, with the reason, while the figures are old. */
  acts?: boolean;
  label?: string; // where the visible words do not say which
  small?: boolean;
  focus?: boolean; // first in a dialog
}

export function Button(props: ButtonProps) {
  const old = Boolean(props.acts) && !mayAct.value;
  const off = old || props.why || props.disabled || props.busy;
  const press = (event: MouseEvent) => {
    if (off) event.preventDefault();
    else props.onClick?.(event);
  };
  return (
    <button
      type={props.type ?? "button"}
      class={`button ${props.kind ?? "plain"}${props.small ? " small" : ""}`}
      aria-disabled={off ? "true" : undefined}
      aria-label={props.label}
      title={old ? t("stale.reason") : props.why}
      autofocus={props.focus}
      onClick={press}
    >
      {props.icon && <Icon name={props.icon} />}
      {props.children !== undefined && <span>{props.children}</span>}
    </button>
  );
}

interface LinkProps {
  to: string;
  children: ComponentChildren;
  class?: string;
  current?: boolean;
}

export function Link({ to, children, class: look, current }: LinkProps) {
  const click = (event: MouseEvent) => {
    if (!follows(event)) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={to} class={look} aria-current={current ? "page" : undefined} onClick={click}>
      {children}
    </a>
  );
}

/** Icon, word and colour together: never one alone. */
export function Badge({ state }: { state: State }) {
  return (
    <span class={`badge ${state.tone}`}>
      <Icon name={state.icon} size={16} />
      <span>{state.word}</span>
    </span>
  );
}

const NOTE_ICONS: Record<Tone, IconName> = {
  ok: "circle-check",
  limited: "triangle-alert",
  fault: "circle-x",
  idle: "info",
};

interface NoteProps {
  tone: Tone;
  children: ComponentChildren;
  live?: boolean;
  icon?: IconName;
}

export function Note({ tone, children, live, icon }: NoteProps) {
  return (
    <div class={`note ${tone}`} role={live ? (tone === "fault" ? "alert" : "status") : undefined}>
      <Icon name={icon ?? NOTE_ICONS[tone]} />
      <div>{children}</div>
    </div>
  );
}

interface CardProps {
  title?: ComponentChildren;
  aside?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
  id?: string;
  level?: 2 | 3;
}

export function Card({ title, aside, children, class: look, id, level = 2 }: CardProps) {
  const Heading = level === 2 ? "h2" : "h3";
  return (
    <section class={`card ${look ?? ""}`} id={id}>
      {title !== undefined && (
        <header class="card-head">
          <Heading>{title}</Heading>
          {aside}
        </header>
      )}
      {children}
    </section>
  );
}

interface TickProps {
  label: string;
  checked: boolean;
  mixed?: boolean;
  onChange: (checked: boolean) => void;
}

/** A tick-box whose target is 44 px though its box is smaller. */
export function Tick({ label, checked, mixed, onChange }: TickProps) {
  return (
    <label class="tick">
      <input
        type="checkbox"
        checked={checked}
        aria-label={label}
        ref={(box) => {
          if (box) box.indeterminate = Boolean(mixed);
        }}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    </label>
  );
}

interface ChoicesProps<T extends string> {
  label: string;
  value: T;
  choices: readonly { value: T; text: string; icon?: IconName }[];
  onChange: (value: T) => void;
}

/** A few choices side by side, of which one holds. */
export function Choices<T extends string>({ label, value, choices, onChange }: ChoicesProps<T>) {
  return (
    <div class="choices" role="group" aria-label={label}>
      {choices.map((choice) => (
        <button
          type="button"
          key={choice.value}
          aria-pressed={choice.value === value}
          onClick={() => onChange(choice.value)}
        >
          {choice.icon && <Icon name={choice.icon} size={18} />}
          <span>{choice.text}</span>
        </button>
      ))}
    </div>
  );
}

interface FilePickProps {
  children: ComponentChildren;
  accept: string;
  onFile: (file: File) => void;
}

/** A button that chooses a file; the same file may be chosen again. */
export function FilePick({ children, accept, onFile }: FilePickProps) {
  return (
    <label class="button plain file">
      <Icon name="upload" /> <span>{children}</span>
      <input
        class="unseen"
        type="file"
        accept={accept}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = "";
          if (file) onFile(file);
        }}
      />
    </label>
  );
}
