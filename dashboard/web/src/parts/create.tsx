// Creates whatever a manifest holds, tried as a whole before anything is kept. Examples are at hand.
import { useState } from "preact/hooks";
import { k8s, why } from "../lib/http";
import { find, listPath } from "../lib/kinds";
import { link } from "../lib/live";
import { namespace, openObject } from "../lib/url";
import { EXAMPLES } from "../lib/examples";
import { allFromYaml } from "../lib/yaml";
import { Kubectl, say } from "./ui";
import { indent } from "./yaml";

interface Outcome {
  name: string;
  text: string;
  isGood: boolean;
}

export function Create({ close }: { close: () => void }) {
  const [text, setText] = useState(EXAMPLES[0].text);
  const [outcomes, setOutcomes] = useState<Outcome[]>([]);
  const [isBusy, setBusy] = useState(false);
  const isFrozen = link.value.state === "frozen";

  const post = (object: any, isTrial: boolean) => {
    const kind = find(object.apiVersion, object.kind);
    if (!kind) throw new Error(`this cluster serves no ${object.kind} of ${object.apiVersion}`);
    const space = kind.namespaced ? (object.metadata?.namespace ?? (namespace.value || "default")) : "";
    const query = `?fieldManager=coracle-dashboard&fieldValidation=Strict${isTrial ? "&dryRun=All" : ""}`;
    return k8s(listPath(kind, space) + query, { method: "POST", body: object });
  };
  /** Every document is tried first, so that a mistake in the last does not leave half. */
  const run = async (isTrialOnly: boolean) => {
    setBusy(true);
    const found: Outcome[] = [];
    try {
      const objects = allFromYaml(text);
      if (!objects.length) throw new Error("there is no object in this text");
      const spaces = new Set(objects.filter((o) => o.kind === "Namespace").map((o) => o.metadata?.name));
      for (const isTrial of isTrialOnly ? [true] : [true, false]) {
        found.length = 0;
        for (const object of objects) {
          const name = `${object.kind} ${object.metadata?.name ?? object.metadata?.generateName ?? ""}`;
          try {
            // What goes into a namespace of the same text cannot be tried before that exists.
            const isUntried = isTrial && spaces.has(object.metadata?.namespace);
            if (!isUntried) await post(object, isTrial);
            found.push({ name, text: isTrial ? "would be created" : "created", isGood: true });
          } catch (error) {
            found.push({ name, text: why(error), isGood: false });
          }
        }
        if (found.some((outcome) => !outcome.isGood)) break;
        if (!isTrial) {
          say(objects.length === 1 ? `${found[0].name} is created` : `${objects.length} objects are created`);
          const kind = find(objects[0].apiVersion, objects[0].kind);
          close();
          if (objects.length === 1 && kind && objects[0].metadata?.name)
            openObject({ kind: kind.id, namespace: kind.namespaced ? (objects[0].metadata.namespace ?? (namespace.value || "default")) : "", name: objects[0].metadata.name });
          return;
        }
      }
    } catch (error) {
      found.push({ name: "The text", text: why(error), isGood: false });
    }
    setOutcomes(found);
    setBusy(false);
  };
  return (
    <div class="veil" onClick={(event) => event.target === event.currentTarget && close()}>
      <div class="dialog wide" role="dialog" aria-label="Create from a manifest">
        <div class="head">
          <h1>Create</h1>
          <span class="dim">in {namespace.value || "default"}, where the manifest names no namespace</span>
          <span class="grow" />
          <select class="field" aria-label="Example" onChange={(event) => setText(EXAMPLES[event.currentTarget.selectedIndex].text)}>
            {EXAMPLES.map((example) => (
              <option key={example.title}>{example.title}</option>
            ))}
          </select>
          <button class="button square" aria-label="Close" onClick={close}>
            ✕
          </button>
        </div>
        <div class="fill" style={{ padding: "0 20px 16px", minHeight: "0" }}>
          <textarea class="code" aria-label="Manifest" spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={indent} />
          {outcomes.map((outcome, index) => (
            <div key={index} class={"notice " + (outcome.isGood ? "good" : "bad")} role={outcome.isGood ? "status" : "alert"}>
              <b>{outcome.name}</b>: {outcome.text}
            </div>
          ))}
          <div class="row">
            <button class="button main-action" disabled={isBusy || isFrozen} onClick={() => run(false)}>
              Create
            </button>
            <button class="button" disabled={isBusy || isFrozen} onClick={() => run(true)}>
              Try without keeping
            </button>
            <span class="grow" />
            <Kubectl line="kubectl create -f manifest.yaml" />
          </div>
        </div>
      </div>
    </div>
  );
}
