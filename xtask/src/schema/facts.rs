//! What the sources do not tell, by hand. Source: the tags and markers in Kubernetes' own Go types.

use super::openapi::Field;

/// How a field merges.
pub enum Merge {
    /// By its type alone; lists are replaced.
    Plain,
    /// A map that is replaced whole.
    AtomicMap,
    /// A list of scalars that occur once; merged by a strategic patch where it says so.
    Set {
        /// Whether a strategic patch merges it.
        patch: bool,
    },
    /// A list of objects.
    List {
        /// What tells items apart in server-side apply; nothing where the list is replaced.
        keys: Vec<String>,
        /// What tells items apart in a strategic patch.
        patch: Option<String>,
    },
}

/// Lists of which k8s-openapi knows the key of the strategic patch alone (it prefers that one), with the keys of
/// server-side apply; none where server-side apply replaces the list.
const KEYS: &[(&str, &str, &[&str])] = &[
    ("Container", "ports", &["containerPort", "protocol"]),
    ("EphemeralContainer", "ports", &["containerPort", "protocol"]),
    ("ServiceSpec", "ports", &["port", "protocol"]),
    (
        "PodSpec",
        "topologySpreadConstraints",
        &["topologyKey", "whenUnsatisfiable"],
    ),
    ("PodStatus", "hostIPs", &[]),
    ("JobStatus", "conditions", &[]),
    ("StatefulSetSpec", "volumeClaimTemplates", &[]),
];

/// Lists that server-side apply merges and a strategic patch replaces.
const REPLACED_BY_PATCHES: &[(&str, &str)] = &[
    ("CertificateSigningRequestStatus", "conditions"),
    ("CustomResourceDefinitionStatus", "conditions"),
    ("ResourceRequirements", "claims"),
    ("ResourceStatus", "resources"),
    ("StatefulSetSpec", "volumeClaimTemplates"),
    ("ValidatingAdmissionPolicyStatus", "conditions"),
];

/// Sets that a strategic patch merges too.
const PATCHED_SETS: &[(&str, &str)] = &[("NodeSpec", "podCIDRs"), ("ObjectMeta", "finalizers")];

/// Unions, where setting one field unsets the others: the patch strategy `retainKeys`.
const RETAIN_KEYS: &[(&str, &str)] = &[
    ("DeploymentSpec", "strategy"),
    ("PodSpec", "resourceClaims"),
    ("PodSpec", "volumes"),
    ("PodStatus", "resourceClaimStatuses"),
];

/// Structs that are owned and replaced as a whole.
const ATOMIC: &[&str] = &[
    "ConfigMapKeySelector",
    "CrossVersionObjectReference",
    "EndpointAddress",
    "EndpointPort",
    "LabelSelector",
    "LocalObjectReference",
    "MatchResources",
    "NamedRuleWithOperations",
    "NodeSelector",
    "NodeSelectorTerm",
    "ObjectFieldSelector",
    "ObjectReference",
    "OwnerReference",
    "ParamKind",
    "ParamRef",
    "ResourceFieldSelector",
    "RoleRef",
    "ScopeSelector",
    "ScopedResourceSelectorRequirement",
    "SecretKeySelector",
    "SecretReference",
    "rbac.v1.Subject",
    "TopologySelectorTerm",
    "TypedLocalObjectReference",
];

/// Defaults of the fields that are keys of lists.
const DEFAULTS: &[(&str, &str, &str)] = &[
    ("ContainerPort", "protocol", "\"TCP\""),
    ("LocalObjectReference", "name", "\"\""),
    ("ServicePort", "protocol", "\"TCP\""),
];

