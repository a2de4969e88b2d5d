// Small parts that every page uses.
import type { ComponentChildren } from "preact";
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { now, span } from "../lib/time";
import { why } from "../lib/http";

/** What is awaited and since when: every page has such a state. */
export function Waiting({ what, since }: { what: string; since: number }) {
  return (
    <div class="empty" role="status">
      <span class="spin" />
      <span>
        Waiting for {what}
        {now.value - since > 1500 && <span class="faint"> for {span(now.value - since)}</span>}
      </span>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <b>{title}</b>
      {children}
    </div>
  );
}

/** The kubectl line that does the same; a click copies it. */
export function Kubectl({ line }: { line: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => navigator.clipboard?.writeText(line).then(() => (setCopied(true), setTimeout(() => setCopied(false), 1500)));
  return (
    <div class="kubectl" title={line}>
      <span class="faint">$</span>
      <code class="grow">{line}</code>
      <button class="link" onClick={copy} aria-label="Copy this command">
        {copied ? "copied" : "copy"}
      </button>
    </div>
  );
}

const GOOD = new Set(["Running", "Ready", "Active", "Bound", "Complete", "Completed", "Succeeded", "True", "Available", "Established", "Normal"]);
const BUSY = new Set(["Pending", "ContainerCreating", "PodInitializing", "Progressing", "Waiting", "SchedulingDisabled", "Unknown", "Released"]);
/** How good a word of the API is. */
export function tone(word: string): string {
  if (word.startsWith("Terminating")) return "ending";
  if (/,SchedulingDisabled$/.test(word)) return "warn";
  if (word === "Succeeded" || word === "Completed" || word === "Complete") return "idle";
  if (GOOD.has(word)) return "good";
  if (BUSY.has(word) || word.startsWith("Init:")) return "info";
  if (/Fail|Error|BackOff|NotReady|Evicted|OOM|Lost|Invalid|Unschedulable|False|Never/.test(word)) return "bad";
  return "warn";
}
export const State = ({ word }: { word: string }) => (
  <span class="state">
    <span class={"dot " + tone(word)} />
    {word}
  </span>
);

interface Toast {
  id: number;
  text: string;
  tone: string;
  undo?: () => void;
  until: number;
}
const toasts = signal<Toast[]>([]);
let last = 0;
const drop = (id: number) => (toasts.value = toasts.value.filter((toast) => toast.id !== id));

/** Says something for a while. */
export function say(text: string, tone = "good", ms = 4000) {
  const id = ++last;
  toasts.value = [...toasts.value.slice(-4), { id, text, tone, until: Date.now() + ms }];
  setTimeout(() => drop(id), ms);
}
export const sayFailure = (what: string) => (error: unknown) => say(`${what}: ${why(error)}`, "bad", 9000);

/** How long one may think better of it. */
const UNDO_MS = 5000;
/** Does something after a while in which it can be called off. */
export function unlessUndone(text: string, act: () => void) {
  const id = ++last;
  const timer = setTimeout(() => (drop(id), act()), UNDO_MS);
  const undo = () => (clearTimeout(timer), drop(id));
  toasts.value = [...toasts.value, { id, text, tone: "warn", undo, until: Date.now() + UNDO_MS }];
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={"toast " + toast.tone}>
          <span class="grow">
            {toast.text}
            {toast.undo && <span class="faint num"> in {Math.max(1, Math.ceil((toast.until - now.value) / 1000))} s</span>}
          </span>
          {toast.undo && (
            <button class="button small" onClick={toast.undo}>
              Undo
            </button>
          )}
        </div>
      ))}
    </div>
  );
}

/** Text that was matched by hand: what is between quotes is what users typed. */
export const plural = (count: number, one: string) => `${count.toLocaleString("en")} ${count === 1 ? one : one.endsWith("s") ? one : one + "s"}`;
