// Payment: what there is of it now, told without pretending.

import { t, type Key } from "../i18n";
import type { IconName } from "../icons";
import { Badge, Card, Icon, Link } from "../parts/basics";
import { Tabbed, type Tab } from "../parts/tabbed";

const TABS: readonly Tab[] = [
  { id: "terminal", name: "pay.terminal", show: Terminal },
  { id: "prices", name: "pay.prices", show: Prices },
  { id: "receipts", name: "pay.receipts", show: Receipts },
];

export function Payment() {
  return <Tabbed page="payment" title="nav.payment" label="pay.tabs" tabs={TABS} />;
}

function Terminal() {
  return (
    <NotThere
      title="pay.terminal"
      text="pay.no_terminal"
      more="pay.no_terminal_more"
      to="/transactions/tags"
      link="pay.to_tags"
      icon="key"
    />
  );
}

function Prices() {
  return (
    <NotThere
      title="pay.prices"
      text="pay.no_prices"
      more="pay.no_prices_more"
      to="/transactions"
      link="pay.to_sessions"
      icon="list"
    />
  );
}

function Receipts() {
  return (
    <NotThere
      title="pay.receipts"
      text="pay.no_receipts"
      more="pay.no_prices_more"
      to="/transactions"
      link="pay.to_sessions"
      icon="list"
    />
  );
}

interface NotThereProps {
  title: Key;
  text: Key; // what there is not, in a sentence
  more: Key; // and what does its work today
  to: string;
  link: Key;
  icon: IconName;
}

/** A part that is still to come: what holds now, and where to go for what there is. */
export function NotThere({ title, text, more, to, link, icon }: NotThereProps) {
  return (
    <Card
      title={t(title)}
      aside={<Badge state={{ tone: "idle", icon: "circle-dashed", word: t("app.not_there") }} />}
    >
      <p>{t(text)}</p>
      <p class="second">{t(more)}</p>
      <p>
        <Link class="button plain" to={to}>
          <Icon name={icon} /> <span>{t(link)}</span>
        </Link>
      </p>
    </Card>
  );
}
