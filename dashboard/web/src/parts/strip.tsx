// The workloads of the namespace: desired against ready, buttons to scale, and how long the last change took.
import { useEffect, useState } from "preact/hooks";
import { scale, scaleLine } from "../lib/actions";
import { byId, type Kind } from "../lib/kinds";
import { link } from "../lib/live";
import { FollowedList } from "../lib/object";
import { may } from "../lib/rights";
import { namespace, openObject } from "../lib/url";
import { sayFailure } from "./ui";

const SHOWN = 40;
const IDS = ["apps/v1/deployments", "apps/v1/statefulsets", "apps/v1/daemonsets"];

interface Watch {
  began: number;
  took: number;
}
/** When each workload last began to change, and how long it took; by UID. */
const clocks = new Map<string, Watch>();

export function Strip() {
  const space = namespace.value;
  const known = IDS.filter((id) => byId.value.has(id)).join(" ");
  const [lists, setLists] = useState<[Kind, FollowedList][]>([]);
  useEffect(() => {
    const made = IDS.flatMap((id): [Kind, FollowedList][] => {
      const kind = byId.value.get(id);
      const path = "/apis/apps/v1" + (space ? `/namespaces/${space}` : "") + "/" + kind?.plural;
      return kind ? [[kind, new FollowedList(path)]] : [];
    });
    setLists(made);
    return () => made.forEach(([, list]) => list.close());
  }, [space, known]);
  const all = lists.flatMap(([kind, list]) => list.items.value.map((item): [Kind, any] => [kind, item]));
  all.sort((a, b) => a[1].metadata.name.localeCompare(b[1].metadata.name));
  if (!all.length)
    return (
      <div class="strip">
        <span class="dim">
          {lists.every(([, list]) => list.ready.value) ? "No workloads here yet: create a Deployment and see its pods appear." : "Waiting for workloads…"}
        </span>
      </div>
    );
  return (
    <div class="strip" aria-label="Workloads">
      {all.slice(0, SHOWN).map(([kind, item]) => (
        <Card key={item.metadata.uid} kind={kind} item={item} />
      ))}
      {all.length > SHOWN && <span class="dim">and {all.length - SHOWN} more: choose a namespace</span>}
    </div>
  );
}

export function numbers(item: any) {
  const status = item.status ?? {};
  const wanted = item.spec?.replicas ?? status.desiredNumberScheduled ?? 0;
  const ready = status.readyReplicas ?? status.numberReady ?? 0;
  const updated = status.updatedReplicas ?? status.updatedNumberScheduled ?? 0;
  const isSeen = (status.observedGeneration ?? 0) >= (item.metadata.generation ?? 0);
  const isSettled = isSeen && ready === wanted && updated === wanted && (status.replicas ?? wanted) === wanted;
  return { wanted, ready, updated, isSettled };
}

function Card({ kind, item }: { kind: Kind; item: any }) {
  const { wanted, ready, isSettled } = numbers(item);
  const { name, namespace, uid } = item.metadata;
  const ref = { kind: kind.id, namespace, name };
  let clock = clocks.get(uid);
  if (!isSettled && (!clock || clock.took)) clocks.set(uid, (clock = { began: Date.now(), took: 0 }));
  if (isSettled && clock && !clock.took) clock.took = Date.now() - clock.began;
  const isScaled = kind.subresources.includes("scale") && may("patch", kind, namespace, "scale", name);
  const isFrozen = link.value.state === "frozen";
  const to = (replicas: number) => scale(kind, ref, Math.max(0, replicas)).catch(sayFailure(`scale ${name}`));
  return (
    <article class={"card " + (isSettled ? "good" : "warn")} data-workload={name}>
      <div class="row" style={{ gap: "6px" }}>
        <button class="link grow cut" title={`${kind.kind} ${namespace}/${name}`} onClick={() => openObject(ref)}>
          {name}
        </button>
        <span class="faint">{kind.kind === "Deployment" ? "" : kind.kind.replace("Set", "")}</span>
      </div>
      <div class="bar">
        <i style={{ width: `${wanted ? Math.min(100, (ready / wanted) * 100) : 100}%` }} />
      </div>
      <div class="row" style={{ gap: "6px" }}>
        <span class="big">
          {ready}
          <span class="faint"> / {wanted}</span>
        </span>
        <span class="faint num grow" title="From the change to all ready">
          {clock ? (clock.took ? `${(clock.took / 1000).toFixed(1)} s` : <Running since={clock.began} />) : ""}
        </span>
        {isScaled && (
          <>
            <button class="button square" disabled={isFrozen || !wanted} aria-label={`One less of ${name}`} title={scaleLine(kind, ref, wanted - 1)} onClick={() => to(wanted - 1)}>
              −
            </button>
            <button class="button square" disabled={isFrozen} aria-label={`One more of ${name}`} title={scaleLine(kind, ref, wanted + 1)} onClick={() => to(wanted + 1)}>
              +
            </button>
          </>
        )}
      </div>
    </article>
  );
}

function Running({ since }: { since: number }) {
  const [, again] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => again((n) => n + 1), 100);
    return () => clearInterval(timer);
  }, []);
  return <>{((Date.now() - since) / 1000).toFixed(1)} s</>;
}
