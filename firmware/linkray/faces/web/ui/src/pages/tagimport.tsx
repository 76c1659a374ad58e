// The file of tags: looked through first, every bad line named, taken over whole or not at all.

import { useState } from "preact/hooks";

import { call } from "../api";
import { number, say, t } from "../i18n";
import { Button, Card, Choices, FilePick, Icon, Note } from "../parts/basics";
import { announce, inWords } from "../parts/dialog";
import { go } from "../route";
import type { TagsImport } from "../words";

const MOST_B = 4 * 1024 * 1024; // the server's

interface Chosen {
  name: string;
  file: Blob;
}

export function Import() {
  const [how, setHow] = useState<"add" | "replace">("add");
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [preview, setPreview] = useState<TagsImport | null>(null);
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const send = async (file: Blob, way: typeof how, check: boolean) => {
    const asked = new URLSearchParams({
      check: check ? "1" : "0",
      replace: way === "replace" ? "1" : "0",
    });
    return (await call<TagsImport>("POST", `/tags/import?${asked}`, undefined, { file, media: "text/csv" })).body;
  };
  const look = async (next: Chosen, way: typeof how) => {
    setChosen(next);
    setPreview(null);
    setFailed(next.file.size > MOST_B ? t("import.large") : "");
    if (next.file.size > MOST_B) return;
    setBusy(true);
    try {
      setPreview(await send(next.file, way, true));
    } catch (problem) {
      setFailed(inWords(problem));
    }
    setBusy(false);
  };
  const take = async () => {
    if (!chosen) return;
    setBusy(true);
    try {
      const came = await send(chosen.file, how, false);
      announce(say("import.done", { n: came.new + came.changed }));
      go("/transactions/tags");
    } catch (problem) {
      setFailed(inWords(problem));
      setBusy(false);
    }
  };
  return (
    <Card title={t("import.title")} class="tag-file">
      <p class="second">{t("import.more")}</p>
      <p>
        <code>TAG,Name,Type,Allowed,Expiry</code>
      </p>
      <Choices
        label={t("import.how")}
        value={how}
        choices={[
          { value: "add", text: t("import.add") },
          { value: "replace", text: t("import.replace") },
        ]}
        onChange={(way) => {
          setHow(way);
          if (chosen) void look(chosen, way);
        }}
      />
      <div class="note-acts">
        <FilePick
          accept=".csv,.txt,text/csv,text/plain"
          onFile={(file) => void look({ name: file.name, file }, how)}
        >
          {t("import.choose")}
        </FilePick>
        <a class="button plain" href="/api/v1/tags/export" download>
          <Icon name="download" /> <span>{t("tags.export")}</span>
        </a>
      </div>
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {chosen && preview && <Preview name={chosen.name} preview={preview} />}
      {preview && !preview.bad_count && (
        <p>
          <Button
            acts
            kind={preview.gone ? "danger" : "primary"}
            icon="check"
            busy={busy}
            why={preview.new + preview.changed + preview.gone ? undefined : t("import.nothing")}
            onClick={() => void take()}
          >
            {t("import.do")}
          </Button>
        </p>
      )}
    </Card>
  );
}

function Preview({ name, preview }: { name: string; preview: TagsImport }) {
  const bad = preview.bad_count;
  if (bad) {
    return (
      <Note tone="fault" live>
        <p>
          <b>{say("import.bad", { n: bad, name })}</b>
        </p>
        <ul class="bad-lines">
          {preview.bad.map((one) => (
            <li key={one.line}>
              <b class="figure">{t("import.line", { line: number(one.line, 0) })}</b>
              <code>
                <bdi>{one.text}</bdi>
              </code>
              <span>{one.reason}</span>
            </li>
          ))}
        </ul>
        {preview.bad.length < bad && <p>{say("import.bad_more", { n: bad - preview.bad.length })}</p>}
      </Note>
    );
  }
  const parts = (["new", "changed", "same", "gone"] as const).filter((part) => preview[part] > 0);
  return (
    <Note tone={preview.gone ? "limited" : "ok"} live>
      <p>
        <b>{say("import.good", { n: preview.tags, name })}</b>
      </p>
      <ul>
        {parts.map((part) => (
          <li key={part}>{say(`import.${part}`, { n: preview[part] })}</li>
        ))}
      </ul>
    </Note>
  );
}
