// YAML in and out. Loaded with the editor, not with the page.
import { dump, load, loadAll } from "js-yaml";

/** The largest manifest that is taken; the apiserver's own limit is 3 MiB a request. */
export const MAX_BYTES = 3 << 20;

/** An object as people read it; without the record of who owns which field unless asked for. */
export function toYaml(object: any, isFull: boolean): string {
  const { managedFields, ...metadata } = object.metadata ?? {};
  return dump(isFull ? object : { ...object, metadata }, { lineWidth: -1, noRefs: true });
}

function bounded(text: string) {
  if (text.length > MAX_BYTES) throw new Error(`this text has ${(text.length / 1048576).toFixed(1)} MB; an object may have 3`);
  return text;
}

/** One object. */
export function fromYaml(text: string): any {
  const object = load(bounded(text));
  if (!object || typeof object !== "object" || Array.isArray(object)) throw new Error("this is no object: it needs apiVersion, kind and metadata");
  return object;
}

/** Every object of a text of several documents; Lists are opened. */
export function allFromYaml(text: string): any[] {
  const found: any[] = [];
  for (const document of loadAll(bounded(text)) as any[]) {
    if (document === null || document === undefined) continue;
    if (document.kind === "List" && Array.isArray(document.items)) found.push(...document.items);
    else found.push(document);
  }
  found.forEach((object, index) => {
    if (!object?.apiVersion || !object?.kind) throw new Error(`document ${index + 1} has no apiVersion or no kind`);
  });
  return found;
}
