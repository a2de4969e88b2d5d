// A Deployment's rollout: its ReplicaSets as bars, old and new, and the way back to any of them.
import { useEffect, useState } from "preact/hooks";
import { undoTo } from "../lib/actions";
import { kubectlName, type Kind } from "../lib/kinds";
import { link } from "../lib/live";
import { FollowedList } from "../lib/object";
import { may } from "../lib/rights";
import { age } from "../lib/time";
import { openObject, type Ref } from "../lib/url";
import { numbers } from "./strip";
import { Kubectl, say, sayFailure } from "./ui";

const REVISION = "deployment.kubernetes.io/revision";
const revisionOf = (object: any) => Number(object.metadata.annotations?.[REVISION] ?? 0);

/** What a fraction or a number of `maxSurge` and `maxUnavailable` comes to. */
function amount(value: number | string | undefined, of: number, round: (n: number) => number): number {
  const text = value ?? "25%";
  return typeof text === "string" && text.endsWith("%") ? round((parseInt(text) * of) / 100) : Number(text);
}

export function Rollout({ kind, target, object }: { kind: Kind; target: Ref; object: any }) {
  const [list, setList] = useState<FollowedList | null>(null);
  useEffect(() => {
    const labelSelector = Object.entries(object.spec.selector.matchLabels ?? {}).map(([k, v]) => `${k}=${v}`).join(",");
    const made = new FollowedList(`/apis/apps/v1/namespaces/${target.namespace}/replicasets`, { labelSelector });
    setList(made);
    return () => made.close();
  }, [object.metadata.uid]);
  const mine = (list?.items.value ?? []).filter((set) => set.metadata.ownerReferences?.some((owner: any) => owner.uid === object.metadata.uid));
  mine.sort((a, b) => revisionOf(b) - revisionOf(a));
  const { wanted, ready, updated, isSettled } = numbers(object);
  const rolling = object.spec.strategy?.rollingUpdate;
  const surge = rolling ? amount(rolling.maxSurge, wanted, Math.ceil) : 0;
  const missing = rolling ? amount(rolling.maxUnavailable, wanted, Math.floor) : wanted;
  const most = Math.max(1, wanted + surge);
  const current = mine[0] && revisionOf(mine[0]);
  const path = kubectlName(kind, target);
  const undo = (set: any) =>
    undoTo(kind, target, set).then(() => say(`${target.name} goes back to revision ${revisionOf(set)}`), sayFailure("undo the rollout"));
  return (
    <>
      <p class={"notice section " + (isSettled ? "good" : "warn")} data-settled={isSettled}>
        {object.spec.paused
          ? "Paused: changes of the template wait until the rollout is resumed."
          : isSettled
            ? `Rolled out: all ${wanted} pods are of revision ${current ?? "–"} and ready.`
            : `Rolling out: ${updated} of ${wanted} pods updated, ${ready} ready.`}{" "}
        <span class="faint">
          At most {most} pods, at least {Math.max(0, wanted - missing)} ready.
        </span>
      </p>
      <div class="bars section">
        {mine.map((set, index) => {
          const want = set.spec.replicas ?? 0;
          const have = set.status?.readyReplicas ?? 0;
          const images = set.spec.template.spec.containers.map((c: any) => c.image).join(", ");
          return (
            <div key={set.metadata.uid} class={index ? "idle" : "good"} data-revision={revisionOf(set)}>
              <div class="row">
                <b>Revision {revisionOf(set)}</b>
                {index === 0 && <span class="chip">current</span>}
                <button class="link cut grow" onClick={() => openObject({ kind: "apps/v1/replicasets", namespace: target.namespace, name: set.metadata.name })}>
                  {set.metadata.name}
                </button>
                <span class="num">
                  {have} / {want}
                </span>
                <span class="faint num">{age(set.metadata.creationTimestamp)}</span>
                {index > 0 && may("patch", kind, target.namespace, "", target.name) && (
                  <button class="button small" disabled={link.value.state === "frozen"} title={`kubectl rollout undo ${path} --to-revision=${revisionOf(set)}`} onClick={() => undo(set)}>
                    Undo to this
                  </button>
                )}
              </div>
              <div class="mono faint cut">{images}</div>
              <div class="track">
                <i class="soft" style={{ width: `${(want / most) * 100}%` }} />
                <i style={{ width: `${(have / most) * 100}%` }} />
              </div>
            </div>
          );
        })}
        {list && !mine.length && <span class="dim">{list.error.value || (list.ready.value ? "No ReplicaSets yet." : "Waiting for ReplicaSets…")}</span>}
      </div>
      <Kubectl line={`kubectl rollout history ${path}`} />
    </>
  );
}
