// The URL holds what is looked at: page, namespace, filter, the open object. Reload and links bring it back.
import { computed, signal } from "@preact/signals";

const read = () => ({ path: location.pathname, query: new URLSearchParams(location.search) });
export const place = signal(read());
addEventListener("popstate", () => (place.value = read()));

export const path = computed(() => place.value.path);
export const param = (name: string) => place.value.query.get(name) ?? "";

/** Goes to a page; parameters that are not named stay, empty ones go. */
export function go(to: string | null, change: Record<string, string> = {}, replace = false) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  // Slashes and colons need no escape in a query, and are easier to read.
  const text = query.toString().replaceAll("%2F", "/").replaceAll("%3D", "=").replaceAll("%2C", ",");
  const url = (to ?? location.pathname) + (text ? "?" + text : "");
  if (url === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  place.value = read();
}

/** The page of a kind: another kind has other filters. */
export const openKind = (id: string) => go("/kinds/" + id, { q: "", o: "", tab: "" });
export const openPage = (to: string) => go(to, { q: "", o: "", tab: "" });

/** Which object is open. */
export interface Ref {
  kind: string;
  namespace: string;
  name: string;
}
export const refText = (ref: Ref) => [ref.kind, ref.namespace || "-", ref.name].join("/");
export const openObject = (ref: Ref, tab = "") => go(null, { o: refText(ref), tab });
export const closeObject = () => go(null, { o: "", tab: "" });

export const opened = computed<Ref | null>(() => {
  const parts = (place.value.query.get("o") ?? "").split("/");
  if (parts.length < 4) return null;
  const name = parts.pop()!;
  const namespace = parts.pop()!;
  return { kind: parts.join("/"), namespace: namespace === "-" ? "" : namespace, name };
});

/** The namespace that lists are narrowed to; empty for all. */
export const namespace = computed(() => place.value.query.get("ns") ?? "");
