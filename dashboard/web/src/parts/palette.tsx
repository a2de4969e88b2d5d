// Ctrl-K: go to any page, kind or object by typing a part of its name.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { k8s } from "../lib/http";
import { byId, kinds, listPath } from "../lib/kinds";
import { palette, theme } from "../lib/prefs";
import { go, namespace, openKind, openObject, openPage } from "../lib/url";
import { creating, plain } from "./shell";

export const paletteOpen = signal(false);

interface Entry {
  title: string;
  note: string;
  act: () => void;
}

const COMMANDS: Entry[] = [
  { title: "Live view", note: "page", act: () => openPage("/") },
  { title: "Create from a manifest", note: "action", act: () => (creating.value = true) },
  { title: "All namespaces", note: "namespace", act: () => go(null, { ns: "" }) },
  { title: "Dark theme", note: "setting", act: () => (theme.value = "dark") },
  { title: "Light theme", note: "setting", act: () => (theme.value = "light") },
  { title: "Colour-blind palette on or off", note: "setting", act: () => (palette.value = palette.value === "safe" ? "usual" : "safe") },
];
/** Kinds whose objects are found by name. */
const SEARCHED = ["apps/v1/deployments", "v1/pods", "v1/nodes", "v1/services", "apps/v1/statefulsets", "v1/namespaces", "v1/configmaps"];
/** Objects of each kind that are looked through, and entries that are shown. */
const LOOKED = 500;
const SHOWN = 40;

export function Palette() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [objects, setObjects] = useState<Entry[]>([]);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const stop = new AbortController();
    const found: Entry[] = [];
    for (const id of SEARCHED) {
      const kind = byId.value.get(id);
      if (!kind) continue;
      const accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";
      k8s(`${listPath(kind, namespace.value)}?limit=${LOOKED}`, { accept, signal: stop.signal })
        .then((answer) => {
          for (const { metadata } of answer.items ?? []) {
            const ref = { kind: id, namespace: metadata.namespace ?? "", name: metadata.name };
            found.push({
              title: metadata.name,
              note: kind.kind + (metadata.namespace ? " · " + metadata.namespace : ""),
              act: () => openObject(ref),
            });
          }
          setObjects([...found]);
        })
        .catch(() => {});
    }
    return () => stop.abort();
  }, []);
  const pages: Entry[] = kinds.value.map((kind) => ({
    title: plain(kind.kind),
    note: [kind.group || "core", ...kind.short].join(" · "),
    act: () => openKind(kind.id),
  }));
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (entry: Entry) => words.every((word) => (entry.title + " " + entry.note).toLowerCase().includes(word));
  const rank = (entry: Entry) =>
    entry.title.toLowerCase().startsWith(words[0] ?? "") || entry.note.split(" · ").includes(words[0] ?? "") ? 0 : 1;
  const entries = [...COMMANDS, ...pages, ...objects]
    .filter(fits)
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, SHOWN);
  const run = (entry: Entry | undefined) => {
    if (!entry) return;
    paletteOpen.value = false;
    entry.act();
  };
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const next = (at + step + entries.length) % Math.max(1, entries.length);
      setAt(next);
      list.current?.children[next]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") run(entries[at]);
  };
  return (
    <div class="veil" onClick={(event) => event.target === event.currentTarget && (paletteOpen.value = false)}>
      <div class="dialog" role="dialog" aria-label="Go to anything">
        <input
          ref={(input) => input?.focus()}
          value={text}
          placeholder="A kind, an object's name, or what you want to do"
          aria-label="Search"
          onInput={(event) => (setText(event.currentTarget.value), setAt(0))}
          onKeyDown={onKey}
        />
        <div class="list" role="listbox" ref={list}>
          {entries.map((entry, index) => (
            <button
              key={entry.title + entry.note}
              role="option"
              aria-selected={index === at}
              onMouseEnter={() => setAt(index)}
              onClick={() => run(entry)}
            >
              <span class="grow cut">{entry.title}</span>
              <span class="faint cut">{entry.note}</span>
            </button>
          ))}
          {!entries.length && <p class="dim empty">Nothing is called “{text}” here.</p>}
        </div>
      </div>
    </div>
  );
}
