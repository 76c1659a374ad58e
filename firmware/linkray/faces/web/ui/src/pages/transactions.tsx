// Transactions: the frame of its tabs.

import { t } from "../i18n";
import { TagsTab } from "./tags";

export function Transactions() {
  return (
    <>
      <h1>{t("nav.transactions")}</h1>
      <TagsTab />
    </>
  );
}
