// The authority of a server's certificate: a file, not a line to type.

import { useId, useState } from "preact/hooks";

import { say, t } from "../i18n";
import { at, draft, errorAt, fieldSchema, setValue, type Path } from "../settings";
import { Button, FilePick } from "./basics";
import { FieldError, helpOf, labelOf } from "./fields";

const CA_MOST_B = 64 * 1024;

export function Authority({ path, locked }: { path: Path; locked: boolean }) {
  const [told, setTold] = useState("");
  const id = useId();
  const ca = String(at(draft.value, path) ?? "");
  const count = ca.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
  const error = errorAt(path) ?? told;
  const choose = async (file: File) => {
    const text = file.size > CA_MOST_B ? "" : await file.text();
    const good = text.includes("-----BEGIN CERTIFICATE-----");
    setTold(good ? "" : t("csms.ca_bad", { name: file.name }));
    if (good) setValue(path, text);
  };
  return (
    <fieldset class="field" aria-describedby={`${id}-help`}>
      <legend>{labelOf(path)}</legend>
      <p class="ca-now">{count ? say("csms.ca_own", { n: count }) : t("csms.ca_system")}</p>
      <p class="help" id={`${id}-help`}>
        {helpOf(path, fieldSchema(path))}
      </p>
      {!locked && (
        <div class="note-acts">
          <FilePick accept=".pem,.crt,.cer" onFile={(file) => void choose(file)}>
            {t("csms.ca_choose")}
          </FilePick>
          {count > 0 && (
            <Button kind="quiet" icon="x" onClick={() => setValue(path, "")}>
              {t("csms.ca_none")}
            </Button>
          )}
        </div>
      )}
      {error && <FieldError id={`${id}-error`} text={error} />}
    </fieldset>
  );
}
