// The application: signs in, keeps the stream, shows the page that the address names.

import { effect, signal } from "@preact/signals";
import { Fragment, render, type ComponentType } from "preact";

import { signedOut } from "./api";
import { startLanguage, t } from "./i18n";
import { startLive, stopLive } from "./live";
import { openPages, opens, PAGES, type Page } from "./menu";
import { Account } from "./pages/account";
import { Info } from "./pages/info";
import { FirstPasswords, SignIn } from "./pages/signin";
import { Button, Card, Icon, Link } from "./parts/basics";
import { PasswordDialog } from "./parts/confirm";
import { DangerDialog, Said } from "./parts/dialog";
import { Explain } from "./parts/explain";
import { go, here, segments } from "./route";
import { level, refreshSession, session, showTheme } from "./session";
import { Header } from "./shell/header";
import { Brand, BrandFoot } from "./shell/brand";
import { LookChoices } from "./pages/account";

// --- pages that come when they are opened --------------------------------------------------------

type Loaded = ComponentType | "failed" | null;
const loaded: Record<string, ReturnType<typeof signal<Loaded>>> = {
  chargers: signal<Loaded>(null),
  configuration: signal<Loaded>(null),
  debug: signal<Loaded>(null),
  setup: signal<Loaded>(null),
  transactions: signal<Loaded>(null),
  security: signal<Loaded>(null),
  apikeys: signal<Loaded>(null),
  alerts: signal<Loaded>(null),
  admin: signal<Loaded>(null),
  assembler: signal<Loaded>(null),
  network: signal<Loaded>(null),
  payment: signal<Loaded>(null),
  building: signal<Loaded>(null),
  proxy: signal<Loaded>(null),
};

const FILES: Record<string, () => Promise<ComponentType>> = {
  chargers: async () => (await import("./pages/chargers")).Chargers,
  configuration: async () => (await import("./pages/configuration")).Configuration,
  debug: async () => (await import("./pages/debug")).Debug,
  setup: async () => (await import("./pages/setup")).Setup,
  transactions: async () => (await import("./pages/transactions")).Transactions,
  security: async () => (await import("./pages/security")).Security,
  apikeys: async () => (await import("./pages/apikeys")).ApiPage,
  alerts: async () => (await import("./pages/alerts")).Alerts,
  admin: async () => (await import("./pages/admin")).Admin,
  assembler: async () => (await import("./pages/assembler")).Assembler,
  network: async () => (await import("./pages/network")).Network,
  payment: async () => (await import("./pages/payment")).Payment,
  building: async () => (await import("./pages/building")).Building,
  proxy: async () => (await import("./pages/proxy")).Proxy,
};

async function load(name: string): Promise<void> {
  const slot = loaded[name];
  if (!slot || (slot.peek() && slot.peek() !== "failed")) return;
  try {
    const shown = await FILES[name]?.();
    slot.value = shown ?? "failed";
  } catch {
    slot.value = "failed";
  }
}

function Later({ name }: { name: string }) {
  const slot = loaded[name]?.value;
  if (slot === "failed") {
    return (
      <Card title={t("app.failed")}>
        <Button icon="refresh-cw" onClick={() => location.reload()}>
          {t("app.again")}
        </Button>
      </Card>
    );
  }
  if (!slot) {
    void load(name);
    return (
      <div class="waiting" aria-busy="true">
        <div class="bone" />
        <div class="bone tall" />
      </div>
    );
  }
  const Page_ = slot;
  return <Page_ />;
}

function Place() {
  const first = segments()[0] ?? "info";
  if (first === "account") return <Account />;
  const page = PAGES.find((one) => one.id === first);
  if (!page) return <Missing text={t("app.not_found")} />;
  if (!opens(page)) return <Missing text={t("app.not_allowed")} />;
  return page.id === "info" ? <Info /> : <Later name={page.id} />;
}

function Missing({ text }: { text: string }) {
  return (
    <Card class="empty">
      <h1>{text}</h1>
      <p>
        <Link class="button primary" to="/info">
          <span>{t("app.to_info")}</span>
        </Link>
      </p>
    </Card>
  );
}

// --- the frame -----------------------------------------------------------------------------------

const BALANCING = "/configuration/balancing";

