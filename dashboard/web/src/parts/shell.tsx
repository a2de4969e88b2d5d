// The frame around every page: menu, namespace, search, theme, and what is said while the cluster does not answer.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { send, viewer } from "../lib/http";
import { builtIn, byId, kinds, kindsError, others, SECTIONS } from "../lib/kinds";
import { link } from "../lib/live";
import { FollowedList } from "../lib/object";
import { palette, theme } from "../lib/prefs";
import { now, span } from "../lib/time";
import { closeObject, go, namespace, opened, openKind, openPage, path } from "../lib/url";
import { LivePage } from "../pages/live";
import { KindPage } from "../pages/kind";
import { lazy } from "./lazy";
import { Palette, paletteOpen } from "./palette";
import { Empty, Waiting } from "./ui";

const Drawer = lazy(() => import("./drawer").then((m) => m.Drawer));
const Create = lazy(() => import("./create").then((m) => m.Create));
export const creating = signal(false);
const more = signal(false);
const began = Date.now();

export function Shell() {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement).closest?.("input, textarea, select, [contenteditable]");
      if ((event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !typing)) {
        event.preventDefault();
        paletteOpen.value = true;
      } else if (event.key === "Escape" && !event.defaultPrevented) {
        if (paletteOpen.value) paletteOpen.value = false;
        else if (creating.value) creating.value = false;
        else if (!typing) closeObject();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const { state, since, why } = link.value;
  const frozen = state === "frozen";
  return (
    <div class={"frame" + (frozen ? " frozen" : "")}>
      <Top />
      <nav class="side" aria-label="Kinds">
        <Menu />
      </nav>
      <main class="main">
        {frozen && (
          <div class="banner" role="alert">
            <span class="dot warn" />
            <span>
              Frozen: {why}. What you see is {span(now.value - since)} old and goes on by itself.
            </span>
          </div>
        )}
        <Page />
        {opened.value && <Drawer key={"drawer"} />}
      </main>
      {paletteOpen.value && <Palette />}
      {creating.value && <Create close={() => (creating.value = false)} />}
    </div>
  );
}

function Top() {
  return (
    <header class="top">
      <a
        class="brand"
        href="/"
        onClick={(event) => {
          event.preventDefault();
          openPage("/");
        }}
      >
        <img src="/icon.svg" alt="" /> Coracle
      </a>
      <Namespaces />
      <button class="search" onClick={() => (paletteOpen.value = true)}>
        <span class="grow" style={{ textAlign: "left" }}>
          Go to anything
        </span>
        <kbd>Ctrl K</kbd>
      </button>
      <span class="grow" />
      <Link />
      <button class="button" onClick={() => (creating.value = true)}>
        + Create
      </button>
      <select
        class="field"
        aria-label="Theme"
        value={theme.value + " " + palette.value}
        onChange={(event) => ([theme.value, palette.value] = event.currentTarget.value.split(" "))}
      >
        <option value="auto usual">Theme: system</option>
        <option value="dark usual">Dark</option>
        <option value="light usual">Light</option>
        <option value="dark safe">Dark, colour-blind</option>
        <option value="light safe">Light, colour-blind</option>
      </select>
      <button
        class="button"
        title={`Signed in as ${viewer.value?.user}`}
        onClick={() => send("/api/sign-out", { method: "POST", body: {} }).finally(() => (viewer.value = null))}
      >
        Sign out
      </button>
    </header>
  );
}

function Link() {
  const { state, since } = link.value;
  const [tone, text] = {
    live: ["good", "Live"],
    waiting: ["info", "Connecting"],
    frozen: ["warn", "Frozen " + span(now.value - since)],
    refused: ["idle", "Lists only"],
  }[state];
  return (
    <span class="state" role="status" data-link={state}>
      <span class={"dot " + tone} /> {text}
    </span>
  );
}

const names = signal<FollowedList | null>(null);
function Namespaces() {
  useEffect(() => {
    const list = new FollowedList("/api/v1/namespaces");
    names.value = list;
    return () => list.close();
  }, []);
  const known = (names.value?.items.value ?? []).map((item) => item.metadata.name).sort();
  const chosen = namespace.value;
  const type = names.value?.error.value && !known.length;
  if (type)
    return (
      <input
        class="field"
        placeholder="All namespaces"
        aria-label="Namespace"
        value={chosen}
        onChange={(event) => go(null, { ns: event.currentTarget.value })}
      />
    );
  return (
    <select class="field" aria-label="Namespace" value={chosen} onChange={(event) => go(null, { ns: event.currentTarget.value })}>
      <option value="">All namespaces</option>
      {(known.includes(chosen) || !chosen ? known : [chosen, ...known]).map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

function Menu() {
  const item = (id: string, text: string) => (
    <button key={id} aria-current={path.value === "/kinds/" + id ? "page" : undefined} onClick={() => openKind(id)}>
      <span class="cut">{text}</span>
    </button>
  );
  const custom = others.value.filter((kind) => !builtIn(kind));
  return (
    <>
      <button aria-current={path.value === "/" ? "page" : undefined} onClick={() => openPage("/")}>
        Live
      </button>
      {kindsError.value && !kinds.value.length && <p class="faint">{kindsError.value}</p>}
      {SECTIONS.map(([title, ids]) => {
        const known = ids.map((id) => byId.value.get(id)).filter((kind) => !!kind);
        return (
          known.length > 0 && (
            <div key={title}>
              <h2>{title}</h2>
              {known.map((kind) => item(kind.id, plain(kind.kind)))}
            </div>
          )
        );
      })}
      {custom.length > 0 && <h2>Custom resources</h2>}
      {custom.map((kind) => item(kind.id, plain(kind.kind)))}
      <h2>Everything</h2>
      {more.value && others.value.filter(builtIn).map((kind) => item(kind.id, plain(kind.kind)))}
      <button class="faint" onClick={() => (more.value = !more.value)}>
        {more.value ? "Fewer kinds" : "More kinds…"}
      </button>
    </>
  );
}

/** `PersistentVolumeClaim` as people read it, in the plural. */
export function plain(kind: string): string {
  if (kind === "EndpointSlice") return "EndpointSlices";
  if (kind === "HorizontalPodAutoscaler") return "Pod autoscalers";
  const words = kind.replace("PersistentVolume", "Volume").replace(/([a-z])([A-Z])/g, "$1 $2");
  const text = words[0] + words.slice(1).toLowerCase();
  if (/(s|x|ch)$/.test(text)) return text.endsWith("ss") || !text.endsWith("s") ? text + "es" : text;
  return text.endsWith("y") && !/[aeiou]y$/.test(text) ? text.slice(0, -1) + "ies" : text + "s";
}

function Page() {
  if (path.value === "/") return <LivePage />;
  const id = path.value.startsWith("/kinds/") ? path.value.slice(7) : "";
  const kind = byId.value.get(id);
  if (kind) return <KindPage key={id} kind={kind} />;
  if (!kinds.value.length) return <Waiting what="the kinds that the apiserver serves" since={began} />;
  return (
    <Empty title="There is no such page">
      <span>
        This cluster serves no kind <code>{id || path.value}</code>.
      </span>
      <button class="button" onClick={() => openPage("/")}>
        Go to the live view
      </button>
    </Empty>
  );
}
