// A part that is loaded when it is first shown.
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>) {
  const loaded = signal<ComponentType<P> | null>(null);
  let asked = false;
  return (props: P) => {
    if (!asked) {
      asked = true;
      // A failed load is tried again when the part is shown next.
      load().then(
        (part) => (loaded.value = part),
        () => (asked = false),
      );
    }
    const Part: any = loaded.value;
    return Part ? <Part {...props} /> : null;
  };
}
