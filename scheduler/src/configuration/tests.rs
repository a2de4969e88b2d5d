//! Tests of `configuration`.

use serde_json::json;

use super::*;

fn read(body: Value) -> Result<Configuration, String> {
    let mut value = json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
    });
    for (key, of) in body.as_object().unwrap() {
        value[key] = of.clone();
    }
    Configuration::read(value).map_err(|error| error.to_string())
}

fn names(profile: &Profile) -> (Vec<&str>, Vec<(&str, i64)>) {
    let filters = profile.filters.iter().map(|filter| filter.name());
    let scores = profile.scores.iter();
    (
        filters.collect(),
        scores.map(|score| (score.plugin.name(), score.weight)).collect(),
    )
}

#[test]
fn an_empty_configuration_is_the_default_profile() {
    let configuration = read(json!({})).unwrap();
    let profiles = configuration.profiles();
    assert_eq!(profiles.len(), 1);
    assert_eq!(names(&profiles[0]), names(&Profile::default()));
    assert_eq!(configuration.limits(), queue::Limits::default());
}

#[test]
fn profiles_switch_plugins_and_weigh_them() {
    let configuration = read(json!({
        "podInitialBackoffSeconds": 2, "podMaxBackoffSeconds": 20,
        "profiles": [
            {"schedulerName": "default-scheduler"},
            {
                "schedulerName": "packing",
                "percentageOfNodesToScore": 30,
                "plugins": {
                    "multiPoint": {"disabled": [{"name": "DefaultPreemption"}]},
                    "score": {"disabled": [{"name": "*"}], "enabled": [{"name": "NodeResourcesFit", "weight": 7}]},
                    "filter": {"disabled": [{"name": "NodePorts"}]},
                },
                "pluginConfig": [{"name": "NodeResourcesFit", "args": {"scoringStrategy": {
                    "type": "MostAllocated", "resources": [{"name": "cpu", "weight": 3}],
                }}}],
            },
        ],
    }))
    .unwrap();
    let profiles = configuration.profiles();
    assert_eq!(&*profiles[1].scheduler_name, "packing");
    let (filters, scores) = names(&profiles[1]);
    assert_eq!(scores, [("NodeResourcesFit", 7)]);
    assert!(!filters.contains(&"NodePorts") && filters.contains(&"NodeResourcesFit"));
    assert!(profiles[1].preemption.is_none() && profiles[0].preemption.is_some());
    assert_eq!(profiles[1].percentage_of_nodes_to_score, 30);
    assert_eq!(configuration.limits().backoff_min, Duration::from_secs(2));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let check = |body: Value, expected: &str| {
        let error = read(body.clone()).unwrap_err();
        assert!(error.contains(expected), "{body}: {error}");
    };
    let profile = |body: Value| json!({"profiles": [body]});
    check(json!({"kind": "Scheduler"}), "Scheduler");
    check(json!({"leaderElection": {}}), "leaderElection");
    check(json!({"extenders": []}), "extenders");
    check(json!({"podMaxBackoffSeconds": -1}), "podMaxBackoffSeconds");
    check(json!({"profiles": [{}, {}]}), "two profiles");
    check(
        profile(json!({"plugins": {"score": {"enabled": [{"name": "Mine"}]}}})),
        "\"Mine\"",
    );
    check(
        profile(json!({"pluginConfig": [{"name": "NodeAffinity", "args": {}}]})),
        "NodeAffinity",
    );
    let fit = |strategy: Value| {
        profile(
            json!({"pluginConfig": [{"name": "NodeResourcesFit", "args": {"scoringStrategy": strategy}}]}),
        )
    };
    check(fit(json!({"type": "Random"})), "Random");
    check(fit(json!({"type": "RequestedToCapacityRatio"})), "shape");
    let spread = json!({"name": "PodTopologySpread", "args": {
        "defaultingType": "List",
        "defaultConstraints": [{"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    }});
    check(profile(json!({"pluginConfig": [spread]})), "maxSkew");
}
