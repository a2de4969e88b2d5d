//! Logs on a real file system: selection, rotation, instances, following.

use super::{
    reader::{Reader, Selection},
    *,
};
use crate::testing::Scratch;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("in range")
}

fn read(log: &Arc<Log>, selection: Selection) -> String {
    let mut reader = Reader::open(Arc::clone(log), selection).expect("open");
    let mut text = Vec::new();
    while let Some(chunk) = reader.next_chunk().expect("read") {
        text.extend(chunk);
    }
    String::from_utf8(text).expect("text")
}

#[test]
fn lines_are_selected_by_tail_time_and_size() {
    let scratch = Scratch::new();
    let log = Logs::new(scratch.path()).log(&"uid".into(), "c", 0);
    assert_eq!(read(&log, Selection::default()), "");
    for second in 0..5 {
        log.write(at(second), &format!("line {second}"));
    }
    let check = |selection: Selection, expected: &str| {
        assert_eq!(read(&log, selection.clone()), expected, "{selection:?}")
    };
    check(Selection::default(), "line 0\nline 1\nline 2\nline 3\nline 4\n");
    check(
        Selection {
            tail: Some(2),
            ..Selection::default()
        },
        "line 3\nline 4\n",
    );
    check(
        Selection {
            tail: Some(0),
            ..Selection::default()
        },
        "",
    );
    check(
        Selection {
            since: Some(at(4)),
            ..Selection::default()
        },
        "line 4\n",
    );
    check(
        Selection {
            limit_bytes: Some(9),
            ..Selection::default()
        },
        "line 0\nli",
    );
    let timestamps = Selection {
        tail: Some(1),
        timestamps: true,
        ..Selection::default()
    };
    check(timestamps, "2023-11-14T22:13:24.000000000Z line 4\n");
}

#[test]
fn a_full_log_keeps_its_newest_lines_in_two_files() {
    let scratch = Scratch::new();
    let log = Logs::with_limit(scratch.path(), 1_000).log(&"uid".into(), "c", 0);
    for second in 0..100 {
        log.write(at(second), &format!("line {second}"));
    }
    let text = read(&log, Selection::default());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() > 9 && lines.len() < 25, "{}", lines.len());
    let expected: Vec<String> = (100 - lines.len()..100).map(|n| format!("line {n}")).collect();
    assert_eq!(lines, expected);
}

#[test]
fn logs_outlive_the_process_and_one_instance() {
    let scratch = Scratch::new();
    for instance in 0..3 {
        let log = Logs::new(scratch.path()).log(&"uid".into(), "c", instance);
        log.write(at(0), &format!("instance {instance}"));
    }
    let logs = Logs::new(scratch.path());
    let texts: Vec<_> = (0..3)
        .map(|instance| read(&logs.log(&"uid".into(), "c", instance), Selection::default()))
        .collect();
    assert_eq!(texts, ["", "instance 1\n", "instance 2\n"]);
}

#[test]
fn long_lines_are_cut_and_others_split() {
    let scratch = Scratch::new();
    let log = Logs::new(scratch.path()).log(&"uid".into(), "c", 0);
    log.write(at(0), &"ü".repeat(MAX_LINE_BYTES));
    log.write(at(0), "a\nb");
    let text = read(&log, Selection::default());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].len(), MAX_LINE_BYTES);
    assert_eq!(lines[1..], ["a", "b"]);
}

#[tokio::test]
async fn a_follower_sees_every_line_through_rotations_and_then_the_end() {
    let scratch = Scratch::new();
    let log = Logs::with_limit(scratch.path(), 4_000).log(&"uid".into(), "c", 0);
    log.write(at(0), "line 0");
    let follower = tokio::spawn({
        let log = Arc::clone(&log);
        async move {
            let mut reader = Reader::open(log, Selection::default()).expect("open");
            let mut text = Vec::new();
            loop {
                while let Some(chunk) = reader.next_chunk().expect("read") {
                    text.extend(chunk);
                }
                if !reader.changed().await {
                    return String::from_utf8(text).expect("text");
                }
            }
        }
    });
    for second in 1..200 {
        log.write(at(second), &format!("line {second}"));
        tokio::task::yield_now().await;
    }
    log.end();
    let expected: String = (0..200).map(|n| format!("line {n}\n")).collect();
    assert_eq!(follower.await.expect("follower"), expected);
}
