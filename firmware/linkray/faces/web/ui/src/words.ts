// The JSON that LinkRay speaks: the same words as `linkray.model`, nothing added.

export type Phases = [number, number, number];
export type PhaseName = "L1" | "L2" | "L3";
export const PHASES: readonly PhaseName[] = ["L1", "L2", "L3"];

export type Code =
  | "charger_max"
  | "charger_min"
  | "unit_rounding"
  | "no_car"
  | "car_not_asking"
  | "car_draws_less"
  | "not_authorised"
  | "tag_rejected"
  | "payment_pending"
  | "schedule"
  | "csms_profile"
  | "fair_share"
  | "spare_redistributed"
  | "fifo_queue"
  | "lower_priority"
  | "group_limit"
  | "site_limit"
  | "building_load"
  | "raise_hold"
  | "meter_lost_half"
  | "degraded_limit"
  | "unreachable_reserved"
  | "charger_fault"
  | "charger_updating"
  | "licence"
  | "emergency_stop"
  | "supply_limit"
  | "imbalance"
  | "turn"
  | "wait_for_cut"
  | "fail_safe"
  | "not_adopted"
  | "site_overloaded"
  | "engineering_ceiling";

export interface Reason {
  code: Code;
  phase?: string | null;
  group?: string | null;
  charger?: string | null;
  connector?: number | null;
  place?: number | null;
  seconds?: number | null;
  ma?: number | null;
  by?: string | null;
}

export interface Ceiling extends Omit<Reason, "ma"> {
  ma: Phases;
  binding: boolean;
}

export interface Offer {
  charger: string;
  connector: number;
  offer_ma: Phases;
  drawn_ma: Phases | null;
  reason: Reason;
  ceilings: Ceiling[];
  wanted_ma?: number; // what it could use, per phase
  next_look_s?: number | null;
  high?: boolean;
  reserve?: Reserve | null;
}

/** What is kept back for a connector that cannot be told. */
export interface Reserve {
  may_ma: Phases; // what it may draw at most, whoever sees it
  ma: Phases; // kept of its nearest limit
  site_ma: Phases; // kept of the site's
}

/** The meter is back, and what held without it does so until then. */
export interface Held {
  until: string;
  phases: PhaseName[];
}

/** One change of a connector's offer, as `…/history` tells it. */
export interface OfferChange {
  at: string;
  from_ma: Phases | null;
  to_ma: Phases;
  reason: Reason;
}

/** One limit of the tree with what is under it. */
export interface NodeRoom {
  code: Code; // site_limit, group_limit or supply_limit
  name: string; // of the group or charger; empty: the site
  limit_ma: Phases;
  building_ma: Phases;
  reserved_ma: Phases;
  promised_ma: Phases;
  drawn_ma: Phases;
  drawn_reserve_ma?: Phases; // of what is reserved, what is drawn too
}

export type Status =
  | "Available"
  | "Preparing"
  | "Charging"
  | "SuspendedEVSE"
  | "SuspendedEV"
  | "Finishing"
  | "Reserved"
  | "Unavailable"
  | "Faulted";

export interface Connector {
  id: number;
  status: Status | null;
  transaction_id: number | null;
  offer_ma: Phases | null;
  drawn_ma: Phases | null;
  energy_wh: number | null;
  tag: string | null;
  started: string | null;
  source: string | null;
}

export interface Charger {
  id: string;
  name: string;
  connected: boolean;
  vendor: string;
  model: string;
  firmware: string;
  firmware_since: string;
  serial: string;
  address: string;
  priority: "normal" | "high";
  group: string | null;
  connectors: Connector[];
  since: string;
  quirk: string | null;
  notes: string[];
  deviations: number;
  profile_writes: number;
  licensed: boolean;
  passport?: PassportLine[];
  probing?: string;
  writes_a_day?: number | null;
}

export interface ChargerKey {
  key: string;
  value: string | null;
  readonly: boolean;
  ours?: boolean;
  secret?: boolean;
}

export interface ChargerSaid {
  status: string;
  text: string;
}

export interface DiagnosticsView {
  charger: string;
  state: string;
  at: string;
  name: string;
  size_bytes: number;
}

export interface FirmwareUpdate {
  charger: string;
  file: string;
  state: string;
  at: string;
  text: string;
  before: string;
  now: string;
}

