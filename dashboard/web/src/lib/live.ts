// The live view's connection: a whole state once, then changes. See dashboard/src/live/wire.rs for the form.
import { signal } from "@preact/signals";
import { send, viewer } from "./http";
import { hangUp } from "./streams";

export const READY = 1;
export const DELETING = 2;
export const FAILING = 4;
const GONE = 255;

export interface Pod {
  row: number;
  node: string;
  namespace: string;
  owner: string;
  created: number;
  restarts: number;
  phase: number;
  flags: number;
}
export interface Node {
  ready: boolean;
  reason?: string;
  cordoned: boolean;
  taints: number;
  allocatable: Record<string, string>;
}

/** Whether this page hears of changes: `frozen` while the apiserver or this server does not answer. */
export const link = signal<{ state: "waiting" | "live" | "frozen" | "refused"; since: number; why: string }>({
  state: "waiting",
  since: Date.now(),
  why: "the first state of the cluster",
});
/** Counts up whenever pods or nodes changed. */
export const tick = signal(0);
export const pods = new Map<number, Pod>();
export const nodes = new Map<string, Node>();
export let revision = 0;

export type Watcher = (born: Pod[], changed: Pod[], gone: Pod[], whole: boolean) => void;
const watchers = new Set<Watcher>();
/** Hears of every message; returns the way to stop. */
export const watch = (watcher: Watcher) => (watchers.add(watcher), () => void watchers.delete(watcher));

let texts: string[] = [];
let socket: WebSocket | null = null;
let wait = 100;

/** Connects, and connects again whenever the connection is lost. */
export function connect() {
  if (socket) return;
  socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/api/live");
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    try {
      if (typeof data === "string") told(JSON.parse(data).state);
      else take(data);
    } catch {
      // A message cut in the middle: the next connection begins with the whole state.
      socket?.close();
    }
  };
  socket.onclose = ({ code, reason }) => {
    socket = null;
    if (code === 4403) {
      link.value = { state: "refused", since: Date.now(), why: reason };
      return;
    }
    if (link.peek().state !== "frozen")
      link.value = { state: "frozen", since: Date.now(), why: "the dashboard's server does not answer" };
    setTimeout(() => viewer.peek() && connect(), wait);
    wait = Math.min(wait * 2, 2000);
    if (wait > 400) void send("/api/me").catch(() => {});
  };
}

/** Hangs up: nobody is signed in any more. */
export function disconnect() {
  hangUp();
  socket?.close();
  pods.clear();
  nodes.clear();
  link.value = { state: "waiting", since: Date.now(), why: "the first state of the cluster" };
}

let isConnected = true;
function told(state: { connected: boolean; sinceMs: number }) {
  isConnected = state.connected;
  if (!isConnected) link.value = { state: "frozen", since: state.sinceMs, why: "the apiserver does not answer" };
  else if (link.peek().state === "frozen" && nodes.size) link.value = { state: "live", since: Date.now(), why: "" };
}

function take(buffer: ArrayBuffer) {
  const head = new DataView(buffer);
  const isWhole = head.getUint8(0) === 1;
  const count = head.getUint32(4, true);
  revision = head.getFloat64(8, true);
  const length = head.getUint32(16, true);
  const json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, length)));
  let at = 20 + length;
  const words = () => ((at += count * 4), new Uint32Array(buffer, at - count * 4, count));
  const [row, node, namespace, owner, created] = [words(), words(), words(), words(), words()];
  const restarts = new Uint16Array(buffer, at, count);
  const phase = new Uint8Array(buffer, at + count * 2, count);
  const flags = new Uint8Array(buffer, at + count * 3, count);
  const before = isWhole ? new Map(pods) : pods;
  if (isWhole) {
    pods.clear();
    nodes.clear();
    texts = [];
  }
  texts.push(...json.texts);
  for (const [name, value] of Object.entries(json.nodes)) {
    if (value) nodes.set(name, value as Node);
    else nodes.delete(name);
  }
  const [born, changed, gone]: [Pod[], Pod[], Pod[]] = [[], [], []];
  for (let i = 0; i < count; i++) {
    const old = before.get(row[i]);
    if (phase[i] === GONE) {
      if (old) gone.push(old);
      pods.delete(row[i]);
      continue;
    }
    const pod: Pod = {
      row: row[i],
      node: texts[node[i]],
      namespace: texts[namespace[i]],
      owner: texts[owner[i]],
      created: created[i],
      restarts: restarts[i],
      phase: phase[i],
      flags: flags[i],
    };
    // A row is used again after a long while: another pod's then.
    const isSame = old && old.created === pod.created && old.owner === pod.owner;
    if (old && !isSame && !isWhole) gone.push(old);
    (isSame ? changed : born).push(pod);
    pods.set(pod.row, pod);
  }
  wait = 100;
  if (isConnected && link.peek().state !== "live") link.value = { state: "live", since: Date.now(), why: "" };
  for (const watcher of watchers) watcher(born, changed, gone, isWhole);
  tick.value++;
}

const names = new Map<number, [string, string]>();
/** Namespace and name of a pod; null where it is gone. */
export async function nameOf(pod: Pod): Promise<[string, string] | null> {
  const known = names.get(pod.row);
  if (known && pods.get(pod.row) === pod) return known;
  const [found] = await (await send(`/api/live/names?rows=${pod.row}`)).json();
  if (found) names.set(pod.row, found);
  if (names.size > 5000) names.clear();
  return found;
}
