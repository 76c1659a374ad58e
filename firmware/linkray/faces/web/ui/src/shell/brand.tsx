// The brand: a mark and the name, or what an Assembler has put there.

import { t } from "../i18n";
import { session } from "../session";

export function Brand({ large }: { large?: boolean }) {
  const own = session.value?.brand;
  if (own?.image || own?.head_text) {
    const [width, height] = own.image_px;
    return (
      <span class={`brand${large ? " large" : ""}${own.reverse ? " reverse" : ""}`}>
        {own.image && (
          <img
            class="brand-picture"
            src={own.image}
            width={width}
            height={height}
            alt={own.head_text ? "" : t("brand.picture")}
          />
        )}
        {own.head_text && <span class="brand-name">{own.head_text}</span>}
      </span>
    );
  }
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

/** The line below everything. */
export function BrandFoot() {
  const text = session.value?.brand?.foot_text;
  return text ? <footer class="brand-foot">{text}</footer> : null;
}
