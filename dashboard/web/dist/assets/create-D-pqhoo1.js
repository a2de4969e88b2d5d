import{d as h,g as S,a,L as u,K as V,w,s as P,f as $,o as M,k as T,M as D}from"./index-CHP_vBSN.js";import{i as G,a as E}from"./yaml-BYIYe7YL.js";const N=(r,i)=>`      containers:
        - name: ${r}
          image: ${i}
`,c=(r,i,l,d,m="")=>`apiVersion: apps/v1
kind: ${r}
metadata:
  name: ${i}
  labels:
    app: ${i}
spec:
${l}${m}  selector:
    matchLabels:
      app: ${i}
  template:
    metadata:
      labels:
        app: ${i}
    spec:
${N(i,d)}`,f=[{title:"Deployment",text:c("Deployment","web",`  replicas: 3
`,"nginx")},{title:"Deployment and Service",text:c("Deployment","bootcamp",`  replicas: 4
`,"jocatalin/kubernetes-bootcamp:v1")+`---
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
`},{title:"StatefulSet",text:c("StatefulSet","db",`  replicas: 3
`,"redis",`  serviceName: db
`)},{title:"DaemonSet",text:c("DaemonSet","agent","","busybox")+`          command: ["sleep", "3600"]
`},{title:"Pod that crashes",text:`apiVersion: v1
kind: Pod
metadata:
  name: crash
spec:
  containers:
    - name: crash
      image: busybox
      command: ["sh", "-c", "echo about to fail; exit 1"]
`},{title:"Job",text:`apiVersion: batch/v1
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
`},{title:"ConfigMap",text:`apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  greeting: hello
`},{title:"PersistentVolumeClaim",text:`apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
spec:
  accessModes: [ReadWriteMany]
  resources:
    requests:
      storage: 1Gi
`}];function L({close:r}){const[i,l]=h(f[0].text),[d,m]=h([]),[b,g]=h(!1),x=S.value.state==="frozen",C=(e,s)=>{const t=$(e.apiVersion,e.kind);if(!t)throw new Error(`this cluster serves no ${e.kind} of ${e.apiVersion}`);const p=t.namespaced?e.metadata?.namespace??(u.value||"default"):"",o=`?fieldManager=coracle-dashboard&fieldValidation=Strict${s?"&dryRun=All":""}`;return T(D(t,p)+o,{method:"POST",body:e})},k=async e=>{g(!0);const s=[];try{const t=E(i);if(!t.length)throw new Error("there is no object in this text");const p=new Set(t.filter(o=>o.kind==="Namespace").map(o=>o.metadata?.name));for(const o of e?[!0]:[!0,!1]){s.length=0;for(const n of t){const v=`${n.kind} ${n.metadata?.name??n.metadata?.generateName??""}`;try{o&&p.has(n.metadata?.namespace)||await C(n,o),s.push({name:v,text:o?"would be created":"created",isGood:!0})}catch(y){s.push({name:v,text:w(y),isGood:!1})}}if(s.some(n=>!n.isGood))break;if(!o){P(t.length===1?`${s[0].name} is created`:`${t.length} objects are created`);const n=$(t[0].apiVersion,t[0].kind);r(),t.length===1&&n&&t[0].metadata?.name&&M({kind:n.id,namespace:n.namespaced?t[0].metadata.namespace??(u.value||"default"):"",name:t[0].metadata.name});return}}}catch(t){s.push({name:"The text",text:w(t),isGood:!1})}m(s),g(!1)};return a("div",{class:"veil",onClick:e=>e.target===e.currentTarget&&r(),children:a("div",{class:"dialog wide",role:"dialog","aria-label":"Create from a manifest",children:[a("div",{class:"head",children:[a("h1",{children:"Create"}),a("span",{class:"dim",children:["in ",u.value||"default",", where the manifest names no namespace"]}),a("span",{class:"grow"}),a("select",{class:"field","aria-label":"Example",onChange:e=>l(f[e.currentTarget.selectedIndex].text),children:f.map(e=>a("option",{children:e.title},e.title))}),a("button",{class:"button square","aria-label":"Close",onClick:r,children:"✕"})]}),a("div",{class:"fill",style:{padding:"0 20px 16px",minHeight:"0"},children:[a("textarea",{class:"code","aria-label":"Manifest",spellcheck:!1,value:i,onInput:e=>l(e.currentTarget.value),onKeyDown:G}),d.map((e,s)=>a("div",{class:"notice "+(e.isGood?"good":"bad"),role:e.isGood?"status":"alert",children:[a("b",{children:e.name}),": ",e.text]},s)),a("div",{class:"row",children:[a("button",{class:"button main-action",disabled:b||x,onClick:()=>k(!1),children:"Create"}),a("button",{class:"button",disabled:b||x,onClick:()=>k(!0),children:"Try without keeping"}),a("span",{class:"grow"}),a(V,{line:"kubectl create -f manifest.yaml"})]})]})]})})}export{L as Create};
