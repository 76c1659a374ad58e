// A text field with a list that is searched while typing (the ARIA combobox pattern).

import { useEffect, useRef, useState } from "preact/hooks";

import { say, t } from "../i18n";
import { Icon } from "./basics";

/** Draft undone elsewhere: what was typed goes with it. */
function useForgetting(value: string, forget: () => void): void {
  const last = useRef(value);
  useEffect(() => {
    if (last.current !== value) forget();
    last.current = value;
  }, [value]);
}

const SHOWN_MAX = 60; // of a long list: typing narrows it

interface ComboProps {
  id: string;
  value: string;
  choices: readonly string[];
  onValue: (choice: string) => void;
  onText: (error: string | null) => void;
  described?: string | undefined;
  disabled?: boolean;
  wrong?: boolean;
}

const plain = (text: string): string => text.toLowerCase().replaceAll("_", " ");

function matching(choices: readonly string[], text: string): string[] {
  const words = plain(text).split(/[\s/]+/).filter(Boolean);
  return choices.filter((one) => words.every((word) => plain(one).includes(word)));
}

export function Combo(props: ComboProps) {
  const { id, value, choices } = props;
  const [open, setOpen] = useState(false);
  const [text, setText] = useState<string | null>(null); // while it is no choice
  const [typed, setTyped] = useState(false);
  const [active, setActive] = useState(-1);
  useForgetting(`${value} ${props.wrong}`, () => !props.wrong && setText(null));
  const list = useRef<HTMLUListElement>(null);
  const typing = text ?? value;
  const found = typed ? matching(choices, typing) : choices;
  const at = typed ? 0 : Math.max(0, found.indexOf(value) - 2); // what is set lies in sight
  const shown = found.slice(at, at + SHOWN_MAX);
  const optionId = (place: number) => `${id}-option-${place}`;
  const close = () => {
    setOpen(false);
    setTyped(false);
    setActive(-1);
  };
  const choose = (choice: string) => {
    setText(null);
    props.onText(null);
    props.onValue(choice);
    close();
  };
  /** What is typed in full is chosen; anything else is no value yet. */
  const type = (words: string) => {
    const whole = choices.find((one) => plain(one) === plain(words.trim()));
    setText(whole ? null : words);
    props.onText(whole ? null : t("combo.none"));
    if (whole) props.onValue(whole);
    setOpen(true);
    setTyped(true);
    setActive(-1);
  };
  const move = (by: number) => {
    const next = open ? (active + by + shown.length) % Math.max(1, shown.length) : 0;
    setOpen(true);
    setActive(next);
    list.current?.children[next]?.scrollIntoView({ block: "nearest" });
  };
  const press = (event: KeyboardEvent) => {
    const chosen = shown[active];
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter" && open && chosen) choose(chosen);
    else if (event.key === "Escape" && open) close();
    else return;
    event.preventDefault();
  };
  return (
    <div class="combo">
      <input
        id={id}
        type="text"
        role="combobox"
        autocomplete="off"
        spellcheck={false}
        value={typing}
        disabled={props.disabled}
        aria-expanded={open ? "true" : "false"}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open && active >= 0 ? optionId(active) : undefined}
        aria-describedby={props.described}
        aria-invalid={props.wrong ? "true" : undefined}
        onInput={(event) => type(event.currentTarget.value)}
        onClick={() => setOpen(true)}
        onKeyDown={press}
        onBlur={close}
      />
      <Icon name="chevron-down" size={18} />
      <ul id={`${id}-list`} role="listbox" aria-label={t("combo.list")} hidden={!open} ref={list}>
        {open &&
          shown.map((choice, place) => (
            <li
              key={choice}
              id={optionId(place)}
              role="option"
              aria-selected={choice === value ? "true" : "false"}
              class={place === active ? "active" : ""}
              onPointerDown={(event) => {
                event.preventDefault(); // the field keeps the focus
                choose(choice);
              }}
            >
              {choice.replaceAll("_", " ")}
            </li>
          ))}
      </ul>
      <span class="unseen" role="status">
        {open && typed ? say("combo.n", { n: found.length }) : ""}
      </span>
    </div>
  );
}
