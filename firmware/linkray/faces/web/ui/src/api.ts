// Calls on LinkRay's public API, each with a limit, each error in the form of RFC 9457.

import { signal } from "@preact/signals";

const ANSWER_MS = 20_000; // any call
const UPLOAD_MS = 15 * 60_000; // 64 MiB over a poor line
const CHARGER_ANSWER_MS = 45_000; // start and stop wait for a charger's answer

/** What the server refused, or (status 0) a call that did not arrive. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly path: string | null = null,
    readonly retryAfterS: number | null = null,
    readonly kind = "", // its type, where it has one of its own
  ) {
    super(detail || title);
  }
}

export interface Told<T> {
  body: T;
  etag: string | null;
}

export const csrf = signal("");
/** Counts answers 401 outside signing in: the session has ended. */
export const signedOut = signal(0);

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

interface Options {
  ifMatch?: string | null;
  text?: string;
  file?: Blob; // sent as it is …
  media?: string; // … as this
  charger?: boolean;
  signingIn?: boolean;
}

export async function call<T>(
  method: Method,
  path: string,
  body?: unknown,
  options: Options = {},
): Promise<Told<T>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-LinkRay-CSRF"] = csrf.peek();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (options.text !== undefined) headers["Content-Type"] = "text/plain; charset=utf-8";
  if (options.file) headers["Content-Type"] = options.media ?? "application/octet-stream";
  if (options.ifMatch) headers["If-Match"] = options.ifMatch;
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method,
      headers,
      body: options.file ?? options.text ?? (body === undefined ? undefined : JSON.stringify(body)),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(
        options.file ? UPLOAD_MS : options.charger ? CHARGER_ANSWER_MS : ANSWER_MS,
      ),
    });
  } catch (error) {
    const slow = error instanceof DOMException && error.name === "TimeoutError";
    throw new Problem(0, slow ? "timeout" : "unreachable", "");
  }
  if (answer.status === 401 && !options.signingIn) signedOut.value += 1;
  if (!answer.ok) throw await problemOf(answer);
  const told = answer.status === 204 ? null : await answer.json().catch(() => null);
  return { body: told as T, etag: answer.headers.get("ETag") };
}

async function problemOf(answer: Response): Promise<Problem> {
  const said = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  const text = (key: string) => (typeof said[key] === "string" ? (said[key] as string) : "");
  const after = Number(answer.headers.get("Retry-After"));
  return new Problem(
    answer.status,
    text("title") || answer.statusText,
    text("detail"),
    text("path") || pathIn(text("detail")),
    Number.isFinite(after) && after > 0 ? after : null,
    text("type"),
  );
}

/** `… - at $.site.voltage_mv`: where the model's checks name the field. */
function pathIn(detail: string): string | null {
  return /- at `?(\$[^\s`]*)`?/.exec(detail)?.[1] ?? null;
}
