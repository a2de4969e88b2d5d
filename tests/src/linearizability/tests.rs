//! Histories that are linearizable and planted ones that are not.

use super::*;
use Action::{Read, Swap, Write};

fn op(begin: u64, end: u64, action: Action) -> Operation {
    Operation {
        action,
        begin,
        end: Some(end),
    }
}

fn unknown(begin: u64, action: Action) -> Operation {
    Operation {
        action,
        begin,
        end: None,
    }
}

fn swap(expected: u64, new: u64, done: bool) -> Action {
    Swap {
        expected,
        new,
        done: Some(done),
    }
}

#[track_caller]
fn expect(verdict: Verdict, history: &[Operation]) {
    assert_eq!(check(0, history), verdict);
}

#[test]
fn one_after_the_other() {
    expect(Verdict::Linearizable, &[]);
    expect(
        Verdict::Linearizable,
        &[
            op(1, 2, Write(1)),
            op(3, 4, Read(1)),
            op(5, 6, swap(1, 2, true)),
            op(7, 8, Read(2)),
        ],
    );
    expect(Verdict::Violation, &[op(1, 2, Write(1)), op(3, 4, Read(0))]);
}

#[test]
fn operations_at_the_same_time_may_come_in_either_order() {
    expect(
        Verdict::Linearizable,
        &[op(1, 6, Write(1)), op(2, 5, Read(0)), op(3, 4, Read(0))],
    );
    expect(
        Verdict::Linearizable,
        &[op(1, 6, Write(1)), op(2, 3, Read(0)), op(4, 5, Read(1))],
    );
    expect(
        Verdict::Violation,
        &[op(1, 6, Write(1)), op(2, 3, Read(1)), op(4, 5, Read(0))],
    );
}

#[test]
fn a_planted_stale_read_is_refused() {
    let history = [
        op(1, 2, Write(1)),
        op(3, 4, Write(2)),
        op(5, 6, Read(2)),
        op(7, 10, Write(3)),
        op(8, 9, Read(1)),
    ];
    expect(Verdict::Violation, &history);
}

#[test]
fn a_planted_lost_update_is_refused() {
    // Two swaps of the same value cannot both have been done.
    expect(
        Verdict::Violation,
        &[op(1, 4, swap(0, 1, true)), op(2, 3, swap(0, 2, true))],
    );
    expect(
        Verdict::Linearizable,
        &[op(1, 4, swap(0, 1, true)), op(2, 3, swap(0, 2, false))],
    );
    expect(Verdict::Violation, &[op(1, 2, swap(0, 1, false))]);
}

#[test]
fn an_unknown_outcome_may_be_either_but_not_both() {
    expect(
        Verdict::Linearizable,
        &[unknown(1, Write(1)), op(2, 3, Read(0)), op(4, 5, Read(0))],
    );
    expect(
        Verdict::Linearizable,
        &[unknown(1, Write(1)), op(2, 3, Read(0)), op(4, 5, Read(1))],
    );
    expect(
        Verdict::Violation,
        &[unknown(1, Write(1)), op(2, 3, Read(1)), op(4, 5, Read(0))],
    );
    expect(Verdict::Violation, &[op(1, 2, Read(1)), unknown(3, Write(1))]);
    let lost = Swap {
        expected: 0,
        new: 1,
        done: None,
    };
    expect(
        Verdict::Linearizable,
        &[unknown(1, lost), op(2, 3, swap(0, 2, false))],
    );
    expect(
        Verdict::Violation,
        &[unknown(1, lost), op(2, 3, swap(0, 2, true)), op(4, 5, Read(1))],
    );
}

#[test]
fn a_write_that_was_acknowledged_and_lost_is_refused() {
    let history: Vec<_> = (1..200).map(|n| op(2 * n, 2 * n + 1, Write(n))).collect();
    let with = |read| {
        let mut history = history.clone();
        history.push(op(1_000, 1_001, Read(read)));
        history
    };
    expect(Verdict::Linearizable, &with(199));
    expect(Verdict::Violation, &with(198));
}

#[test]
fn many_open_outcomes_are_judged_within_the_limit() {
    let mut history: Vec<_> = (0..6).map(|n| unknown(n, Write(1_000 + n))).collect();
    for n in 0..40 {
        history.push(op(20 + 10 * n, 25 + 10 * n, Write(n)));
        history.push(op(21 + 10 * n, 26 + 10 * n, Write(n + 200)));
        history.push(op(27 + 10 * n, 28 + 10 * n, Read(n)));
    }
    expect(Verdict::Linearizable, &history);
    history.push(op(5_000, 5_001, Read(7)));
    expect(Verdict::Violation, &history);
}
