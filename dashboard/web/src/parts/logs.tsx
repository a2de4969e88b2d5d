// Logs, followed: of one pod, or of all pods of a workload, which may come and go meanwhile.
import { useEffect, useRef, useState } from "preact/hooks";
import { k8s, why } from "../lib/http";
import { lines } from "../lib/streams";
import { kubectlName, type Kind } from "../lib/kinds";
import { hue } from "../lib/paint";
import { Kubectl, plural } from "./ui";

/** Lines that are kept, lines of each pod to begin with, pods that are followed, and the longest line shown. */
const KEPT = 5000;
const TAIL = 300;
const PODS = 20;
const LONGEST = 4000;
const AGAIN_MS = 1500;

interface Line {
  pod: string;
  text: string;
}

export function Logs({ kind, object }: { kind: Kind; object: any }) {
  const { namespace, name, uid } = object.metadata;
  const isPod = kind.id === "v1/pods";
  const containers: string[] = (isPod ? object.spec : object.spec.template.spec).containers.map((c: any) => c.name);
  const [container, setContainer] = useState(containers[0]);
  const [find, setFind] = useState("");
  const [, redraw] = useState(0);
  const [note, setNote] = useState("");
  const kept = useRef<Line[]>([]);
  const box = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  const selector = Object.entries(object.spec.selector?.matchLabels ?? {}).map(([k, v]) => `${k}=${v}`).join(",");

  useEffect(() => {
    const stop = new AbortController();
    const following = new Set<string>();
    kept.current = [];
    setNote("");
    let timer = 0;
    const show = () => (timer ||= window.setTimeout(() => ((timer = 0), redraw((n) => n + 1)), 80));
    const add = (line: Line) => {
      kept.current.push(line);
      if (kept.current.length > KEPT + 500) kept.current.splice(0, kept.current.length - KEPT);
      show();
    };
    const follow = async (pod: string, tail: number) => {
      following.add(pod);
      const query = new URLSearchParams({ follow: "true", tailLines: String(tail), container });
      try {
        for await (const text of lines(`/api/v1/namespaces/${namespace}/pods/${pod}/log?${query}`, { accept: "*/*", signal: stop.signal }))
          add({ pod, text: text.length > LONGEST ? text.slice(0, LONGEST) + " …" : text });
        if (!stop.signal.aborted && isPod) setNote("The log ended: the container is no longer running.");
      } catch (error) {
        if (stop.signal.aborted) return;
        setNote(why(error));
        // A pod that starts has no log yet; one that is gone never will.
        following.delete(pod);
      }
    };
    const look = async () => {
      if (isPod) {
        if (!following.has(name)) void follow(name, TAIL);
        return;
      }
      try {
        const { items } = await k8s(`/api/v1/namespaces/${namespace}/pods?${new URLSearchParams({ labelSelector: selector, limit: String(PODS) })}`, { signal: stop.signal });
        for (const pod of items) if (pod.status?.phase !== "Pending" && !following.has(pod.metadata.name)) void follow(pod.metadata.name, Math.ceil(TAIL / items.length));
      } catch (error) {
        if (!stop.signal.aborted) setNote(why(error));
      }
    };
    void look();
    const timer2 = setInterval(look, AGAIN_MS);
    return () => (stop.abort(), clearInterval(timer2), clearTimeout(timer));
  }, [uid, container]);

  useEffect(() => {
    if (isAtEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const shown = find ? kept.current.filter((line) => line.text.includes(find)) : kept.current;
  const target = { kind: kind.id, namespace, name };
  return (
    <div class="fill">
      <div class="row wrap">
        {containers.length > 1 && (
          <select class="field" aria-label="Container" value={container} onChange={(event) => setContainer(event.currentTarget.value)}>
            {containers.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
        <input class="field grow" type="search" placeholder="Find in the log" aria-label="Find in the log" value={find} onInput={(event) => setFind(event.currentTarget.value)} />
        <span class="faint num">{plural(shown.length, "line")}</span>
      </div>
      <Kubectl line={isPod ? `kubectl logs -f ${name} -n ${namespace} -c ${container}` : `kubectl logs -f ${kubectlName(kind, target)} --all-pods --prefix`} />
      <pre
        class="log"
        ref={box}
        tabIndex={0}
        onScroll={({ currentTarget: view }) => (isAtEnd.current = view.scrollTop + view.clientHeight >= view.scrollHeight - 24)}
      >
        {shown.slice(-KEPT).map((line, index) => (
          <div key={index}>
            {!isPod && <span style={{ color: hue(line.pod) }}>{line.pod.slice(-11)} </span>}
            {line.text}
          </div>
        ))}
        {!shown.length && <span class="faint">{find ? "No line contains this." : "No lines yet: they appear here as they are written."}</span>}
      </pre>
      {note && <div class="faint">{note}</div>}
    </div>
  );
}