/// Scalars that are pointers in Go wherever they occur: their zero means something and protobuf does not write it
/// unless it was said.
const POINTERS: &[&str] = &[
    "activeDeadlineSeconds",
    "allocateLoadBalancerNodePorts",
    "allowPrivilegeEscalation",
    "allowVolumeExpansion",
    "appProtocol",
    "attachRequired",
    "automountServiceAccountToken",
    "averageUtilization",
    "backoffLimit",
    "backoffLimitPerIndex",
    "blockOwnerDeletion",
    "borrowingLimitPercent",
    "cachingMode",
    "collisionCount",
    "completionMode",
    "completions",
    "currentCPUUtilizationPercentage",
    "currentVolumeAttributesClassName",
    "defaultMode",
    "deletionGracePeriodSeconds",
    "deprecationWarning",
    "enableServiceLinks",
    "endPort",
    "endpointsNamespace",
    "errorCode",
    "expirationSeconds",
    "failedIndexes",
    "failedJobsHistoryLimit",
    "failurePolicy",
    "fsGroup",
    "fsGroupChangePolicy",
    "fsGroupPolicy",
    "gmsaCredentialSpec",
    "gmsaCredentialSpecName",
    "gracePeriodSeconds",
    "holderIdentity",
    "hostProcess",
    "hostUsers",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "immutable",
    "ingressClassName",
    "initiatorName",
    "internalTrafficPolicy",
    "ipFamilyPolicy",
    "ipMode",
    "labelSelectorPath",
    "leaseDurationSeconds",
    "leaseTransitions",
    "lendablePercent",
    "loadBalancerClass",
    "localhostProfile",
    "managedBy",
    "manualSelector",
    "matchPolicy",
    "maxFailedIndexes",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maxSurge",
    "maxUnavailable",
    "maximum",
    "minAvailable",
    "minDomains",
    "minItems",
    "minLength",
    "minProperties",
    "minReplicas",
    "minimum",
    "mode",
    "mountPropagation",
    "multipleOf",
    "nodeAffinityPolicy",
    "nodeAllocatableUpdatePeriodSeconds",
    "nodeTaintsPolicy",
    "nominalConcurrencyShares",
    "optional",
    "optionalOldSelf",
    "orphanDependents",
    "parallelism",
    "parameterNotFoundAction",
    "pathType",
    "persistentVolumeName",
    "podInfoOnMount",
    "podReplacementPolicy",
    "preemptionPolicy",
    "preferredHolder",
    "privileged",
    "procMount",
    "progressDeadlineSeconds",
    "propagationPolicy",
    "readOnlyRootFilesystem",
    "reclaimPolicy",
    "recursiveReadOnly",
    "recursiveReadOnlyMounts",
    "reinvocationPolicy",
    "remainingItemCount",
    "requiresRepublish",
    "resourceClaimName",
    "resourceClaimTemplateName",
    "revisionHistoryLimit",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "runAsUserName",
    "runtimeClassName",
    "scope",
    "seLinuxChangePolicy",
    "seLinuxMount",
    "secretNamespace",
    "selectPolicy",
    "serving",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "sizeLimit",
    "stabilizationWindowSeconds",
    "started",
    "startingDeadlineSeconds",
    "stopSignal",
    "storageCapacity",
    "succeededCount",
    "succeededIndexes",
    "successfulJobsHistoryLimit",
    "supplementalGroupsPolicy",
    "suspend",
    "targetCPUUtilizationPercentage",
    "terminating",
    "terminatingReplicas",
    "terminationGracePeriodSeconds",
    "timeZone",
    "tolerationSeconds",
    "trafficDistribution",
    "ttlSecondsAfterFinished",
    "unhealthyPodEvictionPolicy",
    "userNamespaces",
    "volumeAttributesClassName",
    "volumeBindingMode",
    "volumeMode",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
    "zone",
];

