// A report that the box prints: one page, opened or saved, in the language of these pages.

import { lang, t } from "../i18n";
import { Icon } from "./basics";

export function ReportLinks({ of }: { of: "maintenance" | "commissioning" }) {
  const address = `/api/v1/${of}-report?lang=${lang.value}`;
  return (
    <p class="note-acts">
      <a class="button plain" href={address} target="_blank" rel="noreferrer">
        <Icon name="file-check" /> <span>{t("admin.report_open")}</span>
      </a>
      <a class="button plain" href={address} download={`linkray-${of}-report.html`}>
        <Icon name="download" /> <span>{t("admin.report_save")}</span>
      </a>
    </p>
  );
}
