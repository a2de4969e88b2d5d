// Draws the live canvas: boxes with squares near by, a heat map from afar. Colours are the page's own.
import { BIRTH_MS, CELL, DEATH_MS, GAP, type Box, type Layout, type Square } from "./layout";
import { DELETING, FAILING, nodes, READY, type Pod } from "./live";

export type Mode = "status" | "owner" | "namespace" | "restarts" | "age";
export interface View {
  x: number;
  y: number;
  scale: number;
}
export interface Class {
  name: string;
  color: string;
}

/** Cells smaller than this many pixels are drawn as parts of a bar. */
const HEAT_PX = 4;
/** Shapes inside squares are drawn from this size on. */
const SHAPE_PX = 7;

export class Palette {
  private style = getComputedStyle(document.documentElement);
  readonly get = (name: string) => this.style.getPropertyValue("--" + name).trim();
  readonly status: Class[] = [
    { name: "Ready", color: this.get("good") },
    { name: "Not ready", color: this.get("warn") },
    { name: "Pending", color: this.get("info") },
    { name: "Failing", color: this.get("bad") },
    { name: "Finished", color: this.get("idle") },
    { name: "Terminating", color: this.get("ending") },
  ];
}
const HEAT = ["#3b82a6", "#4fa3a5", "#8fb86a", "#d9b44a", "#e58a3c", "#d6503f"];
export const RESTARTS: [number, string][] = [[0, "none"], [1, "1"], [2, "2"], [4, "3–4"], [9, "5–9"], [Infinity, "10 and more"]];
export const AGES: [number, string][] = [[10, "10 s"], [60, "1 min"], [600, "10 min"], [3600, "1 h"], [86400, "1 d"], [Infinity, "older"]];

export function statusOf(pod: Pod): number {
  if (pod.flags & DELETING) return 5;
  if (pod.phase === 2) return 4;
  if (pod.phase === 3 || pod.flags & FAILING) return 3;
  if (pod.phase === 0) return 2;
  return pod.flags & READY ? 0 : 1;
}

const hues = new Map<string, string>();
export function hue(text: string): string {
  let color = hues.get(text);
  if (!color) {
    let hash = 2166136261;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
    color = `hsl(${((hash >>> 0) * 137.508) % 360} 58% 56%)`;
    if (hues.size > 10_000) hues.clear();
    hues.set(text, color);
  }
  return color;
}

export function colorOf(pod: Pod, mode: Mode, palette: Palette, now: number): string {
  switch (mode) {
    case "status":
      return palette.status[statusOf(pod)].color;
    case "owner":
      return hue(pod.namespace + "/" + pod.owner);
    case "namespace":
      return hue(pod.namespace);
    case "restarts":
      return HEAT[RESTARTS.findIndex(([most]) => pod.restarts <= most)];
    case "age":
      return HEAT[5 - AGES.findIndex(([most]) => now / 1000 - pod.created <= most)];
  }
}
export const heat = HEAT;

interface Scene {
  context: CanvasRenderingContext2D;
  layout: Layout;
  view: View;
  mode: Mode;
  palette: Palette;
  /** Of the page's clock, for animation. */
  at: number;
  /** Of the wall's clock, for ages. */
  now: number;
  isCalm: boolean;
  dimmed: ((pod: Pod) => boolean) | null;
  hovered: Square | null;
}

/** Draws everything; tells whether something still moves. */
export function paint(scene: Scene, width: number, height: number): boolean {
  const { context, layout, view, palette } = scene;
  const ratio = devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
  const isHeat = (CELL - GAP) * view.scale < HEAT_PX;
  let moves = false;
  for (const box of layout.boxes.values()) {
    const [left, top] = [box.x * view.scale + view.x, box.y * view.scale + view.y];
    if (left > width || top > height || left + layout.boxWidth * view.scale < 0 || top + layout.boxHeight * view.scale < 0) continue;
    frame(scene, box);
    if (isHeat) bars(scene, box);
    else for (const square of box.places) if (square) moves = cell(scene, box, square) || moves;
  }
  if (scene.hovered && !isHeat) {
    const box = layout.boxes.get(scene.hovered.pod.node);
    if (box) {
      const [x, y] = layout.position(box, scene.hovered.place);
      context.strokeStyle = palette.get("text");
      context.lineWidth = 2 / view.scale;
      context.strokeRect(x - 2, y - 2, CELL - GAP + 4, CELL - GAP + 4);
    }
  }
  return moves;
}

