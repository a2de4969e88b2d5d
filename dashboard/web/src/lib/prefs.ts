// What this browser prefers: theme and palette. Nothing else is kept outside the URL.
import { effect, signal } from "@preact/signals";

const load = (name: string, fallback: string) => {
  try {
    return localStorage.getItem("coracle-" + name) ?? fallback;
  } catch {
    return fallback;
  }
};
const light = matchMedia("(prefers-color-scheme: light)");
/** `auto`, `dark` or `light`. */
export const theme = signal(load("theme", "auto"));
/** `usual`, or `safe` for people who see colours otherwise. */
export const palette = signal(load("palette", "usual"));
/** Counts up when colours changed: canvases read them anew. */
export const repaint = signal(0);
export const calm = matchMedia("(prefers-reduced-motion: reduce)");

const apply = () => {
  const root = document.documentElement;
  root.dataset.theme = theme.value === "auto" ? (light.matches ? "light" : "dark") : theme.value;
  root.dataset.palette = palette.value;
  try {
    localStorage.setItem("coracle-theme", theme.value);
    localStorage.setItem("coracle-palette", palette.value);
  } catch {
    // A browser that keeps nothing still shows everything.
  }
  repaint.value = repaint.peek() + 1;
};
effect(apply);
light.addEventListener("change", apply);
