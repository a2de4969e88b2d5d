// One object, whatever its kind: overview, YAML, events, logs, rollout, and what can be done to it.
import { useEffect, useState } from "preact/hooks";
import { drain, merge, remove, removeLine, restart, scale, scaleLine } from "../lib/actions";
import { byId, kubectlName, type Kind } from "../lib/kinds";
import { link } from "../lib/live";
import { Followed } from "../lib/object";
import { may } from "../lib/rights";
import { closeObject, go, opened, param, type Ref } from "../lib/url";
import { lazy } from "./lazy";
import { Events } from "./events";
import { Overview } from "./overview";
import { Logs } from "./logs";
import { Rollout } from "./rollout";
import { Kubectl, say, sayFailure, State, unlessUndone, Waiting } from "./ui";

const Yaml = lazy(() => import("./yaml").then((m) => m.Yaml));

export function Drawer() {
  const ref = opened.value!;
  const kind = byId.value.get(ref.kind);
  const [followed, setFollowed] = useState<Followed | null>(null);
  useEffect(() => {
    if (!kind) return;
    const made = new Followed(kind, ref);
    setFollowed(made);
    return () => made.close();
  }, [ref.kind, ref.namespace, ref.name, !!kind]);
  // Between two objects: never the one with the actions of the other.
  if (!kind || !followed?.isOf(ref)) return <aside class="drawer" />;
  const object = followed.object.value;
  return (
    <aside class="drawer" aria-label={`${kind.kind} ${ref.name}`}>
      <div class="title">
        <div class="grow">
          <div class="faint">
            {kind.kind}
            {ref.namespace && ` in ${ref.namespace}`}
          </div>
          <h1>{ref.name}</h1>
        </div>
        {object && <State word={wordFor(kind, object, followed.gone.value)} />}
        <button class="button square" aria-label="Close" onClick={closeObject}>
          ✕
        </button>
      </div>
      {!object ? (
        followed.error.value ? (
          <div class="content">
            <div class="notice bad">{followed.error.value}</div>
          </div>
        ) : (
          <Waiting what={ref.name} since={followed.since} />
        )
      ) : (
        <Open kind={kind} target={ref} object={object} isGone={followed.gone.value} error={followed.error.value} />
      )}
    </aside>
  );
}

interface Props {
  kind: Kind;
  target: Ref;
  object: any;
  isGone: boolean;
  error: string;
}

function Open({ kind, target, object, isGone, error }: Props) {
  const tabs: [string, string][] = [["", "Overview"], ["yaml", "YAML"], ["events", "Events"]];
  const selects = object.spec?.selector?.matchLabels;
  if (kind.id === "v1/pods" || (selects && kind.group === "apps") || kind.id === "batch/v1/jobs") tabs.push(["logs", "Logs"]);
  if (kind.id === "apps/v1/deployments") tabs.push(["rollout", "Rollout"]);
  const tab = tabs.find(([id]) => id === param("tab"))?.[0] ?? "";
  return (
    <>
      {!isGone && <Actions kind={kind} target={target} object={object} />}
      <div class="tabs" role="tablist">
        {tabs.map(([id, text]) => (
          <button key={id} role="tab" aria-selected={tab === id} onClick={() => go(null, { tab: id })}>
            {text}
          </button>
        ))}
      </div>
      <div class="content" role="tabpanel">
        {isGone && <p class="notice warn section">This object is gone. What you see is how it was last.</p>}
        {error && <p class="notice warn section">{error}</p>}
        {tab === "" && <Overview kind={kind} object={object} />}
        {tab === "yaml" && <Yaml kind={kind} target={target} object={object} isGone={isGone} />}
        {tab === "events" && <Events object={object} />}
        {tab === "logs" && <Logs kind={kind} object={object} />}
        {tab === "rollout" && <Rollout kind={kind} target={target} object={object} />}
      </div>
    </>
  );
}

/** The one word that says how it is. */
function wordFor(kind: Kind, object: any, isGone: boolean): string {
  if (isGone) return "Deleted";
  if (object.metadata.deletionTimestamp) return "Terminating";
  const status = object.status ?? {};
  if (kind.id === "v1/pods") {
    const waiting = (status.containerStatuses ?? []).map((c: any) => c.state?.waiting?.reason).find(Boolean);
    return waiting ?? status.reason ?? status.phase ?? "Pending";
  }
  if (kind.id === "v1/nodes") {
    const ready = status.conditions?.find((c: any) => c.type === "Ready")?.status === "True";
    return (ready ? "Ready" : "NotReady") + (object.spec?.unschedulable ? ",SchedulingDisabled" : "");
  }
  if (typeof status.phase === "string") return status.phase;
  if (object.spec?.replicas !== undefined) return (status.readyReplicas ?? 0) === object.spec.replicas ? "Available" : "Progressing";
  return "Active";
}

