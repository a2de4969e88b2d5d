//! Watches, line by line.

use super::*;

#[tokio::test]
async fn a_watch_from_nowhere_tells_what_is_there_and_then_what_happens() {
    let client = Client::new().await;
    client.post(MAPS, &config_map("a", "1")).await.expect(201);
    let mut lines = client.lines(&format!("{MAPS}?watch=true"), JSON).await;
    assert_eq!(lines.event().await, "ADDED a");
    client.post(MAPS, &config_map("b", "1")).await.expect(201);
    assert_eq!(lines.event().await, "ADDED b");
    client
        .put(&format!("{MAPS}/b"), &config_map("b", "2"))
        .await
        .expect(200);
    let modified = lines.next().await.unwrap();
    assert_eq!(
        (&modified["type"], &modified["object"]["data"]["a"]),
        (&json!("MODIFIED"), &json!("2"))
    );
    client.delete(&format!("{MAPS}/b")).await.expect(200);
    assert_eq!(lines.event().await, "DELETED b");
}

#[tokio::test]
async fn a_watch_resumes_after_a_revision() {
    let client = Client::new().await;
    let first = client.post(MAPS, &config_map("a", "1")).await.expect(201);
    client.post(MAPS, &config_map("b", "1")).await.expect(201);
    let revision = first["metadata"]["resourceVersion"].as_str().unwrap();
    let mut lines = client
        .lines(&format!("{MAPS}?watch=1&resourceVersion={revision}"), JSON)
        .await;
    assert_eq!(lines.event().await, "ADDED b");
    let ahead = client
        .get(&format!("{MAPS}?watch=1&resourceVersion=999999"))
        .await;
    assert_eq!(ahead.code, 504);
}

#[tokio::test]
async fn a_watch_of_one_object_and_by_selector() {
    let client = Client::new().await;
    for name in ["a", "b"] {
        client.post(MAPS, &config_map(name, "1")).await.expect(201);
    }
    for path in [
        format!("{MAPS}/b?watch=true"),
        format!("{MAPS}?watch=true&fieldSelector=metadata.name%3Db&resourceVersion=0"),
        format!("{MAPS}?watch=true&labelSelector=app%3Db"),
    ] {
        assert_eq!(client.lines(&path, JSON).await.event().await, "ADDED b", "{path}");
    }
}

#[tokio::test]
async fn initial_events_end_with_a_marked_bookmark() {
    let client = Client::new().await;
    client.post(MAPS, &config_map("a", "1")).await.expect(201);
    let query =
        "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut lines = client.lines(&format!("{MAPS}?{query}"), JSON).await;
    assert_eq!(lines.event().await, "ADDED a");
    let bookmark = lines.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    let metadata = &bookmark["object"]["metadata"];
    assert_eq!(metadata["annotations"]["k8s.io/initial-events-end"], "true");
    assert!(metadata["resourceVersion"].is_string());
}

#[tokio::test]
async fn tables_tell_their_columns_once() {
    let client = Client::new().await;
    for name in ["a", "b"] {
        client.post(MAPS, &config_map(name, "1")).await.expect(201);
    }
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let mut lines = client.lines(&format!("{MAPS}?watch=true"), accept).await;
    let columns = |event: &Value| event["object"]["columnDefinitions"].as_array().unwrap().len();
    let first = lines.next().await.unwrap();
    assert_eq!(
        (columns(&first), &first["object"]["rows"][0]["cells"][0]),
        (3, &json!("a"))
    );
    let second = lines.next().await.unwrap();
    assert_eq!(
        (columns(&second), &second["object"]["rows"][0]["cells"][0]),
        (0, &json!("b"))
    );
}

#[tokio::test]
async fn a_watch_ends_in_time_and_at_shutdown() {
    let client = Client::new().await;
    let mut timed = client
        .lines(&format!("{MAPS}?watch=true&timeoutSeconds=0"), JSON)
        .await;
    assert_eq!(timed.next().await, None);
    let mut open = client.lines(&format!("{MAPS}?watch=true"), JSON).await;
    client.door.shutdown.trigger();
    assert_eq!(open.next().await, None);
}

#[tokio::test]
async fn the_old_paths_of_watches_still_lead_there() {
    let client = Client::new().await;
    for name in ["a", "b"] {
        client.post(MAPS, &config_map(name, "1")).await.expect(201);
    }
    for path in [
        "/api/v1/watch/namespaces/default/configmaps",
        "/api/v1/watch/configmaps",
        "/api/v1/watch/namespaces/default/configmaps/a",
    ] {
        let mut lines = client.lines(path, JSON).await;
        assert_eq!(lines.event().await, "ADDED a", "{path}");
    }
    assert_eq!(client.get("/api/v1/watch/wonders").await.code, 404);
    assert_eq!(
        client
            .delete("/api/v1/watch/namespaces/default/configmaps/a")
            .await
            .code,
        405
    );
}
