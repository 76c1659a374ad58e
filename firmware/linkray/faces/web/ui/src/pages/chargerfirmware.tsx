// Chargers, Firmware: at most five files held here, and the chargers that fetch one of them.

import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { moment } from "../format";
import { given, number, say, t } from "../i18n";
import { snapshot } from "../live";
import { Badge, Button, Card, FilePick, Icon, Link, Note, Tick } from "../parts/basics";
import { announce, askDanger, inWords } from "../parts/dialog";
import { byName, nameOf, type State } from "../site";
import type { Charger, FirmwareShelf, FirmwareUpdate } from "../words";
import { chargerPath } from "./onecharger";

const LOOK_MS = 3_000;
const MIB = 1024 * 1024;

const size = (bytes: number): string =>
  bytes < MIB
    ? t("debug.kib", { v: number(bytes / 1024, 1) })
    : t("fw.mib", { v: number(bytes / MIB, 1) });

export function FirmwareTab() {
  const [shelf, setShelf] = useState<FirmwareShelf | null>(null);
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState("");
  const read = () =>
    call<FirmwareShelf>("GET", "/charger-firmware").then(
      (answer) => setShelf(answer.body),
      (problem) => setFailed(inWords(problem)),
    );
  useEffect(() => {
    void read();
    const timer = setInterval(() => void read(), LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const hold = async (file: File) => {
    setFailed(shelf ? trouble(shelf, file) : "");
    if (!shelf || trouble(shelf, file)) return;
    setBusy(file.name);
    try {
      const path = `/charger-firmware/files/${encodeURIComponent(file.name)}`;
      setShelf((await call<FirmwareShelf>("POST", path, undefined, { file })).body);
      announce(t("fw.held", { name: file.name }));
    } catch (problem) {
      setFailed(inWords(problem));
    }
    setBusy("");
  };
  if (!shelf) return failed ? <Note tone="fault">{failed}</Note> : <p>{t("draft.loading")}</p>;
  const full = shelf.files.length >= shelf.files_max;
  return (
    <>
      <Card title={t("fw.files", { n: String(shelf.files.length), most: String(shelf.files_max) })}>
        <p class="second">{t("fw.more", { size: size(shelf.bytes_max) })}</p>
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        <ul class="fw-files">
          {shelf.files.map((file) => (
            <li key={file.name}>
              <span class="fw-name">
                <b>{file.name}</b>
                <span class="second">
                  {size(file.size_bytes)} · {moment(file.at)} · {file.by}
                </span>
                <code class="second fw-hash">SHA-256 {file.sha256.slice(0, 16)}…</code>
              </span>
              <Button
                kind="quiet"
                icon="trash"
                label={t("fw.delete", { name: file.name })}
                onClick={() => askDelete(file.name, setShelf)}
              />
            </li>
          ))}
        </ul>
        {busy && <p role="status">{t("fw.uploading", { name: busy })}</p>}
        {!busy && !full && (
          <div class="note-acts">
            <FilePick accept="" onFile={(file) => void hold(file)}>
              {t("fw.upload")}
            </FilePick>
          </div>
        )}
        {full && <p class="second">{t("fw.full")}</p>}
      </Card>
      {shelf.files.length > 0 && <Update shelf={shelf} onTold={setShelf} />}
      <Updates updates={shelf.updates} />
    </>
  );
}

/** What is wrong with a file before a byte of it is sent. */
function trouble(shelf: FirmwareShelf, file: File): string {
  if (!file.size) return t("fw.empty");
  if (file.size > shelf.bytes_max) return t("fw.large", { size: size(shelf.bytes_max) });
  if (!/^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/.test(file.name)) return t("fw.name");
  if (shelf.files.some((one) => one.name === file.name)) return t("fw.twice", { name: file.name });
  return "";
}

function askDelete(name: string, done: (shelf: FirmwareShelf) => void): void {
  askDanger({
    title: t("fw.delete_title", { name }),
    body: t("fw.delete_body"),
    sessions: null,
    verb: t("fw.delete_do"),
    act: async () => {
      const path = `/charger-firmware/files/${encodeURIComponent(name)}`;
      done((await call<FirmwareShelf>("DELETE", path)).body);
      return t("fw.deleted", { name });
    },
  });
}

const charges = (charger: Charger): boolean =>
  charger.connectors.some((connector) => connector.transaction_id !== null);

interface UpdateProps {
  shelf: FirmwareShelf;
  onTold: (shelf: FirmwareShelf) => void;
}

/** A file, and the chargers that are to fetch it; who cannot now says why. */
function Update({ shelf, onTold }: UpdateProps) {
  const [file, setFile] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(
    () => new Set(new URL(location.href).searchParams.getAll("id")), // from the list
  );
  const all = byName(snapshot.value?.chargers ?? []);
  const name = shelf.files.some((one) => one.name === file) ? file : (shelf.files[0]?.name ?? "");
  const ids = all.filter((one) => chosen.has(one.id)).map((one) => one.id);
  const pick = (id: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  const ask = () =>
    askDanger({
      title: say("fw.update_title", { n: ids.length, name }),
      body: t("fw.update_body"),
      sessions: null,
      verb: t("fw.update_do"),
      act: async () => {
        const body = { name, chargers: ids };
        const told = await call<FirmwareShelf>("POST", "/charger-firmware/update", body, {
          charger: true,
        });
        onTold(told.body);
        setChosen(new Set());
        return t("fw.told");
      },
    });
  return (
    <Card title={t("fw.update")}>
      <fieldset class="fw-choice">
        <legend>{t("fw.which_file")}</legend>
        {shelf.files.map((one) => (
          <label key={one.name}>
            <input
              type="radio"
              name="firmware-file"
              checked={one.name === name}
              onChange={() => setFile(one.name)}
            />
            <span>{one.name}</span>
          </label>
        ))}
      </fieldset>
      <ul class="fw-chargers">
        {all.map((one) => (
          <li key={one.id}>
            <Tick
              label={t("chargers.select", { name: nameOf(one) })}
              checked={chosen.has(one.id)}
              onChange={(on) => pick(one.id, on)}
            />
            <span class="fw-name">
              <b>{nameOf(one)}</b>
              <span class="second">
                {[one.vendor, one.model, one.firmware].filter(Boolean).join(" · ") || "–"}
              </span>
            </span>
            <span class="second">
              {!one.connected ? t("fw.offline") : charges(one) ? t("fw.charging") : ""}
            </span>
          </li>
        ))}
      </ul>
      <div class="note-acts">
        <Button
          acts
          kind="primary"
          icon="download"
          why={ids.length ? undefined : t("fw.none_chosen")}
          onClick={ask}
        >
          {say("fw.update_n", { n: ids.length })}
        </Button>
      </div>
    </Card>
  );
}

function looks(update: FirmwareUpdate): State {
  const word = say(`fw.state.${update.state}`);
  if (update.state === "Installed") return { tone: "ok", icon: "circle-check", word };
  if (["left_out", "over"].includes(update.state))
    return { tone: "limited", icon: "triangle-alert", word };
  if (["refused", "DownloadFailed", "InstallationFailed"].includes(update.state))
    return { tone: "fault", icon: "circle-x", word };
  return { tone: "idle", icon: "hourglass", word };
}

function Updates({ updates }: { updates: readonly FirmwareUpdate[] }) {
  if (!updates.length) return null;
  const names = new Map(snapshot.value?.chargers.map((one) => [one.id, nameOf(one)]));
  return (
    <Card title={t("fw.updates")}>
      <ul class="fw-updates">
        {updates.map((one) => (
          <li key={one.charger}>
            <Link class="charger-name" to={chargerPath(one.charger)}>
              <b>{names.get(one.charger) ?? one.charger}</b>
              <span class="second">{one.file}</span>
            </Link>
            <Badge state={looks(one)} />
            <span class="second">
              {[
                given(one.text),
                one.now &&
                  (one.before === one.now
                    ? t("fw.version", { now: one.now })
                    : t("fw.versions", { before: one.before || "?", now: one.now })),
                moment(one.at),
              ]
                .filter(Boolean)
                .join(" · ")}
            </span>
          </li>
        ))}
      </ul>
      <p class="second">
        <Icon name="info" size={18} /> {t("fw.wait")}
      </p>
    </Card>
  );
}
