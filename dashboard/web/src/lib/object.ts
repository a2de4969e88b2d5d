// One object, followed: read once, then watched, and marked when it is gone.
import { signal } from "@preact/signals";
import { Failure, k8s, sleep, why } from "./http";
import { lines } from "./streams";
import { listPath, objectPath, type Kind } from "./kinds";
import { refText, type Ref } from "./url";

export class Followed {
  readonly object = signal<any>(null);
  readonly gone = signal(false);
  readonly error = signal("");
  readonly since = Date.now();
  private stop = new AbortController();

  constructor(
    private kind: Kind,
    private ref: Ref,
  ) {
    void this.run();
  }
  close() {
    this.stop.abort();
  }
  isOf(ref: Ref) {
    return refText(ref) === refText(this.ref);
  }

  private async run() {
    const { signal } = this.stop;
    let wait = 100;
    while (!signal.aborted) {
      try {
        const object = await k8s(objectPath(this.kind, this.ref), { signal });
        this.object.value = object;
        this.gone.value = false;
        this.error.value = "";
        wait = 100;
        if (!this.kind.verbs.includes("watch")) return;
        await this.watch(object.metadata.resourceVersion);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Failure && error.code === 404 && this.object.peek()) this.gone.value = true;
        else this.error.value = why(error);
        if (error instanceof Failure && error.code === 403) return;
      }
      await sleep(wait, signal);
      wait = Math.min(wait * 2, 2000);
    }
  }

  private async watch(revision: string) {
    const query = new URLSearchParams({ watch: "1", resourceVersion: revision, fieldSelector: "metadata.name=" + this.ref.name });
    for await (const line of lines(listPath(this.kind, this.ref.namespace) + "?" + query, { signal: this.stop.signal })) {
      const event = JSON.parse(line);
      if (event.type === "ERROR") return;
      if (event.type !== "BOOKMARK") this.object.value = event.object;
      this.gone.value = event.type === "DELETED";
    }
  }
}

/** A list that is followed, as whole objects: for the few that a page needs in full. */
export class FollowedList {
  readonly items = signal<any[]>([]);
  readonly ready = signal(false);
  readonly error = signal("");
  private byUid = new Map<string, any>();
  private stop = new AbortController();

  constructor(
    private path: string,
    private query: Record<string, string> = {},
  ) {
    void this.run();
  }
  close() {
    this.stop.abort();
  }

  private async run() {
    const { signal } = this.stop;
    let wait = 100;
    while (!signal.aborted) {
      try {
        const list = await k8s(`${this.path}?${new URLSearchParams({ ...this.query, limit: "500" })}`, { signal });
        this.byUid = new Map(list.items.map((item: any) => [item.metadata.uid, item]));
        this.items.value = [...this.byUid.values()];
        this.ready.value = true;
        this.error.value = "";
        wait = 100;
        const query = new URLSearchParams({ ...this.query, watch: "1", resourceVersion: list.metadata.resourceVersion });
        for await (const line of lines(`${this.path}?${query}`, { signal })) {
          const { type, object } = JSON.parse(line);
          if (type === "ERROR") break;
          if (type === "DELETED") this.byUid.delete(object.metadata.uid);
          else if (type !== "BOOKMARK") this.byUid.set(object.metadata.uid, object);
          this.items.value = [...this.byUid.values()];
        }
      } catch (error) {
        if (signal.aborted) return;
        this.error.value = why(error);
        if (error instanceof Failure && [403, 404].includes(error.code)) return;
      }
      await sleep(wait, signal);
      wait = Math.min(wait * 2, 2000);
    }
  }
}
