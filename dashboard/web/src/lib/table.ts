// A list of one kind, live: rows and columns from the server's Table, then a watch of the same.
import { signal } from "@preact/signals";
import { Failure, k8s, sleep, TABLE, why } from "./http";
import { lines } from "./streams";
import { listPath, type Kind } from "./kinds";

export interface Column {
  name: string;
  type: string;
  priority: number;
  description: string;
}
export interface Row {
  cells: any[];
  object: { metadata: any };
  /** When it last changed on this page, for the flash; 0 for never. */
  changed: number;
}

/** Rows a page asks for, and the most that it holds; beyond that a selector is the way. */
const PAGE = 500;
export const MAX_ROWS = 10_000;
/** Changes are shown together, at most this often. */
const REDRAW_MS = 100;

export class Table {
  readonly columns = signal<Column[]>([]);
  readonly rows = signal<Row[]>([]);
  readonly state = signal<"loading" | "live" | "broken">("loading");
  readonly error = signal("");
  readonly since = signal(Date.now());
  readonly isCut = signal(false);
  readonly revision = signal("");
  private byUid = new Map<string, Row>();
  private stop = new AbortController();
  private redraw = 0;

  constructor(
    private kind: Kind,
    private namespace: string,
    private query: URLSearchParams,
  ) {
    void this.run();
  }

  close() {
    this.stop.abort();
    clearTimeout(this.redraw);
  }

  private async run() {
    let wait = 100;
    let revision = "";
    while (!this.stop.signal.aborted) {
      try {
        if (!revision) revision = await this.list();
        this.set("live");
        wait = 100;
        revision = await this.watch(revision);
      } catch (error) {
        if (this.stop.signal.aborted) return;
        if (error instanceof Failure && error.code === 410) revision = "";
        else {
          this.error.value = why(error);
          this.set("broken");
          if (error instanceof Failure && [400, 403, 404, 405].includes(error.code)) return;
        }
      }
      await sleep(wait, this.stop.signal);
      wait = Math.min(wait * 2, 1000);
    }
  }

  private set(state: "loading" | "live" | "broken") {
    if (this.state.peek() === state) return;
    this.state.value = state;
    this.since.value = Date.now();
    if (state === "live") this.error.value = "";
  }

  private path(extra: Record<string, string>) {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(extra)) query.set(name, value);
    return listPath(this.kind, this.namespace) + "?" + query;
  }

  private async list(): Promise<string> {
    const found = new Map<string, Row>();
    let next = "";
    let revision = "";
    do {
      const page = await k8s(this.path({ limit: String(PAGE), ...(next ? { continue: next } : {}) }), {
        accept: TABLE,
        signal: this.stop.signal,
      });
      if (page.columnDefinitions) this.columns.value = page.columnDefinitions;
      for (const row of page.rows ?? []) found.set(row.object.metadata.uid, { ...row, changed: 0 });
      next = page.metadata.continue ?? "";
      revision = page.metadata.resourceVersion;
      this.isCut.value = !!next && found.size >= MAX_ROWS;
      // The first page is on the screen while the others come.
      if (next && !this.byUid.size) this.rows.value = [...found.values()];
    } while (next && found.size < MAX_ROWS);
    this.byUid = found;
    this.show();
    return (this.revision.value = revision);
  }

  private async watch(from: string): Promise<string> {
    let revision = from;
    const path = this.path({ watch: "1", resourceVersion: from, allowWatchBookmarks: "true" });
    for await (const line of lines(path, { accept: TABLE, signal: this.stop.signal })) {
      if (!line) continue;
      const event = JSON.parse(line);
      if (event.type === "ERROR") throw new Failure(event.object.code ?? 500, event.object.message ?? "the watch broke");
      const table = event.object;
      if (table.columnDefinitions?.length) this.columns.value = table.columnDefinitions;
      for (const row of table.rows ?? []) {
        const { uid, resourceVersion } = row.object.metadata;
        if (event.type === "DELETED") this.byUid.delete(uid);
        else if (event.type !== "BOOKMARK" && (this.byUid.has(uid) || this.byUid.size < MAX_ROWS))
          this.byUid.set(uid, { ...row, changed: Date.now() });
        if (resourceVersion) revision = resourceVersion;
      }
      revision = table.metadata?.resourceVersion || revision;
      this.redraw ||= window.setTimeout(() => ((this.redraw = 0), (this.revision.value = revision), this.show()), REDRAW_MS);
    }
    return revision;
  }

  private show() {
    this.rows.value = [...this.byUid.values()];
  }
}
