// Calls to the server: JSON in, JSON out, a Kubernetes Status for whatever went wrong.
import { signal } from "@preact/signals";

/** Who is signed in; null while nobody is, undefined until it is known. */
export const viewer = signal<{ user: string; groups: string[] } | null | undefined>(undefined);

/** Why the last session ended, where it did not by the viewer's wish. */
export const farewell = signal("");

/** A failure as the API tells it. */
export class Failure extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly reason = "",
    readonly details: any = undefined,
  ) {
    super(message);
  }
}

/** The text of whatever was thrown. */
export const why = (error: unknown) => (error instanceof Error ? error.message : String(error));

export const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
export const MERGE = "application/merge-patch+json";
export const JSON_PATCH = "application/json-patch+json";

export interface Options {
  method?: string;
  body?: unknown;
  type?: string;
  accept?: string;
  signal?: AbortSignal;
}

/** One request; the answer is the caller's to read. */
export async function send(path: string, options: Options = {}): Promise<Response> {
  const { method = "GET", body, type = "application/json", accept = "application/json", signal } = options;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      signal,
      headers: body === undefined ? { accept } : { accept, "content-type": type },
      body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure(0, "the dashboard's server does not answer");
  }
  if (response.ok) return response;
  const text = await response.text();
  let status: any = {};
  try {
    status = JSON.parse(text);
  } catch {
    status = { message: text };
  }
  if (response.status === 401 && viewer.value) {
    farewell.value = status.message ?? "";
    viewer.value = null;
  }
  throw new Failure(response.status, status.message || response.statusText, status.reason, status.details);
}

/** One request to the Kubernetes API, as the viewer. */
export async function k8s(path: string, options?: Options): Promise<any> {
  return (await send("/k8s" + path, options)).json();
}

export const sleep = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
