// The brand: a mark and the name.

import { t } from "../i18n";

export function Brand({ large }: { large?: boolean }) {
  return (
    <span class={large ? "brand large" : "brand"}>
      <svg
        class="brand-mark"
        viewBox="0 0 32 32"
        width={large ? 44 : 30}
        height={large ? 44 : 30}
        aria-hidden="true"
      >
        <rect class="brand-back" width="32" height="32" rx="9" />
        <path class="brand-ray" d="M8 9v14h8M13 15.5l5-6.5v5h6l-5 7v-5.5z" />
      </svg>
      <span class="brand-name">{t("app.name")}</span>
    </span>
  );
}
