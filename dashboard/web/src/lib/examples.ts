// Manifests to begin with. Each works as it stands on a new cluster.

const container = (name: string, image: string) => `      containers:
        - name: ${name}
          image: ${image}
`;
const workload = (kind: string, name: string, replicas: string, image: string, more = "") => `apiVersion: apps/v1
kind: ${kind}
metadata:
  name: ${name}
  labels:
    app: ${name}
spec:
${replicas}${more}  selector:
    matchLabels:
      app: ${name}
  template:
    metadata:
      labels:
        app: ${name}
    spec:
${container(name, image)}`;

export const EXAMPLES: { title: string; text: string }[] = [
  { title: "Deployment", text: workload("Deployment", "web", "  replicas: 3\n", "nginx") },
  {
    title: "Deployment and Service",
    text:
      workload("Deployment", "bootcamp", "  replicas: 4\n", "jocatalin/kubernetes-bootcamp:v1") +
      `---
apiVersion: v1
kind: Service
metadata:
  name: bootcamp
spec:
  type: NodePort
  selector:
    app: bootcamp
  ports:
    - port: 8080
`,
  },
  { title: "StatefulSet", text: workload("StatefulSet", "db", "  replicas: 3\n", "redis", "  serviceName: db\n") },
  { title: "DaemonSet", text: workload("DaemonSet", "agent", "", "busybox") + `          command: ["sleep", "3600"]\n` },
  {
    title: "Pod that crashes",
    text: `apiVersion: v1
kind: Pod
metadata:
  name: crash
spec:
  containers:
    - name: crash
      image: busybox
      command: ["sh", "-c", "echo about to fail; exit 1"]
`,
  },
  {
    title: "Job",
    text: `apiVersion: batch/v1
kind: Job
metadata:
  name: once
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: once
          image: busybox
          command: ["sh", "-c", "echo done"]
`,
  },
  {
    title: "ConfigMap",
    text: `apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  greeting: hello
`,
  },
  {
    title: "PersistentVolumeClaim",
    text: `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
spec:
  accessModes: [ReadWriteMany]
  resources:
    requests:
      storage: 1Gi
`,
  },
];