function frame({ context, layout, view, palette }: Scene, box: Box) {
  const node = nodes.get(box.name);
  const isWell = !box.name || node?.ready;
  context.fillStyle = palette.get("panel");
  context.strokeStyle = !box.name ? palette.get("info") : !isWell ? palette.get("bad") : node?.cordoned ? palette.get("warn") : palette.get("line");
  context.lineWidth = Math.min(3, (isWell && !node?.cordoned && box.name ? 1 : 2) / view.scale);
  context.beginPath();
  context.roundRect(box.x, box.y, layout.boxWidth, layout.boxHeight, 7);
  context.fill();
  if (!box.name || (node && node.cordoned)) context.setLineDash([5, 4]);
  context.stroke();
  context.setLineDash([]);
  // Titles grow with their boxes, up to what is well read.
  const size = Math.min(11, 14 / view.scale);
  if (size * view.scale < 5) return;
  context.font = `600 ${size}px ${palette.get("sans")}`;
  context.textBaseline = "middle";
  context.fillStyle = palette.get(isWell ? "text" : "bad");
  const state = !box.name ? "" : !node ? " · gone" : !node.ready ? " · not ready" : node.cordoned ? " · cordoned" : "";
  context.fillText((box.name || "Not scheduled yet") + state, box.x + 9, box.y + 12, layout.boxWidth - 46);
  context.textAlign = "right";
  context.fillStyle = palette.get("faint");
  context.font = `${size}px ${palette.get("sans")}`;
  context.fillText(String(box.count), box.x + layout.boxWidth - 9, box.y + 12);
  context.textAlign = "left";
}

/** From afar: a node is as full as it is, in the colours of its pods. */
function bars(scene: Scene, box: Box) {
  const { context, layout, mode, palette, now } = scene;
  const counts = new Map<string, number>();
  for (const square of box.places)
    if (square && !square.died) {
      const color = colorOf(square.pod, mode, palette, now);
      counts.set(color, (counts.get(color) ?? 0) + 1);
    }
  const room = layout.boxHeight - 26;
  const capacity = Math.max(box.places.length, layout.columns * Math.floor(room / CELL));
  let y = box.y + layout.boxHeight - 4;
  for (const [color, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const height = (room * count) / capacity;
    context.fillStyle = color;
    context.fillRect(box.x + 4, y - height, layout.boxWidth - 8, height);
    y -= height;
  }
}

function cell(scene: Scene, box: Box, square: Square): boolean {
  const { context, layout, view, mode, palette, at, isCalm } = scene;
  const [x, y] = layout.position(box, square.place);
  const size = CELL - GAP;
  const { pod } = square;
  let grow = 1;
  let alpha = 1;
  let moves = false;
  if (square.died) {
    const part = Math.min(1, (at - square.died) / DEATH_MS);
    alpha = 1 - part;
    grow = isCalm ? 1 : 1 - part * 0.5;
    moves = true;
  } else if (square.born && at - square.born < BIRTH_MS) {
    const part = (at - square.born) / BIRTH_MS;
    // Past its size and back: a pop.
    grow = isCalm ? 1 : 1 + 0.35 * Math.sin(part * Math.PI) - (1 - part) ** 3;
    moves = true;
  }
  if (scene.dimmed?.(pod)) alpha *= 0.16;
  context.globalAlpha = alpha;
  const status = statusOf(pod);
  const side = size * grow;
  const [left, top] = [x + (size - side) / 2, y + (size - side) / 2];
  context.fillStyle = context.strokeStyle = colorOf(pod, mode, palette, scene.now);
  const isLarge = size * view.scale >= SHAPE_PX;
  if (isLarge && status === 2) {
    context.lineWidth = 2;
    context.strokeRect(left + 1, top + 1, side - 2, side - 2);
  } else if (isLarge) {
    context.beginPath();
    context.roundRect(left, top, side, side, 3);
    context.fill();
    if (status) shape(context, palette.get("panel"), status, left, top, side);
  } else context.fillRect(left, top, side, side);
  context.globalAlpha = 1;
  return moves;
}

/** What the colour says, for those who see it otherwise. */
function shape(context: CanvasRenderingContext2D, color: string, status: number, x: number, y: number, side: number) {
  context.strokeStyle = color;
  context.lineWidth = 2;
  context.beginPath();
  const near = side * 0.28;
  const far = side - near;
  if (status === 3) {
    context.moveTo(x + near, y + near);
    context.lineTo(x + far, y + far);
    context.moveTo(x + far, y + near);
    context.lineTo(x + near, y + far);
  } else if (status === 5) {
    context.moveTo(x + near, y + far);
    context.lineTo(x + far, y + near);
  } else if (status === 4) {
    context.moveTo(x + near, y + side / 2);
    context.lineTo(x + side * 0.45, y + far);
    context.lineTo(x + far, y + near);
  } else {
    context.moveTo(x + near, y + side / 2);
    context.lineTo(x + far, y + side / 2);
  }
  context.stroke();
}
