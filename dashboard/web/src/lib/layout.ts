// Where nodes and pods are on the live canvas. Pure: places from pods, no drawing.
//
// A pod keeps its place for its life; a place that became free is taken by the next that is born there. So nothing
// jumps, and births and deaths are seen where they happen.
import type { Pod } from "./live";

/** A cell with its gap, the room around cells, and the height of a box's title, in units of the canvas at scale 1. */
export const CELL = 16;
export const GAP = 3;
const ROOM = 8;
const TITLE = 22;
/** Between boxes. */
const SPACE = 14;
/** The box of pods that no node has yet. */
export const UNBOUND = "";
/** Milliseconds that a birth and a death are seen. */
export const BIRTH_MS = 350;
export const DEATH_MS = 700;

export interface Square {
  pod: Pod;
  place: number;
  born: number;
  /** When it went; 0 while it lives. */
  died: number;
}
export interface Box {
  name: string;
  x: number;
  y: number;
  places: (Square | null)[];
  free: number[];
  count: number;
}

export class Layout {
  boxes = new Map<string, Box>();
  squares = new Map<number, Square>();
  dying = new Set<Square>();
  columns = 4;
  width = 0;
  height = 0;
  boxWidth = 0;
  boxHeight = 0;
  private shape = "";

  clear() {
    this.boxes.clear();
    this.squares.clear();
    this.dying.clear();
  }

  private box(name: string): Box {
    let box = this.boxes.get(name);
    if (!box) this.boxes.set(name, (box = { name, x: 0, y: 0, places: [], free: [], count: 0 }));
    return box;
  }

  put(pod: Pod, now: number, isNew: boolean) {
    const known = this.squares.get(pod.row);
    if (known && known.pod.node === pod.node) {
      known.pod = pod;
      return;
    }
    if (known) this.leave(known);
    const box = this.box(pod.node);
    const place = box.free.length ? box.free.shift()! : box.places.length;
    const square: Square = { pod, place, born: isNew ? now : 0, died: 0 };
    box.places[place] = square;
    box.count++;
    this.squares.set(pod.row, square);
  }

  /** It fades where it was; its place is free when it has. */
  drop(pod: Pod, now: number) {
    const square = this.squares.get(pod.row);
    if (!square) return;
    this.squares.delete(pod.row);
    square.died = now;
    this.box(square.pod.node).count--;
    this.dying.add(square);
  }

  /** Forgets what has faded; tells whether anything still does. */
  bury(now: number): boolean {
    for (const square of this.dying)
      if (now - square.died > DEATH_MS) {
        this.dying.delete(square);
        this.free(square);
      }
    return this.dying.size > 0;
  }

  private leave(square: Square) {
    this.box(square.pod.node).count--;
    this.free(square);
  }
  private free(square: Square) {
    const box = this.box(square.pod.node);
    box.places[square.place] = null;
    box.free.push(square.place);
    box.free.sort((a, b) => a - b);
    while (box.places.length && !box.places.at(-1)) {
      const last = box.places.length - 1;
      box.places.pop();
      box.free = box.free.filter((place) => place !== last);
    }
  }

  /** Places the boxes for a canvas of this shape; tells whether the whole changed its size. */
  arrange(nodes: Iterable<string>, aspect: number): boolean {
    const names = [...nodes].sort(new Intl.Collator("en", { numeric: true }).compare);
    for (const name of names) this.box(name);
    const known = new Set(names);
    for (const [name, box] of this.boxes)
      if (!known.has(name) && !box.places.length) this.boxes.delete(name);
    const order = [...this.boxes.values()].sort((a, b) => +!!a.name - +!!b.name || compare(a.name, b.name));
    const most = Math.max(8, ...order.map((box) => box.places.length));
    // Grows in steps, so that the whole does not move with every pod.
    const room = most <= 32 ? Math.ceil(most / 8) * 8 : Math.ceil(most / 32) * 32;
    const columns = Math.max(6, Math.ceil(Math.sqrt(room * 1.7)));
    const rows = Math.ceil(room / columns);
    this.columns = columns;
    this.boxWidth = columns * CELL - GAP + ROOM * 2;
    this.boxHeight = rows * CELL - GAP + ROOM + TITLE + 2;
    const [w, h] = [this.boxWidth + SPACE, this.boxHeight + SPACE];
    const across = best(order.length, w / h / aspect);
    order.forEach((box, index) => {
      box.x = (index % across) * w;
      box.y = Math.floor(index / across) * h;
    });
    this.width = across * w - SPACE;
    this.height = Math.ceil(order.length / across) * h - SPACE;
    const shape = `${this.width} ${this.height}`;
    const isChanged = shape !== this.shape;
    this.shape = shape;
    return isChanged;
  }

  position(box: Box, place: number): [number, number] {
    return [box.x + ROOM + (place % this.columns) * CELL, box.y + TITLE + Math.floor(place / this.columns) * CELL];
  }

  /** What is at a point: a box, and a pod in it where there is one. */
  at(x: number, y: number): { box: Box; square: Square | null } | null {
    for (const box of this.boxes.values()) {
      if (x < box.x || y < box.y || x > box.x + this.boxWidth || y > box.y + this.boxHeight) continue;
      const column = Math.floor((x - box.x - ROOM) / CELL);
      const row = Math.floor((y - box.y - TITLE) / CELL);
      const inside = column >= 0 && column < this.columns && row >= 0;
      return { box, square: (inside && box.places[row * this.columns + column]) || null };
    }
    return null;
  }
}

/** How many boxes side by side are seen largest, where a box is `shape` times as wide, in the canvas' measure, as high. */
function best(count: number, shape: number): number {
  let [found, largest] = [1, 0];
  for (let across = 1; across <= count; across++) {
    const size = Math.min(1 / (across * shape), 1 / Math.ceil(count / across));
    if (size > largest * 1.001) [found, largest] = [across, size];
  }
  return found;
}

const collator = new Intl.Collator("en", { numeric: true });
const compare = collator.compare;
