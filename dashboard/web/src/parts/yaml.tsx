// An object as YAML: read, edited, tried without keeping (dry run), shown as a difference, and applied.
//
// What is applied carries the resourceVersion that was read, so a change by somebody else in between is a conflict and
// is shown, never overwritten. The edit stays in the box whatever the API answers.
import { useState } from "preact/hooks";
import { diff, type DiffLine } from "../lib/diff";
import { Failure, k8s, why } from "../lib/http";
import { kubectlName, objectPath, type Kind } from "../lib/kinds";
import { link } from "../lib/live";
import { may } from "../lib/rights";
import { fromYaml, toYaml } from "../lib/yaml";
import type { Ref } from "../lib/url";
import { Kubectl, say } from "./ui";

interface Edit {
  /** As it was when editing began. */
  base: any;
  text: string;
  problem: string;
  isConflict: boolean;
  /** What the server would make of it, compared with what is. */
  change: DiffLine[] | null;
  isBusy: boolean;
}

export function Yaml({ kind, target, object, isGone }: { kind: Kind; target: Ref; object: any; isGone: boolean }) {
  const [edit, setEdit] = useState<Edit | null>(null);
  const [isFull, setFull] = useState(false);
  const full = { apiVersion: kind.apiVersion, kind: kind.kind, ...object };
  const begin = (text?: string) =>
    setEdit({ base: full, text: text ?? toYaml(full, false), problem: "", isConflict: false, change: null, isBusy: false });
  const isFrozen = link.value.state === "frozen";

  if (!edit)
    return (
      <div class="fill">
        <div class="row">
          {!isGone && kind.verbs.includes("update") && may("update", kind, target.namespace, "", target.name) && (
            <button class="button main-action" onClick={() => begin()}>
              Edit
            </button>
          )}
          <label class="state dim">
            <input type="checkbox" checked={isFull} onChange={() => setFull(!isFull)} /> managed fields
          </label>
          <span class="grow" />
        </div>
        <pre class="code" tabIndex={0}>
          {toYaml(full, isFull)}
        </pre>
      </div>
    );

  const put = async (isTrial: boolean) => {
    setEdit({ ...edit, isBusy: true, problem: "", isConflict: false });
    try {
      const wanted = fromYaml(edit.text);
      const answer = await k8s(objectPath(kind, target) + (isTrial ? "?dryRun=All&" : "?") + "fieldManager=coracle-dashboard&fieldValidation=Strict", {
        method: "PUT",
        body: wanted,
      });
      if (isTrial) setEdit({ ...edit, isBusy: false, problem: "", change: diff(toYaml(edit.base, false), toYaml(answer, false)) });
      else {
        setEdit(null);
        say(`${kind.kind} ${target.name} is applied`);
      }
    } catch (error) {
      const isConflict = error instanceof Failure && error.code === 409;
      setEdit({ ...edit, isBusy: false, problem: why(error), isConflict, change: null });
    }
  };
  const isStale = object.metadata.resourceVersion !== edit.base.metadata.resourceVersion;
  const rebase = () => {
    // The edit, on top of what is there now: only the version that it was read at changes.
    const text = edit.text.replace(/^(\s+resourceVersion:\s*).*$/m, `$1'${object.metadata.resourceVersion}'`);
    begin(text);
  };
  return (
    <div class="fill">
      <div class="row wrap">
        {edit.change ? (
          <>
            <button class="button main-action" disabled={edit.isBusy || isFrozen || !edit.change.some((line) => line.kind !== " ")} onClick={() => put(false)}>
              Apply
            </button>
            <button class="button" onClick={() => setEdit({ ...edit, change: null })}>
              Back to the edit
            </button>
          </>
        ) : (
          <button class="button main-action" disabled={edit.isBusy || isFrozen} onClick={() => put(true)}>
            {edit.isBusy ? "Trying…" : "Review changes"}
          </button>
        )}
        <button class="button" onClick={() => setEdit(null)}>
          Discard
        </button>
        {isStale && !edit.isConflict && <span class="dim">It has changed since you began to edit.</span>}
      </div>
      {isFrozen && <div class="notice warn">The apiserver does not answer. Your edit is kept here.</div>}
      {edit.problem && (
        <div class="notice bad" role="alert">
          {edit.problem}
          {edit.isConflict && (
            <div class="row">
              <button class="button small" onClick={rebase}>
                Keep my edit, on top of what is there now
              </button>
            </div>
          )}
        </div>
      )}
      {edit.change ? (
        <>
          <Difference change={edit.change} />
          <Kubectl line={`kubectl replace -f - # ${kubectlName(kind, target)}`} />
        </>
      ) : (
        <textarea
          class="code"
          aria-label="YAML"
          spellcheck={false}
          value={edit.text}
          onInput={(event) => setEdit({ ...edit, text: event.currentTarget.value })}
          onKeyDown={indent}
        />
      )}
    </div>
  );
}

export function Difference({ change }: { change: DiffLine[] }) {
  if (!change.some((line) => line.kind !== " ")) return <div class="notice">Nothing would change.</div>;
  return (
    <div class="diff" tabIndex={0} aria-label="What would change">
      {change.map((line, index) => (
        <div key={index} class={{ "+": "add", "-": "del", " ": "", "…": "gap" }[line.kind]}>
          {line.kind} {line.text}
        </div>
      ))}
    </div>
  );
}

/** Tab indents, as an editor's does; Escape first gives the key back to the page. */
export function indent(event: KeyboardEvent) {
  if (event.key !== "Tab" || event.shiftKey) return;
  const box = event.currentTarget as HTMLTextAreaElement;
  event.preventDefault();
  document.execCommand("insertText", false, "  ");
  box.focus();
}