export interface FirmwareShelf {
  files: { name: string; size_bytes: number; sha256: string; at: string; by: string }[];
  updates: FirmwareUpdate[];
  files_max: number;
  bytes_max: number;
}

export interface PassportLine {
  what: string;
  found: string;
  since: string;
}

export interface PassportFinding {
  what: string;
  found: string;
  about: string;
  at: string;
  charger: string;
  offered: string;
  measured: string;
}

/** What `GET /chargers/{id}/passport` answers. */
export interface PassportNow {
  charger: string;
  passport: { vendor: string; model: string; firmware: string; findings: PassportFinding[] };
  quirk: string | null;
  why: string;
  seen?: string[]; // where it was seen
  rules: string[];
  probing: string;
  profile_writes: number;
  writes_a_day: number | null;
}

export interface Meter {
  enabled: boolean;
  name: string;
  healthy: boolean;
  age_s: number | null;
  current_ma: Phases | null;
  voltage_mv: [number | null, number | null, number | null];
  power_w: number | null;
  location: "grid" | "building";
  error: string | null;
  hint: string | null;
}

export interface Led {
  look: string;
  red: boolean;
  green: boolean;
}

export interface Plan {
  seq: number;
  at: string;
  budget_ma: Phases;
  building_ma: Phases | null;
  reserved_ma: Phases;
  offers: Offer[];
  limit_ma: Phases;
  degraded: boolean;
  nodes?: NodeRoom[]; // the site first
  excluded_until_s?: number | null;
  stopped?: Reason | null; // why nothing is offered to anybody
  held?: Held | null;
}

export interface Site {
  name: string;
  serial: string;
  version: string;
  limit_ma: Phases;
  voltage_mv: Phases;
  used_ma: Phases;
  available_ma: Phases;
  building_ma: Phases | null;
  chargers_configured: number;
  chargers_connected: number;
  licences_used: number;
  licences_total: number;
  sessions: number;
  energy_today_wh: number;
  fifo: boolean;
  degraded: boolean;
  emergency_stop: boolean;
  emergency_stop_by: string | null;
  uptime_s: number;
  system_uptime_s: number;
  settings_revision: number;
  commissioned: boolean;
  csms: string;
  time_zone: string;
  plan_ms_p50: number;
  plan_ms_p99: number;
  simulated: boolean;
  configured_limit_ma?: Phases; // as set; `limit_ma` is the one in force
  ceiling_ma?: Phases | null; // sealed; null: not
  ocpp_port: number; // of chargers over ws://; 0: not open yet
  ocpps_port: number;
}

export interface CeilingView {
  limit_ma: Phases | null;
  by: string;
  at: string;
  site_limit_ma: Phases;
  in_force_ma: Phases;
}

export interface CheckFinding {
  name: string;
  state: "good" | "warning" | "bad";
  text: string;
  phase?: string | null;
  group?: string | null;
  charger?: string | null;
  amount_ma?: number | null;
  limit_ma?: number | null;
}

/** Which steps of the wizard were ended, by whom and when. */
export interface Walk {
  ended: Record<string, { by: string; at: string }>;
}

export interface CommissioningCheck {
  ceiling_ma: Phases | null;
  base_load_ma: Phases;
  maxima_ma: Phases;
  fail_safe_ma: Phases;
  findings: CheckFinding[];
}

export interface Fault {
  code: string;
  bit: number;
  text: string;
  since: string;
  cure: string;
  page: string;
  subject: string | null;
  detail: string;
}

export interface GroupView {
  name: string;
  limit_ma: number;
  parent: string | null;
}

export interface Snapshot {
  seq: number;
  at: string;
  site: Site;
  plan: Plan;
  chargers: Charger[];
  meter: Meter;
  faults: Fault[];
  led: Led;
  groups?: GroupView[];
  uplinks?: Uplink[];
}

/** One charger's link to the CSMS. */
export interface Uplink {
  charger: string;
  state: "off" | "away" | "waits" | "behind" | "live";
  text: string; // why
  waiting: number; // messages on disk
  set_aside: number;
  oldest: string | null; // UTC; since when the first of them waits
  attempts: number; // to connect, since it was connected last
  next_attempt: string | null; // UTC
  has_password: boolean;
}

