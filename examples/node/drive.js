// Drives the cluster from Node over gRPC: applies a manifest, waits for its pods through the typed summaries, changes
// an object and deletes it. The contract is read at run time, nothing is generated.
//
//   node drive.js CREDENTIALS SERVER MANIFEST SELECTOR COUNT PROTO_PATH[:PROTO_PATH]
//
// PROTO_PATH: the folder `proto`, and one that holds google/rpc/status.proto.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const DEADLINE_MS = 60_000;

const [credentials, server, manifest, selector, count, protoPath] = process.argv.slice(2);
if (!protoPath) {
  console.error("usage: node drive.js CREDENTIALS SERVER MANIFEST SELECTOR COUNT PROTO_PATH[:PROTO_PATH]");
  process.exit(2);
}

const contract = loader.loadSync(["coracle/v1/object.proto", "coracle/v1/summary.proto"], {
  includeDirs: protoPath.split(":"),
  longs: String,
  enums: String,
});
const { ObjectService, SummaryService } = grpc.loadPackageDefinition(contract).coracle.v1;

/** The identity that `coracle credentials --out DIR` writes. */
function identity(dir) {
  const read = (name) => readFileSync(join(dir, name));
  return grpc.credentials.createSsl(read("ca.crt"), read("client.key"), read("client.crt"));
}

const objects = new ObjectService(server, identity(credentials));
const summaries = new SummaryService(server, identity(credentials));

/** A unary call as a promise, with a deadline. */
function call(client, method, request) {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + DEADLINE_MS };
    client[method](request, options, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

/** Reads no JSON: a watch from revision zero tells the present state first and then every change. */
async function waitForPods(labelSelector, wanted) {
  const running = new Map();
  const watch = summaries.watchPods({ labelSelector }, { deadline: Date.now() + DEADLINE_MS });
  for await (const { type, pod } of watch) {
    if (!pod) continue;
    if (type === "EVENT_TYPE_DELETED") running.delete(pod.uid);
    else if (pod.phase === "POD_PHASE_RUNNING" && !pod.deleting) running.set(pod.uid, pod);
    if (running.size >= wanted) break;
  }
  return [...running.values()];
}

const applied = await call(objects, "applyManifest", { manifest: readFileSync(manifest, "utf8") });
for (const { outcome, object } of applied.results) console.log(outcome, object?.kind, object?.name);

for (const pod of await waitForPods(selector, Number(count))) {
  console.log("running:", pod.name, pod.ip, pod.nodeName);
}

const id = { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "from-node" };
const fields = (data) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: id.name }, data });
const json = Buffer.from(JSON.stringify(fields({ a: "1" })));
console.log("created:", (await call(objects, "create", { object: { ...id, json } })).object.name);
const patch = Buffer.from(JSON.stringify({ data: { b: "2" } }));
const patched = await call(objects, "patch", { ...id, type: "PATCH_TYPE_MERGE", patch });
console.log("patched:", JSON.stringify(JSON.parse(patched.object.json.toString()).data));
await call(objects, "delete", id);
const again = await call(objects, "delete", id).catch((error) => error);
console.log("deleted:", again.code === grpc.status.NOT_FOUND ? again.details : again);
process.exit(0);
