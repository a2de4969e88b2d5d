// What npm's `@kubernetes/client-node` does against a cluster: node client.mjs KUBECONFIG
//
// Creates, lists, watches with an informer, patches, applies, reads logs, asks for a token and uses it. Ends with "ok",
// or with the first thing that was not as it should be.

import assert from "node:assert/strict";
import * as k8s from "@kubernetes/client-node";

const NAME = "from-node";
const NAMESPACE = "default";
const LABELS = { app: NAME };
const DEADLINE_MS = 60_000;

const config = new k8s.KubeConfig();
config.loadFromFile(process.argv[2]);
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);

const deployment = {
  metadata: { name: NAME },
  spec: {
    replicas: 2,
    selector: { matchLabels: LABELS },
    template: {
      metadata: { labels: LABELS },
      spec: { containers: [{ name: "web", image: "nginx:1.14.2", ports: [{ containerPort: 80 }] }] },
    },
  },
};

async function refused(code, promise) {
  const error = await promise.then(
    () => assert.fail(`was not refused with ${code}`),
    (error) => error,
  );
  assert.equal(error.code, code, `${error.code}: ${error.body}`);
}

const isReady = (pod) =>
  (pod.status?.conditions ?? []).some((condition) => condition.type === "Ready" && condition.status === "True");

/** Lists and watches through the library's informer until as many pods as wanted are ready. */
async function readyPods(wanted) {
  const labelSelector = `app=${NAME}`;
  const path = `/api/v1/namespaces/${NAMESPACE}/pods`;
  const list = () => core.listNamespacedPod({ namespace: NAMESPACE, labelSelector });
  const informer = k8s.makeInformer(config, path, list, labelSelector);
  const ready = new Map();
  const done = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${ready.size} pods became ready`)), DEADLINE_MS);
    const note = (pod) => {
      if (isReady(pod)) ready.set(pod.metadata.name, pod);
      else ready.delete(pod.metadata.name);
      if (ready.size < wanted) return;
      clearTimeout(late);
      resolve([...ready.values()]);
    };
    informer.on("add", note);
    informer.on("update", note);
    informer.on("delete", (pod) => ready.delete(pod.metadata.name));
    informer.on("error", reject);
  });
  await informer.start();
  try {
    return await done;
  } finally {
    await informer.stop();
  }
}

async function workloads() {
  const created = await apps.createNamespacedDeployment({ namespace: NAMESPACE, body: deployment });
  assert.ok(created.metadata.uid);
  await refused(409, apps.createNamespacedDeployment({ namespace: NAMESPACE, body: deployment }));
  const [pod] = await readyPods(2);
  await core.readNamespacedPodLog({ name: pod.metadata.name, namespace: NAMESPACE });
  const body = [{ op: "replace", path: "/spec/replicas", value: 1 }];
  const patched = await apps.patchNamespacedDeployment({ name: NAME, namespace: NAMESPACE, body });
  assert.equal(patched.spec.replicas, 1);
  const scale = await apps.readNamespacedDeploymentScale({ name: NAME, namespace: NAMESPACE });
  assert.equal(scale.status.selector, `app=${NAME}`);
  await apps.deleteNamespacedDeployment({ name: NAME, namespace: NAMESPACE });
  await refused(404, apps.readNamespacedDeployment({ name: NAME, namespace: NAMESPACE }));
}

async function applies() {
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  const map = (data) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: NAME, namespace: NAMESPACE }, data });
  const apply = (manager, data, force) =>
    objects.patch(map(data), undefined, undefined, manager, force, k8s.PatchStrategy.ServerSideApply);
  await apply("one", { a: "1" });
  await refused(409, apply("two", { a: "2" }));
  assert.equal((await apply("two", { a: "2" }, true)).data.a, "2");
  await objects.delete(map({}));
}

async function tokens() {
  await core.createNamespacedServiceAccount({ namespace: NAMESPACE, body: { metadata: { name: NAME } } });
  const body = { spec: { audiences: [], expirationSeconds: 600 } };
  const request = { name: NAME, namespace: NAMESPACE, body };
  const { status } = await core.createNamespacedServiceAccountToken(request);
  const robot = new k8s.KubeConfig();
  robot.loadFromClusterAndUser(config.getCurrentCluster(), { name: NAME, token: status.token });
  await refused(403, robot.makeApiClient(k8s.CoreV1Api).listNamespacedPod({ namespace: NAMESPACE }));
}

await workloads();
await applies();
await tokens();
console.log("ok");
process.exit(0);
