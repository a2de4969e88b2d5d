//! Paths, one line each.

use super::*;

fn parse(path: &str) -> Route {
    super::parse(path, &Snapshot::default())
}

fn show(path: &str) -> String {
    match parse(path) {
        Route::Objects(target) => format!(
            "{} ns={} name={} sub={}",
            target.resource.qualified(),
            target.namespace,
            target.name.as_deref().unwrap_or("-"),
            target.subresource_name()
        ),
        other => format!("{other:?}"),
    }
}

#[test]
fn objects() {
    for (path, expected) in [
        ("/api/v1/pods", "pods ns= name=- sub="),
        ("/api/v1/namespaces/a/pods", "pods ns=a name=- sub="),
        ("/api/v1/namespaces/a/pods/b", "pods ns=a name=b sub="),
        ("/api/v1/namespaces/a/pods/b/log", "pods ns=a name=b sub=log"),
        ("/api/v1/namespaces/a", "namespaces ns= name=a sub="),
        (
            "/api/v1/namespaces/a/finalize",
            "namespaces ns= name=a sub=finalize",
        ),
        ("/api/v1/namespaces", "namespaces ns= name=- sub="),
        ("/api/v1/nodes/n%2D1", "nodes ns= name=n-1 sub="),
        (
            "/apis/apps/v1/namespaces/a/deployments/web/scale",
            "deployments.apps ns=a name=web sub=scale",
        ),
        (
            "/apis/coordination.k8s.io/v1/leases",
            "leases.coordination.k8s.io ns= name=- sub=",
        ),
    ] {
        assert_eq!(show(path), expected, "{path}");
    }
}

#[test]
fn what_is_not_there() {
    for path in [
        "/api/v1/pods/b",
        "/api/v1/namespaces/a/nodes",
        "/api/v1/namespaces/a/gizmos",
        "/api/v1/namespaces/a/pods/b/gizmo",
        "/api/v1/namespaces/a/pods/b/status/c",
        "/apis/apps/v1/pods",
    ] {
        assert_eq!(parse(path), Route::UnknownResource, "{path}");
    }
    for path in [
        "/api/v2/pods",
        "/apis/gizmo.io/v1/gizmos",
        "/apis/gizmo.io",
        "/a/b",
        "/api/v1/namespaces/%zz/pods",
        "/api/v1/a/b/c/d/e/f/g/h/i",
    ] {
        assert_eq!(parse(path), Route::Unknown, "{path}");
    }
}

#[test]
fn discovery_with_and_without_a_slash_at_the_end() {
    assert_eq!(parse("/"), Route::Index);
    assert_eq!(parse("/version/"), Route::Version);
    assert_eq!(parse("/api/"), Route::CoreVersions);
    assert_eq!(parse("/apis"), Route::Groups);
    assert_eq!(parse("/apis/apps/"), Route::Group("apps".to_owned()));
    assert_eq!(
        parse("/api/v1/"),
        Route::Resources {
            group: String::new(),
            version: "v1".to_owned()
        }
    );
    assert_eq!(parse("/openapi/v2"), Route::OpenApiV2);
    let apps = Route::OpenApiV3Group {
        group: "apps".to_owned(),
        version: "v1".to_owned(),
    };
    assert_eq!(parse("/openapi/v3/apis/apps/v1"), apps);
    assert_eq!(parse("/openapi/v3/apis/apps/v9"), Route::Unknown);
}
