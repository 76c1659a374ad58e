// The pages there are, their addresses, and the least level that may open each.

import type { Key } from "./i18n";
import type { IconName } from "./icons";
import { ASSEMBLER, EV, INSTALLER, level } from "./session";

export interface Page {
  id: string;
  to: string;
  name: Key;
  icon: IconName;
  part: Key; // its heading in the sidebar
  level: number;
}

export const PAGES: readonly Page[] = [
  { id: "info", to: "/info", name: "nav.info", icon: "activity", part: "nav.operate", level: EV },
  {
    id: "chargers",
    to: "/chargers",
    name: "nav.chargers",
    icon: "plug-zap",
    part: "nav.operate",
    level: INSTALLER,
  },
  {
    id: "transactions",
    to: "/transactions",
    name: "nav.transactions",
    icon: "list",
    part: "nav.operate",
    level: EV,
  },
  {
    id: "alerts",
    to: "/alerts",
    name: "nav.alerts",
    icon: "triangle-alert",
    part: "nav.operate",
    level: EV,
  },
  {
    id: "configuration",
    to: "/configuration",
    name: "nav.configuration",
    icon: "sliders-horizontal",
    part: "nav.setup",
    level: INSTALLER,
  },
  {
    id: "setup",
    to: "/setup",
    name: "nav.walk",
    icon: "file-check",
    part: "nav.setup",
    level: INSTALLER,
  },
  {
    id: "network",
    to: "/network",
    name: "nav.network",
    icon: "network",
    part: "nav.setup",
    level: INSTALLER,
  },
  {
    id: "payment",
    to: "/payment",
    name: "nav.payment",
    icon: "credit-card",
    part: "nav.setup",
    level: INSTALLER,
  },
  {
    id: "building",
    to: "/building",
    name: "nav.building",
    icon: "building",
    part: "nav.setup",
    level: INSTALLER,
  },
  {
    id: "security",
    to: "/security",
    name: "nav.security",
    icon: "lock",
    part: "nav.system",
    level: EV,
  },
  {
    id: "apikeys", // the address /api is the API's own
    to: "/apikeys",
    name: "nav.api",
    icon: "key",
    part: "nav.system",
    level: INSTALLER,
  },
  {
    id: "admin",
    to: "/admin",
    name: "nav.admin",
    icon: "refresh-cw",
    part: "nav.system",
    level: INSTALLER,
  },
  {
    id: "debug",
    to: "/debug",
    name: "nav.debug",
    icon: "radio",
    part: "nav.system",
    level: INSTALLER,
  },
  {
    id: "proxy",
    to: "/proxy",
    name: "nav.proxy",
    icon: "external-link",
    part: "nav.system",
    level: ASSEMBLER,
  },
  {
    id: "assembler",
    to: "/assembler",
    name: "nav.assembler",
    icon: "layout-grid",
    part: "nav.system",
    level: ASSEMBLER,
  },
];

export const opens = (page: Page): boolean => level() >= page.level;
export const pageOf = (id: string): Page | undefined => PAGES.find((page) => page.id === id);
export const openPages = (): Page[] => PAGES.filter(opens);
