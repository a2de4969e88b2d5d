// What can be done to objects, each with the kubectl line that does the same.
import { JSON_PATCH, k8s, MERGE } from "./http";
import { kubectlName, objectPath, type Kind } from "./kinds";
import type { Ref } from "./url";

export const scale = (kind: Kind, ref: Ref, replicas: number) =>
  k8s(objectPath(kind, ref, "scale"), { method: "PATCH", type: MERGE, body: { spec: { replicas } } });
export const scaleLine = (kind: Kind, ref: Ref, replicas: number) =>
  `kubectl scale ${kubectlName(kind, ref)} --replicas=${replicas}`;

export const remove = (kind: Kind, ref: Ref, uid: string) =>
  k8s(objectPath(kind, ref), {
    method: "DELETE",
    // The object that was looked at, not another of its name.
    body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background", preconditions: { uid } },
  });
export const removeLine = (kind: Kind, ref: Ref) => `kubectl delete ${kubectlName(kind, ref)}`;

export const merge = (kind: Kind, ref: Ref, body: unknown) =>
  k8s(objectPath(kind, ref), { method: "PATCH", type: MERGE, body });

export const restart = (kind: Kind, ref: Ref) =>
  merge(kind, ref, {
    spec: { template: { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() } } } },
  });

/** Gives a Deployment the template of one of its ReplicaSets, as `kubectl rollout undo` does. */
export function undoTo(kind: Kind, ref: Ref, replicaSet: any) {
  const template = structuredClone(replicaSet.spec.template);
  delete template.metadata?.labels?.["pod-template-hash"];
  return k8s(objectPath(kind, ref), {
    method: "PATCH",
    type: JSON_PATCH,
    body: [{ op: "replace", path: "/spec/template", value: template }],
  });
}

/** Cordons a node and evicts its pods, one after the other; tells of each. */
export async function drain(kind: Kind, ref: Ref, tell: (done: number, all: number, trouble: string[]) => void) {
  await merge(kind, ref, { spec: { unschedulable: true } });
  const { items } = await k8s("/api/v1/pods?fieldSelector=spec.nodeName=" + ref.name);
  const mine = (items as any[]).filter(
    (pod) =>
      !pod.metadata.ownerReferences?.some((owner: any) => owner.kind === "DaemonSet") &&
      !pod.metadata.annotations?.["kubernetes.io/config.mirror"] &&
      !["Succeeded", "Failed"].includes(pod.status?.phase),
  );
  const trouble: string[] = [];
  let done = 0;
  tell(0, mine.length, trouble);
  for (const pod of mine) {
    const { name, namespace } = pod.metadata;
    try {
      await k8s(`/api/v1/namespaces/${namespace}/pods/${name}/eviction`, {
        method: "POST",
        body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } },
      });
    } catch (error) {
      trouble.push(`${namespace}/${name}: ${error instanceof Error ? error.message : error}`);
    }
    tell(++done, mine.length, trouble);
  }
  return trouble;
}
