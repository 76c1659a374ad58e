// The certificate of the pages: what is shown now, another one, a request for one, back to our own.

import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { moment } from "../format";
import { given, t } from "../i18n";
import { Badge, Button, Card, FilePick, Icon, Note } from "../parts/basics";
import { withPassword } from "../parts/confirm";
import { announce, askDanger, inWords } from "../parts/dialog";
import { Field, TextInput } from "../parts/fields";
import type { State } from "../site";
import type { Certificate } from "../words";
import { Clients } from "./clients";

const SOON_MS = 30 * 24 * 3600 * 1000;

export function CertificatesTab() {
  const [now, setNow] = useState<Certificate | null>(null);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    call<Certificate>("GET", "/certificate").then(
      (answer) => setNow(answer.body),
      (problem) => setFailed(inWords(problem)),
    );
  }, []);
  return (
    <>
      {failed && <Note tone="fault">{failed}</Note>}
      {now && (
        <div class="pair">
          <InForce now={now} onChange={setNow} />
          <div class="stack">
            <Upload now={now} onChange={setNow} />
            <Request now={now} onChange={setNow} />
          </div>
        </div>
      )}
      <Clients />
    </>
  );
}

interface PartProps {
  now: Certificate;
  onChange: (now: Certificate) => void;
}

function stateOf(expires: string): State {
  const left = Date.parse(expires) - Date.now();
  if (left <= 0) return { tone: "fault", icon: "circle-x", word: t("cert.expired") };
  if (left <= SOON_MS) return { tone: "limited", icon: "clock", word: t("cert.soon") };
  return { tone: "ok", icon: "circle-check", word: t("cert.valid") };
}

