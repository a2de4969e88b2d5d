// What the API serves: every kind of discovery, with its paths and verbs.
import { computed, signal } from "@preact/signals";
import { k8s, why } from "./http";
import type { Ref } from "./url";

export interface Kind {
  /** `apps/v1/deployments`, or `v1/pods`. */
  id: string;
  group: string;
  version: string;
  apiVersion: string;
  kind: string;
  plural: string;
  singular: string;
  short: string[];
  namespaced: boolean;
  verbs: string[];
  subresources: string[];
}

export const kinds = signal<Kind[]>([]);
export const kindsError = signal("");
export const byId = computed(() => new Map(kinds.value.map((kind) => [kind.id, kind])));
export const find = (apiVersion: string, kind: string) =>
  kinds.value.find((k) => k.apiVersion === apiVersion && k.kind === kind);

const DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/** Asks which kinds there are. */
export async function discover() {
  try {
    const answers = await Promise.all(["/api", "/apis"].map((path) => k8s(path, { accept: DISCOVERY })));
    kinds.value = answers.flatMap((answer) => answer.items ?? []).flatMap(ofGroup);
    kindsError.value = "";
  } catch (error) {
    kindsError.value = why(error);
  }
}

function ofGroup(item: any): Kind[] {
  const group: string = item.metadata?.name ?? "";
  // The group's preferred version is its first.
  const version = item.versions?.[0];
  return (version?.resources ?? [])
    .filter((r: any) => r.verbs.includes("list"))
    .map((r: any) => ({
      id: `${group ? group + "/" : ""}${version.version}/${r.resource}`,
      group,
      version: version.version,
      apiVersion: (group ? group + "/" : "") + version.version,
      kind: r.responseKind.kind,
      plural: r.resource,
      singular: r.singularResource || r.responseKind.kind.toLowerCase(),
      short: r.shortNames ?? [],
      namespaced: r.scope === "Namespaced",
      verbs: r.verbs,
      subresources: (r.subresources ?? []).map((s: any) => s.subresource),
    }));
}

/** The path of a list, of one namespace or of all. */
export function listPath(kind: Kind, namespace: string): string {
  const base = (kind.group ? "/apis/" : "/api/") + kind.apiVersion;
  return base + (kind.namespaced && namespace ? `/namespaces/${namespace}` : "") + "/" + kind.plural;
}
export const objectPath = (kind: Kind, ref: { namespace: string; name: string }, subresource = "") =>
  listPath(kind, ref.namespace) + "/" + encodeURIComponent(ref.name) + (subresource ? "/" + subresource : "");

export const refOf = (object: any): Ref | null => {
  const kind = find(object.apiVersion, object.kind);
  return kind ? { kind: kind.id, namespace: object.metadata.namespace ?? "", name: object.metadata.name } : null;
};

/** What kubectl calls it: `deployment/web -n shop`. */
export const kubectlName = (kind: Kind, ref: Ref) =>
  `${kind.group && !WELL_KNOWN.has(kind.group) ? kind.plural + "." + kind.group : kind.singular}/${ref.name}` +
  (ref.namespace ? ` -n ${ref.namespace}` : "");
const WELL_KNOWN = new Set(["apps", "batch", "autoscaling", "networking.k8s.io", "rbac.authorization.k8s.io", "policy"]);

/** The sections of the menu, with the kinds that people look for first. */
export const SECTIONS: [string, string[]][] = [
  ["Workloads", ["v1/pods", "apps/v1/deployments", "apps/v1/replicasets", "apps/v1/statefulsets", "apps/v1/daemonsets", "batch/v1/jobs", "batch/v1/cronjobs", "autoscaling/v2/horizontalpodautoscalers"]],
  ["Network", ["v1/services", "discovery.k8s.io/v1/endpointslices", "networking.k8s.io/v1/ingresses", "networking.k8s.io/v1/networkpolicies"]],
  ["Storage", ["v1/persistentvolumeclaims", "v1/persistentvolumes", "storage.k8s.io/v1/storageclasses"]],
  ["Config", ["v1/configmaps", "v1/secrets", "v1/resourcequotas", "v1/limitranges"]],
  ["Cluster", ["v1/nodes", "v1/namespaces", "v1/events"]],
  ["Access", ["v1/serviceaccounts", "rbac.authorization.k8s.io/v1/roles", "rbac.authorization.k8s.io/v1/rolebindings", "rbac.authorization.k8s.io/v1/clusterroles", "rbac.authorization.k8s.io/v1/clusterrolebindings"]],
];
const LISTED = new Set(SECTIONS.flatMap(([, ids]) => ids));
/** Everything else that discovery lists, custom resources first. */
export const others = computed(() =>
  kinds.value
    .filter((kind) => !LISTED.has(kind.id))
    .sort((a, b) => +builtIn(a) - +builtIn(b) || a.kind.localeCompare(b.kind)),
);
export const builtIn = (kind: Kind) => !kind.group.includes(".") || kind.group.endsWith(".k8s.io");