function Sidebar() {
  const first = segments()[0] ?? "info";
  const balancing = `/${segments().join("/")}` === BALANCING;
  const parts = [...new Set(openPages().map((page) => page.part))];
  return (
    <aside class="side">
      <span class="side-brand">
        <Brand />
      </span>
      <nav aria-label={t("nav.main")}>
        {parts.map((part) => (
          <div key={part} class="side-part">
            <span class="side-title">{t(part)}</span>
            {openPages()
              .filter((page) => page.part === part)
              .map((page) => (
                <Fragment key={page.id}>
                  <MenuLink page={page} current={page.id === first && !balancing} />
                  {page.id === "configuration" && <BalancingLink current={balancing} />}
                </Fragment>
              ))}
          </div>
        ))}
        <div class="side-part">
          <Link to="/account" current={first === "account"}>
            <Icon name="user" /> <span>{t("nav.account")}</span>
          </Link>
        </div>
      </nav>
      <div class="side-foot">
        <LookChoices />
      </div>
    </aside>
  );
}

function MenuLink({ page, current }: { page: Page; current: boolean }) {
  return (
    <Link to={page.to} current={current}>
      <Icon name={page.icon} /> <span>{t(page.name)}</span>
    </Link>
  );
}

/** Of the tabs of Configuration the one that people look for. */
function BalancingLink({ current }: { current: boolean }) {
  return (
    <Link to={BALANCING} current={current} class="inner">
      <span>{t("conf.balancing")}</span>
    </Link>
  );
}

/** Phones: the first pages below the thumb, the rest behind More. */
function BottomBar() {
  const first = segments()[0] ?? "info";
  const shown = openPages().filter((page) => page.part === "nav.operate"); // four at the most
  const more = !shown.some((page) => page.id === first);
  return (
    <nav class="bottom" aria-label={t("nav.main")}>
      {shown.map((page) => (
        <MenuLink key={page.id} page={page} current={page.id === first} />
      ))}
      <Link to="/account" current={more}>
        <Icon name="ellipsis" /> <span>{t("nav.more")}</span>
      </Link>
    </nav>
  );
}

function Frame() {
  return (
    <div class="frame">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        {t("app.skip")}
      </a>
      <Sidebar />
      <div class="body">
        <Header />
        <main id="main" tabIndex={-1}>
          <Place />
        </main>
        <BrandFoot />
      </div>
      <BottomBar />
      <Explain />
    </div>
  );
}

const unreachable = signal(false);

function App() {
  const now = session.value;
  const inside = Boolean(now?.account) && !now?.must_change;
  return (
    <>
      {!now && <Start />}
      {now && !now.account && <SignIn />}
      {now?.account && now.must_change && <FirstPasswords />}
      {inside && <Frame />}
      <DangerDialog />
      <PasswordDialog />
      <Said />
    </>
  );
}

function Start() {
  return (
    <main class="gate" id="main" aria-busy="true">
      <Brand large />
      <p role="status">{unreachable.value ? t("app.unreachable") : t("app.starting")}</p>
    </main>
  );
}

// --- starting ------------------------------------------------------------------------------------

const AGAIN_MS = 3_000;

async function begin(): Promise<void> {
  try {
    await refreshSession();
    unreachable.value = false;
  } catch {
    unreachable.value = true;
    setTimeout(() => void begin(), AGAIN_MS);
  }
}

let streaming: boolean | undefined;

effect(() => {
  // the account alone decides: every other change of the session leaves the stream be
  const inside = Boolean(session.value?.account) && !session.value?.must_change;
  if (inside === streaming) return;
  streaming = inside;
  if (inside) startLive();
  else stopLive();
});

effect(() => {
  if (signedOut.value) refreshSession().catch(() => undefined);
});

effect(() => {
  const page = PAGES.find((one) => one.id === segments()[0]);
  const name = session.value?.account ? t(page?.name ?? "nav.account") : t("sign.title");
  document.title = `${name} · ${session.value?.site || t("app.name")}`;
});

showTheme();
if (here.peek().split("?")[0] === "/" || segments()[0] === "signin") go("/info", true);
void startLanguage().then(() => {
  render(<App />, document.body);
  void begin();
});

// what levels beyond the first will open next is fetched while the line is idle
effect(() => {
  if (level() > 1) setTimeout(() => void load("chargers"), 4_000);
});