function Actions({ kind, target, object }: { kind: Kind; target: Ref; object: any }) {
  const [line, setLine] = useState("");
  const isFrozen = link.value.state === "frozen";
  const { namespace, name } = target;
  const can = (verb: string, subresource = "") => may(verb, kind, namespace, subresource, name);
  const button = (text: string, command: string, act: () => void, tone = "") => (
    <button class={"button small " + tone} disabled={isFrozen} title={command} onMouseEnter={() => setLine(command)} onFocus={() => setLine(command)} onClick={act}>
      {text}
    </button>
  );
  const replicas: number | undefined = object.spec?.replicas;
  const path = kubectlName(kind, target);
  const isNode = kind.id === "v1/nodes";
  return (
    <>
      <div class="actions">
        {kind.subresources.includes("scale") && replicas !== undefined && can("patch", "scale") && (
          <Scale key={object.metadata.uid} kind={kind} target={target} replicas={replicas} isFrozen={isFrozen} tell={setLine} />
        )}
        {["deployments", "statefulsets", "daemonsets"].includes(kind.plural) &&
          kind.group === "apps" &&
          can("patch") &&
          button("Restart", `kubectl rollout restart ${path}`, () =>
            restart(kind, target).then(() => say(`${name} is rolled out anew`), sayFailure(`restart ${name}`)),
          )}
        {kind.id === "apps/v1/deployments" &&
          can("patch") &&
          button(object.spec.paused ? "Resume" : "Pause", `kubectl rollout ${object.spec.paused ? "resume" : "pause"} ${path}`, () =>
            merge(kind, target, { spec: { paused: !object.spec.paused } }).catch(sayFailure(`pause ${name}`)),
          )}
        {isNode &&
          can("patch") &&
          button(object.spec?.unschedulable ? "Uncordon" : "Cordon", `kubectl ${object.spec?.unschedulable ? "uncordon" : "cordon"} ${name}`, () =>
            merge(kind, target, { spec: { unschedulable: object.spec?.unschedulable ? null : true } }).catch(sayFailure(`cordon ${name}`)),
          )}
        {isNode && can("patch") && <Drain kind={kind} target={target} isFrozen={isFrozen} tell={setLine} />}
        {kind.verbs.includes("delete") &&
          can("delete") &&
          !object.metadata.deletionTimestamp &&
          button(
            "Delete",
            removeLine(kind, target),
            () =>
              unlessUndone(`Deleting ${kind.kind} ${name}`, () =>
                remove(kind, target, object.metadata.uid).then(() => say(`${kind.kind} ${name} is deleted`), sayFailure(`delete ${name}`)),
              ),
            "danger",
          )}
      </div>
      <div class="actions">
        <div class="grow">
          <Kubectl line={line || `kubectl get ${path} -o yaml`} />
        </div>
      </div>
    </>
  );
}

interface ScaleProps {
  kind: Kind;
  target: Ref;
  replicas: number;
  isFrozen: boolean;
  tell: (line: string) => void;
}
function Scale({ kind, target, replicas, isFrozen, tell }: ScaleProps) {
  const [text, setText] = useState(String(replicas));
  useEffect(() => setText(String(replicas)), [replicas]);
  const wanted = Number(text);
  const isGood = /^\d+$/.test(text) && wanted <= 100_000;
  const act = (event: Event) => {
    event.preventDefault();
    if (isGood) scale(kind, target, wanted).then(() => say(`${target.name} is scaled to ${wanted}`), sayFailure(`scale ${target.name}`));
  };
  return (
    <form class="row" style={{ gap: "6px" }} onSubmit={act}>
      <input
        class="field"
        style={{ width: "72px", height: "24px" }}
        aria-label="Replicas"
        inputMode="numeric"
        value={text}
        onInput={(event) => (setText(event.currentTarget.value), tell(scaleLine(kind, target, Number(event.currentTarget.value) || 0)))}
      />
      <button class="button small" disabled={isFrozen || !isGood || wanted === replicas} onMouseEnter={() => tell(scaleLine(kind, target, wanted))}>
        Scale
      </button>
    </form>
  );
}

function Drain({ kind, target, isFrozen, tell }: { kind: Kind; target: Ref; isFrozen: boolean; tell: (line: string) => void }) {
  const [busy, setBusy] = useState("");
  const command = `kubectl drain ${target.name} --ignore-daemonsets --delete-emptydir-data`;
  const act = async () => {
    setBusy("Cordoning…");
    try {
      const trouble = await drain(kind, target, (done, all) => setBusy(`Evicted ${done} of ${all}`));
      if (trouble.length) say(`not evicted: ${trouble.slice(0, 3).join("; ")}${trouble.length > 3 ? ` and ${trouble.length - 3} more` : ""}`, "bad", 12000);
      else say(`${target.name} is drained`);
    } catch (error) {
      sayFailure(`drain ${target.name}`)(error);
    }
    setBusy("");
  };
  return (
    <button
      class="button small danger"
      disabled={isFrozen || !!busy}
      title={command}
      onMouseEnter={() => tell(command)}
      onClick={() => unlessUndone(`Draining ${target.name}`, act)}
    >
      {busy || "Drain"}
    </button>
  );
}
