// Home: the cluster as it lives. Nodes are boxes, pods are squares; below, the workloads with what they want and have.
import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Layout, type Square, type Box } from "../lib/layout";
import { link, nameOf, nodes, pods, revision, tick, watch, type Pod } from "../lib/live";
import { AGES, heat, hue, paint, Palette, RESTARTS, statusOf, type Mode, type View } from "../lib/paint";
import { calm, repaint } from "../lib/prefs";
import { now, span } from "../lib/time";
import { go, namespace, openKind, openObject, param } from "../lib/url";
import { Empty, plural, Waiting } from "../parts/ui";
import { Strip } from "../parts/strip";

const MODES: [Mode, string][] = [["status", "Status"], ["owner", "Workload"], ["namespace", "Namespace"], ["restarts", "Restarts"], ["age", "Age"]];
const MAX_SCALE = 4;
/** So many colours of workloads are named. */
const NAMED = 8;

export function LivePage() {
  void tick.value;
  const { state, since, why } = link.value;
  const mode = (MODES.find(([mode]) => mode === param("color"))?.[0] ?? "status") as Mode;
  if (state === "refused")
    return (
      <Empty title="The live view needs more rights than you have">
        <span>{why}. Lists of what you may see are in the menu.</span>
        <button class="button" onClick={() => openKind("v1/pods")}>
          Pods of your namespaces
        </button>
      </Empty>
    );
  if (!nodes.size && !pods.size && state !== "live") return <Waiting what={state === "frozen" ? "the apiserver" : why} since={since} />;
  const counts = [0, 0, 0, 0, 0, 0];
  const space = namespace.value;
  let shown = 0;
  for (const pod of pods.values())
    if (!space || pod.namespace === space) {
      counts[statusOf(pod)]++;
      shown++;
    }
  const ready = [...nodes.values()].filter((node) => node.ready).length;
  return (
    <>
      <div class="head">
        <h1>Live</h1>
        <span class="dim num" data-pods={shown} data-ready={counts[0]}>
          {plural(shown, "pod")} on {plural(nodes.size, "node")}
          {ready < nodes.size && <span class="bad"> · {nodes.size - ready} not ready</span>}
        </span>
        <span class="grow" />
        <span class="dim">Colour by</span>
        <span class="seg" role="group" aria-label="Colour by">
          {MODES.map(([value, text]) => (
            <button key={value} aria-pressed={mode === value} onClick={() => go(null, { color: value === "status" ? "" : value })}>
              {text}
            </button>
          ))}
        </span>
      </div>
      <div class="body live">
        <Stage mode={mode} counts={counts} />
        <Strip />
      </div>
    </>
  );
}

const tip = signal<{ x: number; y: number; square: Square | null; box: Box; name: string } | null>(null);

