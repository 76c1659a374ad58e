// A page of tabs, each with an address of its own.

import type { ComponentType } from "preact";

import { t, type Key } from "../i18n";
import { segments } from "../route";
import { Link } from "./basics";

export interface Tab {
  id: string;
  name: Key;
  show: ComponentType;
}

interface Props {
  page: string; // the first part of its address
  title: Key;
  label: Key; // of the row of tabs
  tabs: readonly Tab[];
}

export function Tabbed({ page, title, label, tabs }: Props) {
  const [, which] = segments();
  const tab = tabs.find((one) => one.id === which) ?? tabs[0];
  const Show = tab?.show;
  return (
    <>
      <h1>{t(title)}</h1>
      <nav class="tabs" aria-label={t(label)}>
        {tabs.map((one) => (
          <Link key={one.id} to={`/${page}/${one.id}`} current={one === tab}>
            {t(one.name)}
          </Link>
        ))}
      </nav>
      {Show && <Show />}
    </>
  );
}