/// Scalars that are pointers in one type and plain in another of that name.
const POINTERS_OF: &[(&str, &[&str])] = &[
    ("AzureDiskVolumeSource", &["fsType", "kind", "readOnly"]),
    ("CSIVolumeSource", &["fsType", "readOnly"]),
    ("ClientIPConfig", &["timeoutSeconds"]),
    ("ClusterTrustBundleProjection", &["name", "signerName"]),
    ("Container", &["restartPolicy"]),
    ("DeploymentSpec", &["replicas"]),
    ("Endpoint", &["hostname", "nodeName"]),
    ("EndpointAddress", &["nodeName"]),
    ("EndpointConditions", &["ready"]),
    ("discovery.v1.EndpointPort", &["name", "port", "protocol"]),
    ("EphemeralContainer", &["restartPolicy"]),
    ("FCVolumeSource", &["lun"]),
    ("GRPCAction", &["service"]),
    ("HorizontalPodAutoscalerStatus", &["observedGeneration"]),
    ("HostPathVolumeSource", &["type"]),
    ("IngressClassParametersReference", &["apiGroup", "namespace"]),
    ("IngressPortStatus", &["error"]),
    ("JobStatus", &["ready"]),
    ("LeaseSpec", &["strategy"]),
    ("LocalVolumeSource", &["fsType"]),
    ("MutatingWebhook", &["timeoutSeconds"]),
    ("NetworkPolicyPort", &["port", "protocol"]),
    ("NodeSwapStatus", &["capacity"]),
    ("OwnerReference", &["controller"]),
    ("PersistentVolumeClaimSpec", &["storageClassName"]),
    ("PodDNSConfigOption", &["value"]),
    ("PodFailurePolicyOnExitCodesRequirement", &["containerName"]),
    ("PodSpec", &["priority"]),
    ("PortStatus", &["error"]),
    ("Preconditions", &["resourceVersion", "uid"]),
    ("ReplicaSetSpec", &["replicas"]),
    ("ReplicationControllerSpec", &["replicas"]),
    ("RollingUpdateStatefulSetStrategy", &["partition"]),
    ("ServiceReference", &["path", "port"]),
    ("StatefulSetSpec", &["replicas"]),
    ("TypedLocalObjectReference", &["apiGroup"]),
    ("TypedObjectReference", &["apiGroup", "namespace"]),
    ("ValidatingWebhook", &["timeoutSeconds"]),
    ("Validation", &["reason"]),
    ("ValidationRule", &["reason"]),
    ("VolumeNodeResources", &["count"]),
    ("WebhookClientConfig", &["url"]),
];

/// Whether `of`, a type's full name, is the one that a list above calls `name`.
fn is_called(of: &str, name: &str) -> bool {
    of.strip_suffix(name)
        .is_some_and(|package| package.ends_with('.'))
}

/// Whether the list names this field of this type.
fn lists(list: &[(&str, &str)], of: &str, field: &str) -> bool {
    list.iter()
        .any(|(name, known)| *known == field && is_called(of, name))
}

/// Whether a struct is owned and replaced as a whole.
pub fn is_atomic(of: &str) -> bool {
    ATOMIC.iter().any(|name| is_called(of, name))
}

/// Whether a field is a union.
pub fn retains_keys(of: &str, field: &str) -> bool {
    lists(RETAIN_KEYS, of, field)
}

/// Whether a scalar is a pointer in Go.
pub fn is_pointer(of: &str, field: &str) -> bool {
    POINTERS.contains(&field)
        || POINTERS_OF
            .iter()
            .any(|(name, fields)| fields.contains(&field) && is_called(of, name))
}

/// The default of a field, as JSON.
pub fn default(of: &str, field: &str) -> Option<&'static str> {
    DEFAULTS
        .iter()
        .find(|(name, known, _)| *known == field && is_called(of, name))
        .map(|(_, _, default)| *default)
}

/// How a field merges.
pub fn merge(of: &str, field: &Field) -> Merge {
    let name = field.json.as_str();
    match field.strategy.as_str() {
        "map::atomic" => Merge::AtomicMap,
        "list::set" => Merge::Set {
            patch: lists(PATCHED_SETS, of, name),
        },
        "list::map" => {
            let patch = field.keys.first().cloned();
            let by_hand = KEYS
                .iter()
                .find(|(known, field, _)| *field == name && is_called(of, known));
            let keys = match by_hand {
                Some((_, _, keys)) => keys.iter().map(|key| (*key).to_owned()).collect(),
                None => field.keys.clone(),
            };
            Merge::List {
                keys,
                patch: patch.filter(|_| !lists(REPLACED_BY_PATCHES, of, name)),
            }
        }
        _ => Merge::Plain,
    }
}
