// What one wants to know first of an object: its state, what it belongs to, and the parts of its kind.
import type { ComponentChildren } from "preact";
import { find, type Kind } from "../lib/kinds";
import { age } from "../lib/time";
import { openKind, openObject } from "../lib/url";
import { State } from "./ui";

export function Overview({ kind, object }: { kind: Kind; object: any }) {
  const { metadata, status = {}, spec = {} } = object;
  const { conditions = [] } = status;
  return (
    <>
      <Section title="About">
        <dl class="facts">
          <Fact name="Age">
            <span title={metadata.creationTimestamp}>{age(metadata.creationTimestamp)}</span>
          </Fact>
          {(metadata.ownerReferences ?? []).map((owner: any) => (
            <Fact name="Owner" key={owner.uid}>
              <Reference apiVersion={owner.apiVersion} kind={owner.kind} namespace={metadata.namespace} name={owner.name} />
            </Fact>
          ))}
          {facts(kind, object).map(([name, value]) => (
            <Fact name={name} key={name}>
              {value}
            </Fact>
          ))}
          {Object.keys(metadata.labels ?? {}).length > 0 && (
            <Fact name="Labels">
              <span class="row wrap" style={{ gap: "5px" }}>
                {Object.entries(metadata.labels).map(([key, value]) => (
                  <span class="chip mono" key={key}>
                    {key}={String(value)}
                  </span>
                ))}
              </span>
            </Fact>
          )}
        </dl>
      </Section>
      {kind.id === "v1/pods" && <Containers pod={object} />}
      {kind.id === "v1/nodes" && <Resources node={object} />}
      {Array.isArray(spec.ports) && kind.id === "v1/services" && <Ports ports={spec.ports} />}
      {["v1/configmaps", "v1/secrets"].includes(kind.id) && <Data data={object.data} isSecret={kind.id === "v1/secrets"} />}
      {conditions.length > 0 && (
        <Section title="Conditions">
          <table class="plain">
            <tbody>
              {conditions.map((c: any) => (
                <tr key={c.type}>
                  <td>
                    <span class="state">
                      <span class={"dot " + toneOf(c)} /> {c.type}
                    </span>
                  </td>
                  <td>{c.status}</td>
                  <td class="dim">{[c.reason, c.message].filter(Boolean).join(": ")}</td>
                  <td class="faint num right">{age(c.lastTransitionTime)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Section>
      )}
    </>
  );
}

const toneOf = ({ type, status }: any) => {
  const isTrouble = /Pressure|Unavailable|Failure|Failed/.test(type);
  return status === "Unknown" ? "warn" : (status === "True") !== isTrouble ? "good" : isTrouble ? "bad" : "warn";
};

export const Section = ({ title, children }: { title: string; children: ComponentChildren }) => (
  <section class="section">
    <h2>{title}</h2>
    {children}
  </section>
);
const Fact = ({ name, children }: { name: string; children: ComponentChildren }) => (
  <>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </>
);

export function Reference({ apiVersion, kind, namespace, name }: { apiVersion: string; kind: string; namespace?: string; name: string }) {
  const known = find(apiVersion, kind);
  if (!known) return <>{`${kind} ${name}`}</>;
  return (
    <button class="link" onClick={() => openObject({ kind: known.id, namespace: known.namespaced ? (namespace ?? "") : "", name })}>
      {kind} {name}
    </button>
  );
}

function facts(kind: Kind, { spec = {}, status = {}, type }: any): [string, ComponentChildren][] {
  const found: [string, ComponentChildren][] = [];
  const add = (name: string, value: any) => value !== undefined && value !== null && value !== "" && found.push([name, value]);
  if (kind.id === "v1/pods") {
    add("Node", spec.nodeName && <Reference apiVersion="v1" kind="Node" name={spec.nodeName} />);
    add("Address", status.podIP);
    add("Message", status.message);
    add("Service account", spec.serviceAccountName);
  } else if (kind.id === "v1/nodes") {
    for (const address of status.addresses ?? []) add(address.type, address.address);
    add("Version", status.nodeInfo?.kubeletVersion);
    add("Taints", (spec.taints ?? []).map((t: any) => `${t.key}${t.value ? "=" + t.value : ""}:${t.effect}`).join(", "));
    add("Pods", <button class="link" onClick={() => openKind("v1/pods")}>All pods</button>);
  } else if (kind.group === "apps") {
    if (spec.replicas !== undefined) add("Replicas", `${status.readyReplicas ?? 0} ready of ${spec.replicas}`);
    add("Strategy", spec.strategy?.type ?? spec.updateStrategy?.type);
    add("Selector", Object.entries(spec.selector?.matchLabels ?? {}).map(([k, v]) => `${k}=${v}`).join(", "));
    add("Images", (spec.template?.spec?.containers ?? []).map((c: any) => c.image).join(", "));
  } else if (kind.id === "v1/services") {
    add("Type", spec.type);
    add("Cluster IP", spec.clusterIP);
    add("External", (status.loadBalancer?.ingress ?? []).map((i: any) => i.ip ?? i.hostname).join(", "));
    add("Selector", Object.entries(spec.selector ?? {}).map(([k, v]) => `${k}=${v}`).join(", "));
  } else if (kind.id === "v1/persistentvolumeclaims") {
    add("Volume", spec.volumeName && <Reference apiVersion="v1" kind="PersistentVolume" name={spec.volumeName} />);
    add("Capacity", status.capacity?.storage);
    add("Class", spec.storageClassName);
    add("Access", spec.accessModes?.join(", "));
  } else if (kind.id === "v1/persistentvolumes") {
    add("Claim", spec.claimRef && <Reference apiVersion="v1" kind="PersistentVolumeClaim" namespace={spec.claimRef.namespace} name={spec.claimRef.name} />);
    add("Capacity", spec.capacity?.storage);
    add("Reclaim policy", spec.persistentVolumeReclaimPolicy);
  } else if (kind.id === "v1/secrets") add("Type", type);
  return found;
}

function Containers({ pod }: { pod: any }) {
  const statuses = new Map((pod.status?.containerStatuses ?? []).map((s: any) => [s.name, s]));
  return (
    <Section title="Containers">
      <table class="plain">
        <thead>
          <tr>
            <th>Name</th>
            <th>Image</th>
            <th>State</th>
            <th class="right">Restarts</th>
          </tr>
        </thead>
        <tbody>
          {[...(pod.spec.initContainers ?? []), ...pod.spec.containers].map((container: any) => {
            const status: any = statuses.get(container.name) ?? {};
            const [state, detail]: any = Object.entries(status.state ?? { waiting: {} })[0];
            const word = detail.reason ?? { running: "Running", waiting: "Waiting", terminated: "Terminated" }[state as string];
            return (
              <tr key={container.name}>
                <td>{container.name}</td>
                <td class="mono dim">{container.image}</td>
                <td>
                  <State word={word} />
                  {detail.message && <div class="faint">{detail.message}</div>}
                </td>
                <td class="right num">{status.restartCount ?? 0}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Section>
  );
}

function Resources({ node }: { node: any }) {
  const { capacity = {}, allocatable = {} } = node.status ?? {};
  return (
    <Section title="Resources">
      <table class="plain">
        <thead>
          <tr>
            <th>Resource</th>
            <th>Allocatable</th>
            <th>Capacity</th>
          </tr>
        </thead>
        <tbody>
          {Object.keys(capacity).map((name) => (
            <tr key={name}>
              <td>{name}</td>
              <td class="num">{allocatable[name]}</td>
              <td class="num">{capacity[name]}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

const Ports = ({ ports }: { ports: any[] }) => (
  <Section title="Ports">
    <table class="plain">
      <tbody>
        {ports.map((port) => (
          <tr key={port.name ?? port.port}>
            <td>{port.name ?? "–"}</td>
            <td class="mono">
              {port.port} → {port.targetPort ?? port.port}/{port.protocol ?? "TCP"}
            </td>
            <td class="dim">{port.nodePort ? `node port ${port.nodePort}` : ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Section>
);

const Data = ({ data = {}, isSecret }: { data?: Record<string, string>; isSecret: boolean }) => (
  <Section title="Data">
    <table class="plain">
      <tbody>
        {Object.entries(data).map(([key, value]) => (
          <tr key={key}>
            <td class="mono">{key}</td>
            <td class="mono dim">{isSecret ? `${Math.floor((value.length * 3) / 4)} bytes, not shown` : value.slice(0, 2000)}</td>
          </tr>
        ))}
        {!Object.keys(data).length && (
          <tr>
            <td class="dim">No data.</td>
          </tr>
        )}
      </tbody>
    </table>
  </Section>
);