function Stage({ mode, counts }: { mode: Mode; counts: number[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const stage = useRef<Stageplay | null>(null);
  useEffect(() => {
    const play = new Stageplay(canvas.current!);
    stage.current = play;
    return () => play.close();
  }, []);
  const space = namespace.value;
  useEffect(() => stage.current?.show(mode, space), [mode, space, repaint.value]);
  const palette = useMemo(() => new Palette(), [repaint.value]);
  return (
    <div class="stage">
      <canvas ref={canvas} aria-label="Pods by node. The kinds in the menu show the same as tables." role="img" tabIndex={0} />
      <div class="legend">{legend(mode, counts, palette)}</div>
      <div class="zoom">
        <button class="button square" aria-label="Zoom out" onClick={() => stage.current?.zoom(1 / 1.4)}>
          −
        </button>
        <button class="button small" onClick={() => stage.current?.fit(true)}>
          Fit
        </button>
        <button class="button square" aria-label="Zoom in" onClick={() => stage.current?.zoom(1.4)}>
          +
        </button>
      </div>
      {tip.value && <Tip />}
    </div>
  );
}

function legend(mode: Mode, counts: number[], palette: Palette) {
  const entry = (text: string, color: string, count?: number) => (
    <span class="state" key={text}>
      <span class="dot" style={{ background: color, borderRadius: "3px" }} /> {text}
      {count !== undefined && <b class="num">{count.toLocaleString("en")}</b>}
    </span>
  );
  if (mode === "status") return palette.status.map(({ name, color }, i) => (counts[i] || i < 3) && entry(name, color, counts[i]));
  if (mode === "restarts") return RESTARTS.map(([, text], i) => entry(text, heat[i]));
  if (mode === "age") return AGES.map(([, text], i) => entry(i < 5 ? "under " + text : text, heat[5 - i]));
  const found = new Map<string, [string, number]>();
  for (const pod of pods.values()) {
    const key = mode === "owner" ? pod.namespace + "/" + pod.owner : pod.namespace;
    const seen = found.get(key);
    if (seen) seen[1]++;
    else found.set(key, [mode === "owner" ? pod.owner.replace("/", " ") : key, 1]);
  }
  const sorted = [...found].sort((a, b) => b[1][1] - a[1][1]);
  return [
    ...sorted.slice(0, NAMED).map(([key, [text, count]]) => entry(text, hue(key), count)),
    sorted.length > NAMED && <span key="more">and {sorted.length - NAMED} more</span>,
  ];
}

function Tip() {
  const { x, y, square, box, name } = tip.value!;
  const node = nodes.get(box.name);
  const style = { left: `${x + 14}px`, top: `${y + 14}px`, ...(x > innerWidth * 0.6 ? { left: "auto", right: `calc(100% - ${x - 10}px)` } : {}) };
  if (square) {
    const pod = square.pod;
    const words = ["Ready", "Not ready", "Pending", "Failing", "Finished", "Terminating"];
    return (
      <div class="tip" style={style}>
        <b>{name || "…"}</b>
        <div class="dim">
          {pod.namespace} · {pod.owner.replace("/", " ")}
        </div>
        <div class="num">
          {words[statusOf(pod)]} · {span(now.value - pod.created * 1000)} old
          {pod.restarts > 0 && ` · ${plural(pod.restarts, "restart")}`}
        </div>
      </div>
    );
  }
  return (
    <div class="tip" style={style}>
      <b>{box.name || "Not scheduled yet"}</b>
      <div class="num">{plural(box.count, "pod")}</div>
      {node && (
        <div class="dim num">
          {node.allocatable.cpu} CPU · {node.allocatable.memory} · {node.allocatable.pods} pods allocatable
          {!node.ready && ` · ${node.reason || "not ready"}`}
          {node.cordoned && " · cordoned"}
        </div>
      )}
    </div>
  );
}

/** The canvas and what happens on it, outside Preact: frames are drawn only when something changed. */
class Stageplay {
  readonly layout = new Layout();
  palette = new Palette();
  private view: View = { x: 0, y: 0, scale: 1 };
  private mode: Mode = "status";
  private space = "";
  private asked = 0;
  private isOwn = false;
  private hovered: Square | null = null;
  private unwatch: () => void;
  private observer: ResizeObserver;

  constructor(private canvas: HTMLCanvasElement) {
    const began = performance.now();
    for (const pod of pods.values()) this.layout.put(pod, began, false);
    this.unwatch = watch((born, changed, gone, whole) => {
      const at = performance.now();
      if (whole) this.layout.clear();
      for (const pod of gone) this.layout.drop(pod, at);
      for (const pod of born) this.layout.put(pod, at, !whole);
      for (const pod of changed) this.layout.put(pod, at, false);
      this.arrange();
    });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas.parentElement!);
    this.listen();
    this.resize();
  }
  close() {
    this.unwatch();
    this.observer.disconnect();
    cancelAnimationFrame(this.asked);
    tip.value = null;
  }
  show(mode: Mode, space: string) {
    this.mode = mode;
    this.space = space;
    this.palette = new Palette();
    this.ask();
  }

  private get size(): [number, number] {
    return [this.canvas.clientWidth || 1, this.canvas.clientHeight || 1];
  }
  private resize() {
    const [width, height] = this.size;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.arrange(true);
  }
  private arrange(isResized = false) {
    const [width, height] = this.size;
    const isChanged = this.layout.arrange(nodes.keys(), width / height);
    // A view that the user chose stays.
    if ((isChanged || isResized) && !this.isOwn) this.fit(false);
    this.ask();
  }
  fit(isWanted: boolean) {
    const [width, height] = this.size;
    const { layout } = this;
    const scale = Math.min(2.6, (width - 40) / layout.width, (height - 104) / layout.height);
    this.view = { scale, x: (width - layout.width * scale) / 2, y: Math.max(16, (height - 72 - layout.height * scale) / 2) };
    if (isWanted) this.isOwn = false;
    this.ask();
  }
  zoom(by: number, x = this.size[0] / 2, y = this.size[1] / 2) {
    const scale = Math.max(0.02, Math.min(MAX_SCALE, this.view.scale * by));
    const part = scale / this.view.scale;
    this.view = { scale, x: x - (x - this.view.x) * part, y: y - (y - this.view.y) * part };
    this.isOwn = true;
    this.ask();
  }

  private ask() {
    this.asked ||= requestAnimationFrame(() => {
      this.asked = 0;
      const at = performance.now();
      const fading = this.layout.bury(at);
      const dimmed = this.space ? (pod: Pod) => pod.namespace !== this.space : null;
      const { layout, view, mode, palette, hovered } = this;
      const context = this.canvas.getContext("2d")!;
      const scene = { context, layout, view, mode, palette, at, now: Date.now(), isCalm: calm.matches, dimmed, hovered };
      if (paint(scene, ...this.size) || fading) this.ask();
      this.canvas.dataset.revision = String(revision);
    });
  }

  private spot(event: MouseEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
  private find(event: MouseEvent) {
    const [x, y] = this.spot(event);
    return this.layout.at((x - this.view.x) / this.view.scale, (y - this.view.y) / this.view.scale);
  }
  private listen() {
    const { canvas } = this;
    let from: [number, number] | null = null;
    let moved = 0;
    canvas.onwheel = (event) => (event.preventDefault(), this.zoom(Math.exp(-event.deltaY / 400), ...this.spot(event)));
    canvas.onpointerdown = (event) => {
      from = [event.clientX, event.clientY];
      moved = 0;
      canvas.setPointerCapture(event.pointerId);
    };
    canvas.onpointermove = (event) => {
      if (from) {
        const [dx, dy] = [event.clientX - from[0], event.clientY - from[1]];
        moved += Math.abs(dx) + Math.abs(dy);
        from = [event.clientX, event.clientY];
        if (moved > 4) {
          this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
          this.isOwn = true;
        }
      }
      this.hover(event);
      this.ask();
    };
    canvas.onpointerup = (event) => {
      const isClick = from && moved <= 4;
      from = null;
      if (isClick) void this.click(event);
    };
    canvas.onpointerleave = () => ((tip.value = null), (this.hovered = null), this.ask());
    canvas.onkeydown = ({ key }) => {
      if (key === "+" || key === "=") this.zoom(1.3);
      if (key === "-") this.zoom(1 / 1.3);
      if (key === "0") this.fit(true);
    };
  }
  private hover(event: PointerEvent) {
    const found = this.find(event);
    const [x, y] = this.spot(event);
    if (!found) {
      this.hovered = null;
      tip.value = null;
      return;
    }
    const square = found.square && !found.square.died ? found.square : null;
    const isSame = square && this.hovered === square;
    this.hovered = square;
    this.canvas.style.cursor = square || found.box.name ? "pointer" : "grab";
    tip.value = { x, y, square, box: found.box, name: isSame ? (tip.value?.name ?? "") : "" };
    if (square && !isSame)
      nameOf(square.pod).then(
        (name) => name && this.hovered === square && tip.value && (tip.value = { ...tip.value, name: name[1] }),
        () => {},
      );
  }
  private async click(event: PointerEvent) {
    const found = this.find(event);
    if (found?.square && !found.square.died) {
      const name = await nameOf(found.square.pod).catch(() => null);
      if (name) openObject({ kind: "v1/pods", namespace: name[0], name: name[1] });
    } else if (found?.box.name) openObject({ kind: "v1/nodes", namespace: "", name: found.box.name });
  }
}
