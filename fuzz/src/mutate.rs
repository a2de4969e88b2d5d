//! Makes new inputs of old ones: bits, bytes, pieces, words of the languages that are read, and parts of other seeds.

use coracle_service::Random;

/// The longest input that is made, in bytes.
const MAX_BYTES: usize = 16 << 10;
/// The most changes of one input.
const MAX_EDITS: u64 = 6;
/// The longest piece that is moved or repeated, in bytes.
const MAX_PIECE_BYTES: u64 = 64;
/// Bytes that parsers look at twice.
const SHARP: &[u8] = b"\0\xff\x80\x7f\"\\{}[](),:;.-+*/%&=?!~'#\n\r\t 09aZ";
/// Words that mean something to one of the readers.
const WORDS: &[&str] = &[
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "\"\"",
    "-1",
    "0",
    "1e400",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{1f600}",
    "---\n",
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "|\n",
    "$patch",
    "replace",
    "delete",
    "merge",
    "$retainKeys",
    "$setElementOrder/containers",
    "$deleteFromPrimitiveList/args",
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "resourceVersion",
    "managedFields",
    "fieldsV1",
    "spec",
    "status",
    "containers",
    "replicas",
    " in (",
    " notin (",
    "!=",
    "==",
    "size(",
    "self",
    "oldSelf",
    ".all(x, ",
    ".map(x, ",
    ".exists(x, ",
    "has(",
    "'",
    "%2F",
    "%00",
    "..",
    "//",
    "?watch=1",
    "&limit=",
    "&continue=",
    "&labelSelector=",
    "&fieldSelector=",
    "&resourceVersion=",
    "&dryRun=All",
    "&fieldValidation=Strict",
    "default",
    "kube-system",
    "pods",
    "deployments",
    "secrets",
    "-",
];

/// An input made of one of `seeds`, which must not be empty.
#[must_use]
pub fn mutate(random: &Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = pick(random, seeds).cloned().unwrap_or_default();
    for _ in 0..=random.below(MAX_EDITS) {
        edit(random, &mut input, seeds);
    }
    input.truncate(MAX_BYTES);
    input
}

fn pick<'a, T>(random: &Random, all: &'a [T]) -> Option<&'a T> {
    all.get(place(random, all.len().saturating_sub(1)))
}

/// A place from 0 to `last`.
fn place(random: &Random, last: usize) -> usize {
    usize::try_from(random.below(last as u64 + 1)).unwrap_or(0)
}

/// A piece of `bytes`, perhaps empty.
fn piece(random: &Random, bytes: &[u8]) -> std::ops::Range<usize> {
    let start = place(random, bytes.len());
    let length = usize::try_from(random.below(MAX_PIECE_BYTES)).unwrap_or(0);
    start..bytes.len().min(start + length)
}

fn insert(random: &Random, input: &mut Vec<u8>, bytes: &[u8]) {
    let at = place(random, input.len());
    input.splice(at..at, bytes.iter().copied());
}

fn edit(random: &Random, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    match random.below(9) {
        0 => {
            let at = place(random, input.len());
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            let at = place(random, input.len());
            if let (Some(byte), Some(sharp)) = (input.get_mut(at), pick(random, SHARP)) {
                *byte = *sharp;
            }
        }
        2 => drop(input.drain(piece(random, input))),
        3 => {
            let repeated = input[piece(random, input)].to_vec();
            for _ in 0..=random.below(4) {
                insert(random, input, &repeated);
            }
        }
        4 => {
            if let Some(other) = pick(random, seeds) {
                insert(random, input, &other[piece(random, other)]);
            }
        }
        5 | 6 => {
            if let Some(word) = pick(random, WORDS) {
                insert(random, input, word.as_bytes());
            }
        }
        7 => input.truncate(place(random, input.len())),
        _ => insert(
            random,
            input,
            &random.next_u64().to_be_bytes()[..place(random, 8)],
        ),
    }
}
