//! The order of a merged list: what the patch orders stands in that order, the rest keeps its place around it.

use serde_json::Value;

/// Orders `merged`: items of `wanted` in `wanted`'s order, the others in the order of `live`, woven together by the
/// order of `live` where it knows both.
///
/// `same` tells whether two items are the same one.
pub(super) fn arrange(
    merged: Vec<Value>,
    wanted: &[Value],
    live: &[Value],
    same: impl Fn(&Value, &Value) -> bool,
) -> Vec<Value> {
    let place = |list: &[Value], item: &Value| list.iter().position(|other| same(other, item));
    let (mut ordered, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| place(wanted, item).is_some());
    ordered.sort_by_key(|item| place(wanted, item));
    others.sort_by_key(|item| place(live, item).unwrap_or(usize::MAX));

    let mut result = Vec::with_capacity(ordered.len() + others.len());
    let mut ordered = ordered.into_iter().peekable();
    let mut others = others.into_iter().peekable();
    loop {
        let other_first = match (others.peek(), ordered.peek()) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(other), Some(next)) => match (place(live, other), place(live, next)) {
                (Some(other), Some(next)) => other < next,
                _ => false,
            },
        };
        match if other_first {
            others.next()
        } else {
            ordered.next()
        } {
            Some(item) => result.push(item),
            None => return result,
        }
    }
}