/** What waits for one address of a CSMS: the one that is set, or one from before. */
export interface CsmsQueue {
  csms: string;
  is_set: boolean;
  messages: number;
  chargers: number;
  sessions: number; // that run and have their start there
  oldest: string | null; // UTC
  newest: number;
}

/** What the CSMS did not take. */
export interface SetAside {
  number: number;
  charger: string;
  action: string;
  transaction: number;
  at: string;
  why: string;
  aside_at: string;
  csms: string;
  message_id: string;
  payload: string;
}

export interface UplinkTested {
  reached: boolean;
  text: string;
}

export interface DeliverySettings {
  frequency: "off" | "daily" | "weekly" | "monthly";
  protocol: "smtp" | "ftp" | "http";
  security: "starttls" | "tls" | "none";
  server: string;
  username: string;
  [more: string]: unknown;
}

/** A file of charge data records, from when it was due. */
export interface Sending {
  id: number;
  made: string;
  sessions: number;
  name: string;
  by: string;
  state: "waits" | "sent" | "failed";
  tries: number;
  tried: string;
  text: string;
}

export interface DeliveryView {
  frequency: DeliverySettings["frequency"];
  protocol: DeliverySettings["protocol"];
  server: string;
  next: string | null;
  clock_set: boolean;
  waiting: number;
  waiting_max: number;
  has_password: boolean;
  sending: number | null;
  again: string | null;
  sendings: readonly Sending[];
}

export interface DeliveryTested {
  taken: boolean;
  text: string;
}

/** From and to the charger, to and from the CSMS. */
export type Way = "in" | "out" | "up" | "down";

export interface Frame {
  number: number;
  at: string;
  charger: string;
  way: Way;
  text: string;
}

export interface FramesRead {
  frames: Frame[]; // oldest first
  last: number;
  left_out: number;
  files: number[]; // bytes
}

export type AccountName = "EV" | "Installer" | "Assembler";

export interface Session {
  account: AccountName | null;
  level: number;
  must_change: boolean;
  accounts_open: AccountName[];
  simulated: boolean;
  site: string;
  version: string;
  csrf?: string | null;
  serial?: string;
  commissioning_open?: boolean;
  brand?: Brand;
}

export interface Brand {
  head_text: string;
  foot_text: string;
  image: string | null;
  image_px: [number, number];
  reverse: boolean;
}

// --- what an Assembler fits (model/views.py, faces/web/table.py) ---------------------------------

export interface BrandChecked {
  text: string;
  brand: Brand;
  sheet: string;
  image: string;
}

export interface Licence {
  connectors: number;
  shipped: number;
  in_use: number;
  serial: string;
  state: "shipped" | "licensed" | "expired";
  customer: string;
  number: string;
  issued: string;
  expires: string | null;
  licensed: number | null;
}

export interface Certificate {
  subject: string;
  issuer: string;
  names: string[];
  begins: string;
  expires: string;
  key: string;
  fingerprint: string;
  self_signed: boolean;
  self_made: boolean;
  notes: string[];
  request: string | null;
  pem: string;
  hosts: string[];
}

export interface ShippedMeter {
  name: string;
  file: MeterFile;
  note?: string;
  own?: boolean;
}

// --- settings (model/settings.py) --------------------------------------------------------------

export type MeterFile = Record<string, string | number | boolean>;

export interface MeterSettings {
  enabled: boolean;
  location: "grid" | "building";
  on_failure: "limits" | "half";
  degraded_ma: Phases;
  fast: boolean;
  file: MeterFile | null;
}

export interface SiteSettings {
  name: string;
  voltage_mv: number;
  limit_ma: Phases;
  measurand_interval_s: number;
  fifo: boolean;
  meter: MeterSettings;
  split_mode: "off" | "240" | "208";
  time_zone: string;
  [more: string]: unknown;
}

export type Day = "Mon" | "Tue" | "Wed" | "Thu" | "Fri" | "Sat" | "Sun";
export const DAYS: readonly Day[] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** A time of the week in which no charger charges; an end of 23:59 is midnight. */
export interface Exclusion {
  days: Day[];
  start: string;
  end: string;
}

export interface GroupSettings {
  name: string;
  limit_ma: number;
  parent: string | null;
}

