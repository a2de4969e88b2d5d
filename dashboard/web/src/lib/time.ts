// Ages as kubectl writes them, and a clock that components can follow.
import { signal } from "@preact/signals";

/** Now, a second exact. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 1000);

/** `35s`, `4m10s`, `3h`, `12d`. */
export function span(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 120) return `${s}s`;
  const m = Math.floor(s / 60);
  if (m < 10) return s % 60 ? `${m}m${s % 60}s` : `${m}m`;
  if (m < 180) return `${m}m`;
  const h = Math.floor(m / 60);
  if (h < 48) return `${h}h`;
  return `${Math.floor(h / 24)}d`;
}
export const age = (time: string | undefined) => (time ? span(now.value - Date.parse(time)) : "");
