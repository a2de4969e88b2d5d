// What the viewer may do, by the rules that the API tells: controls that would be refused are not shown.
import { signal } from "@preact/signals";
import { k8s, viewer } from "./http";
import type { Kind } from "./kinds";

interface Rule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
}

const known = signal<Record<string, Rule[] | "asking">>({});

function rules(namespace: string): Rule[] | null {
  const have = known.value[namespace];
  if (have === undefined && viewer.value) queueMicrotask(() => ask(namespace));
  return Array.isArray(have) ? have : null;
}

async function ask(namespace: string) {
  if (known.peek()[namespace]) return;
  known.value = { ...known.peek(), [namespace]: "asking" };
  let found: Rule[];
  try {
    const review = await k8s("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
      method: "POST",
      body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } },
    });
    found = review.status?.resourceRules ?? [];
  } catch {
    // Not known: everything is shown, and the API says what it refuses.
    found = [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }];
  }
  known.value = { ...known.peek(), [namespace]: found };
}

/** Whether the rules allow it; false until they are known. */
export function may(verb: string, kind: Kind, namespace: string, subresource = "", name = ""): boolean {
  const resource = subresource ? `${kind.plural}/${subresource}` : kind.plural;
  const has = (list: string[] | undefined, text: string) => !!list && (list.includes("*") || list.includes(text));
  return (rules(namespace || "default") ?? []).some(
    (rule) =>
      has(rule.verbs, verb) &&
      has(rule.apiGroups, kind.group) &&
      (has(rule.resources, resource) || (!!subresource && !!rule.resources?.includes("*/" + subresource))) &&
      (!rule.resourceNames?.length || (!!name && rule.resourceNames.includes(name))),
  );
}