function Facts({ of }: { of: Certificate }) {
  const rows: [string, string][] = [
    [t("cert.subject"), of.subject],
    [t("cert.issuer"), of.self_made ? t("cert.this_box") : of.issuer],
    [t("cert.names"), of.names.join(", ") || "–"],
    [t("cert.expires"), moment(of.expires)],
    [t("cert.key"), of.key],
    [t("cert.fingerprint"), of.fingerprint],
  ];
  return (
    <dl class="facts rows">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function InForce({ now, onChange }: PartProps) {
  const back = () =>
    askDanger({
      title: t("cert.back_title"),
      body: t("cert.back_body"),
      sessions: null,
      verb: t("cert.back"),
      act: async () => {
        onChange((await withPassword(() => call<Certificate>("DELETE", "/certificate"))).body);
        return t("cert.back_done");
      },
    });
  return (
    <Card title={t("cert.now")} aside={<Badge state={stateOf(now.expires)} />}>
      <Facts of={now} />
      <p class="second">{t(now.self_made ? "cert.self_made" : "cert.uploaded")}</p>
      <p class="note-acts">
        <a class="button plain" href="/api/v1/certificate/file" download="linkray.pem">
          <Icon name="download" /> <span>{t("cert.download")}</span>
        </a>
        {!now.self_made && (
          <Button acts kind="danger" icon="undo-2" onClick={back}>
            {t("cert.back")}
          </Button>
        )}
      </p>
    </Card>
  );
}

interface Chosen {
  name: string;
  text: string;
}

function Upload({ now, onChange }: PartProps) {
  const [certificate, setCertificate] = useState<Chosen | null>(null);
  const [key, setKey] = useState<Chosen | null>(null);
  const [seen, setSeen] = useState<Certificate | null>(null);
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const body = { certificate: certificate?.text ?? "", key: key?.text ?? "" };
  const ready = Boolean(certificate && (key || now.request));
  const send = async (check: boolean) => {
    setBusy(true);
    setFailed("");
    try {
      const told = await call<Certificate>("POST", `/certificate${check ? "?check=1" : ""}`, body);
      setSeen(check ? told.body : null);
      if (!check) {
        setCertificate(null);
        setKey(null);
        onChange((await call<Certificate>("GET", "/certificate")).body);
        announce(t("cert.taken"));
      }
    } catch (problem) {
      setSeen(null);
      setFailed(inWords(problem));
    }
    setBusy(false);
  };
  useEffect(() => {
    setSeen(null);
    setFailed("");
    if (ready) void send(true);
  }, [certificate, key, now.request]);
  const read = (put: (chosen: Chosen) => void) => async (file: File) =>
    put({ name: file.name, text: await file.text() });
  return (
    <Card title={t("cert.upload")}>
      <p class="second">{t(now.request ? "cert.upload_request" : "cert.upload_more")}</p>
      <p class="note-acts">
        <FilePick accept=".pem,.crt,.cer" onFile={read(setCertificate)}>
          {certificate?.name ?? t("cert.choose")}
        </FilePick>
        <FilePick accept=".pem,.key" onFile={read(setKey)}>
          {key?.name ?? t("cert.choose_key")}
        </FilePick>
      </p>
      {busy && <p role="status">{t("files.checking")}</p>}
      {failed && (
        <Note tone="fault" live>
          {failed}
        </Note>
      )}
      {seen && (
        <>
          <Note tone={seen.notes.length ? "limited" : "ok"} live>
            <p>{t("cert.good")}</p>
            {seen.notes.map((note) => (
              <p key={note}>{given(note)}</p>
            ))}
          </Note>
          <Facts of={seen} />
          <p>
            <Button
              acts
              kind="primary"
              icon="file-check"
              busy={busy}
              onClick={() => void send(false)}
            >
              {t("cert.take")}
            </Button>
          </p>
        </>
      )}
    </Card>
  );
}

function Request({ now, onChange }: PartProps) {
  const host = now.hosts[1] ?? now.hosts[0] ?? "";
  const [name, setName] = useState(host);
  const [also, setAlso] = useState(
    now.hosts.filter((one) => one !== host && isOutside(one)).join(", "),
  );
  const [organisation, setOrganisation] = useState("");
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const ask = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailed("");
    try {
      const names = also.split(/[\s,;]+/).filter((one) => one && one !== name);
      const made = await call<Certificate>("POST", "/certificate/request", {
        name: name.trim(),
        also: names,
        organisation: organisation.trim(),
      });
      onChange(made.body);
      announce(t("cert.request_made"));
    } catch (problem) {
      setFailed(inWords(problem));
    }
    setBusy(false);
  };
  return (
    <Card title={t("cert.request")}>
      <p class="second">{t("cert.request_more")}</p>
      {now.request && (
        <Note tone="idle">
          <p>{t("cert.request_waits")}</p>
          <p>
            <a class="button plain" href="/api/v1/certificate/request" download="linkray.csr">
              <Icon name="download" /> <span>{t("cert.request_download")}</span>
            </a>
          </p>
        </Note>
      )}
      <form class="form" onSubmit={ask}>
        <Line label={t("cert.host")} value={name} onValue={setName} />
        <Line label={t("cert.also")} value={also} onValue={setAlso} />
        <Line label={t("cert.organisation")} value={organisation} onValue={setOrganisation} />
        {failed && (
          <Note tone="fault" live>
            {failed}
          </Note>
        )}
        <p>
          <Button acts type="submit" icon="lock" busy={busy}>
            {t(now.request ? "cert.request_again" : "cert.request_do")}
          </Button>
        </p>
      </form>
    </Card>
  );
}

interface LineProps {
  label: string;
  value: string;
  onValue: (value: string) => void;
}

function Line({ label, value, onValue }: LineProps) {
  return (
    <Field label={label}>
      {(ids) => (
        <TextInput id={ids.id} described={ids.described} value={value} onValue={onValue} />
      )}
    </Field>
  );
}

/** What others may call this box: no loopback, no address that holds on one cable alone. */
function isOutside(host: string): boolean {
  return !/^(localhost$|127\.|::1$|fe80:)/i.test(host);
}
