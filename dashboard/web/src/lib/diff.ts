// The difference of two texts by lines (Myers, without the refinements), with a little of what is around.

export interface DiffLine {
  kind: "+" | "-" | " " | "…";
  text: string;
}

/** Unchanged lines shown around a change. */
const AROUND = 3;
/** Beyond so many edits, texts have nothing in common that is worth finding. */
const MAX_EDITS = 2000;

export function diff(before: string, after: string): DiffLine[] {
  const [a, b] = [before.trimEnd().split("\n"), after.trimEnd().split("\n")];
  return shorten(edits(a, b));
}

function edits(a: string[], b: string[]): DiffLine[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = (lines: string[]) => lines.map((text): DiffLine => ({ kind: " ", text }));
  const middle = myers(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...same(a.slice(0, start)), ...middle, ...same(end ? a.slice(-end) : [])];
}

function myers(a: string[], b: string[]): DiffLine[] {
  const trace: Map<number, number>[] = [];
  let far = new Map([[1, 0]]);
  for (let d = 0; d <= Math.min(a.length + b.length, MAX_EDITS); d++) {
    trace.push(new Map(far));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (far.get(k - 1) ?? -1) < (far.get(k + 1) ?? -1));
      let x = down ? (far.get(k + 1) ?? 0) : (far.get(k - 1) ?? 0) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) (x++, y++);
      far.set(k, x);
      if (x >= a.length && y >= b.length) return back(a, b, trace, d);
    }
  }
  return [...a.map((text): DiffLine => ({ kind: "-", text })), ...b.map((text): DiffLine => ({ kind: "+", text }))];
}

function back(a: string[], b: string[], trace: Map<number, number>[], depth: number): DiffLine[] {
  const found: DiffLine[] = [];
  let [x, y] = [a.length, b.length];
  for (let d = depth; d >= 0; d--) {
    const far = trace[d];
    const k = x - y;
    const down = k === -d || (k !== d && (far.get(k - 1) ?? -1) < (far.get(k + 1) ?? -1));
    const before = down ? k + 1 : k - 1;
    const fromX = d ? (far.get(before) ?? 0) : 0;
    const fromY = d ? fromX - before : 0;
    while (x > fromX && y > fromY) (found.push({ kind: " ", text: a[--x] }), y--);
    if (d) found.push(down ? { kind: "+", text: b[--y] } : { kind: "-", text: a[--x] });
  }
  return found.reverse();
}

function shorten(lines: DiffLine[]): DiffLine[] {
  const near = lines.map(() => false);
  lines.forEach((line, index) => {
    if (line.kind !== " ") for (let i = index - AROUND; i <= index + AROUND; i++) if (i in near) near[i] = true;
  });
  const found: DiffLine[] = [];
  lines.forEach((line, index) => {
    if (near[index]) found.push(line);
    else if (found.at(-1)?.kind !== "…") found.push({ kind: "…", text: "" });
  });
  return found;
}