export interface ChargerSettings {
  id: string;
  name: string;
  phases: 1 | 2 | 3;
  connection: string;
  max_ma?: number;
  max_w?: number;
  min_ma?: number;
  min_w?: number;
  unit: "A" | "W";
  start_with_zero: boolean;
  supply_limit_ma: number | null;
  fallback_ma: number | null;
  writes_a_day: number | null;
  nmi: string;
  turn_tags: boolean;
  group: string | null;
  priority: "normal" | "high";
  [more: string]: unknown;
}

export interface CsmsSettings {
  url: string;
  prefix: string;
  ca: string;
  allow_without: boolean;
  password_in_clear: boolean;
}

/** One line of what an import would change; null: not there. */
export interface SettingChange {
  name: string;
  now: unknown;
  new: unknown;
}

/** What `POST /settings/import?check=1` answers. */
export interface SettingsCheck {
  text: string;
  changes: SettingChange[];
}

export interface Settings {
  version: number;
  site: SiteSettings;
  groups: GroupSettings[];
  chargers: ChargerSettings[];
  csms: CsmsSettings;
  schedule: Exclusion[];
  delivery: DeliverySettings;
  [more: string]: unknown;
}

// --- kept sessions (model/sessions.py) -----------------------------------------------------------

export interface SessionRow {
  id: number;
  charger: string;
  name: string;
  connector: number;
  tag: string;
  started: string;
  ended: string | null;
  duration_s: number;
  energy_wh: number;
  finished: boolean;
  reason: string | null;
  authorised_by: string;
  csms_id: number | null;
  incomplete: boolean;
  flagged: boolean;
  current_max_ma: Phases | null; // null: it was not watched
  current_mean_ma: Phases | null;
  paused_s: number | null;
}

/** A time in which a session got nothing, or its car took nothing; `ended` null: it lasts. */
export interface Pause {
  began: string;
  ended: string | null;
  code: Code;
  group: string;
}

export interface SessionPage {
  rows: SessionRow[];
  next: string | null;
  sums: { count: number; energy_wh: number } | null; // with the first page
  since: string | null;
  until: string | null;
  time_zone: string;
}

export interface Quarter {
  at: string;
  wh: number;
  estimated: boolean;
}

export interface SessionDetail {
  row: SessionRow;
  meter_start_wh: number;
  meter_last_wh: number;
  quarters: Quarter[];
  pauses: Pause[];
}

// --- tags ----------------------------------------------------------------------------------------

export interface Tag {
  tag: string;
  name: string;
  type: "User" | "VIP" | "Admin";
  allowed: boolean;
  expires: string | null; // UTC: the first moment at which it holds no more
}

export interface TagsRead {
  tags: Tag[];
  found: number;
  total: number;
  whitelist: boolean;
  open_confirmed: boolean;
}

export interface RejectedTag {
  number: number;
  tag: string;
  charger: string;
  at: string;
  listed: boolean;
}

export interface RejectedRead {
  tags: RejectedTag[];
  found: number;
}

export interface LearntTag {
  tag: string;
  charger: string;
  at: string;
  came: "added" | "removed" | "there" | "unknown" | "refused";
}

export interface LearningView {
  left_s: number;
  remove: boolean;
  charger: string;
  tags: LearntTag[];
}

export interface TagsImport {
  imported: boolean;
  tags: number;
  new: number;
  changed: number;
  same: number;
  gone: number;
  bad: { line: number; text: string; reason: string }[];
  bad_count: number;
}

// --- alerts and upkeep ---------------------------------------------------------------------------

/** A fault with its beginning and its end, as the history keeps it. */
export interface Alert {
  id: number;
  code: string;
  bit: number;
  text: string;
  since: string;
  cleared: string | null;
  times: number;
  subject: string | null;
  seen_by: string;
  seen_at: string;
  detail: string;
}

export interface AlertsRead {
  alerts: Alert[];
  total: number;
  times: number;
  open: number;
  unseen: number;
  lasted_s: number;
  oldest: string | null;
  kinds: string[];
}

export interface RestartsRead {
  pending: { charger: string; by: string; since: string; kind: string }[];
  began: { at: string; version: string; why: string; updated_from: string }[];
  extended_log: boolean;
}
