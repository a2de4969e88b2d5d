//! The columns: a row per pod with the version of its last change, interned texts, and nodes.
//!
//! Synchronous and pure. A pod that is gone leaves its row marked, so that browsers hear of it; a row is used again
//! only after many others were, by when everybody has. Texts that nobody uses any more are dropped by renumbering
//! everything, which browsers see as a new first message.

use std::collections::{BTreeMap, HashMap, VecDeque};

use coracle_runtime::Key;

use super::projection::{Node, Pod};

/// Rows of pods that are gone, kept before one is used again.
const KEPT_GONE: usize = 4_096;
/// Texts above which the unused are dropped, where they are more than half.
const TEXTS: usize = 65_536;

/// One pod, by numbers of texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub row: u32,
    /// Text.
    pub node: u32,
    /// Text.
    pub namespace: u32,
    /// Text.
    pub owner: u32,
    /// Seconds since 1970.
    pub created: u32,
    /// Of all containers together.
    pub restarts: u16,
    /// As in [`Pod::phase`]; [`GONE`] for a pod that is gone.
    pub phase: u8,
    /// As in [`Pod::flags`].
    pub flags: u8,
}

/// The phase of a row whose pod is gone.
pub const GONE: u8 = 255;

/// Up to where a browser was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    epoch: u64,
    version: u64,
    texts: usize,
}

/// What a browser does not know yet.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Replaces everything that it knows.
    pub is_whole: bool,
    /// What the caches show.
    pub revision: i64,
    /// Texts, in the order of their numbers, after those it knows.
    pub texts: Vec<Box<str>>,
    /// Pods that changed, came or went.
    pub rows: Vec<Row>,
    /// Nodes that changed or came, and `None` for those that went.
    pub nodes: Vec<(Box<str>, Option<Node>)>,
    /// Where it is then.
    pub position: Position,
}

struct Slot {
    row: Row,
    key: Option<Key>,
    version: u64,
}

struct NodeSlot {
    node: Option<Node>,
    version: u64,
}

/// All rows.
pub struct Board {
    epoch: u64,
    version: u64,
    slots: Vec<Slot>,
    rows: HashMap<Key, u32>,
    gone: VecDeque<u32>,
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
    nodes: BTreeMap<Box<str>, NodeSlot>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            epoch: 0,
            version: 0,
            slots: Vec::new(),
            rows: HashMap::new(),
            gone: VecDeque::new(),
            texts: vec!["".into()],
            numbers: HashMap::from([("".into(), 0)]),
            nodes: BTreeMap::new(),
        }
    }
}

impl Board {
    /// A pod as it is now; `None` where it is gone. Returns the board's version.
    pub fn pod_changed(&mut self, key: &Key, pod: Option<&Pod>) -> u64 {
        self.version += 1;
        let Some(pod) = pod else {
            if let Some(row) = self.rows.remove(key) {
                let slot = &mut self.slots[row as usize];
                slot.row.phase = GONE;
                slot.key = None;
                slot.version = self.version;
                self.gone.push_back(row);
            }
            return self.version;
        };
        let number = match self.rows.get(key) {
            Some(&row) => row,
            None => self.take_row(key),
        };
        let row = Row {
            row: number,
            node: self.number(&pod.node),
            namespace: self.number(key.namespace()),
            owner: self.number(&pod.owner),
            created: pod.created,
            restarts: pod.restarts,
            phase: pod.phase,
            flags: pod.flags,
        };
        let slot = &mut self.slots[number as usize];
        // Most changes of a pod change nothing here.
        if slot.row != row {
            slot.row = row;
            slot.version = self.version;
        }
        self.drop_unused_texts();
        self.version
    }

    /// A node as it is now; `None` where it is gone. Returns the board's version.
    pub fn node_changed(&mut self, name: &str, node: Option<&Node>) -> u64 {
        self.version += 1;
        let slot = NodeSlot {
            node: node.cloned(),
            version: self.version,
        };
        match self.nodes.get_mut(name) {
            Some(known) if known.node == slot.node => {}
            Some(known) => *known = slot,
            None => {
                self.nodes.insert(name.into(), slot);
            }
        }
        self.version
    }

    /// What is newer than `sent`.
    #[must_use]
    pub fn since(&self, sent: Option<Position>, revision: i64) -> Difference {
        let sent = sent.filter(|sent| sent.epoch == self.epoch);
        let (version, texts) = sent.map_or((0, 0), |sent| (sent.version, sent.texts));
        let is_told = |slot: &&Slot| slot.version > version && (sent.is_some() || slot.key.is_some());
        Difference {
            is_whole: sent.is_none(),
            revision,
            texts: self.texts.get(texts..).unwrap_or_default().to_vec(),
            rows: self.slots.iter().filter(is_told).map(|slot| slot.row).collect(),
            nodes: self
                .nodes
                .iter()
                .filter(|(_, slot)| slot.version > version && (sent.is_some() || slot.node.is_some()))
                .map(|(name, slot)| (name.clone(), slot.node.clone()))
                .collect(),
            position: Position {
                epoch: self.epoch,
                version: self.version,
                texts: self.texts.len(),
            },
        }
    }

    /// Namespace and name of the pods in these rows.
    #[must_use]
    pub fn names(&self, rows: &[u32]) -> Vec<Option<(String, String)>> {
        let name = |&row: &u32| {
            let key = self.slots.get(row as usize)?.key.as_ref()?;
            Some((key.namespace().to_owned(), key.name().to_owned()))
        };
        rows.iter().map(name).collect()
    }

    fn take_row(&mut self, key: &Key) -> u32 {
        let reused = if self.gone.len() > KEPT_GONE {
            self.gone.pop_front()
        } else {
            None
        };
        let row = reused.unwrap_or(self.slots.len() as u32);
        let slot = Slot {
            row: Row::default(),
            key: Some(key.clone()),
            version: self.version,
        };
        match self.slots.get_mut(row as usize) {
            Some(old) => *old = slot,
            None => self.slots.push(slot),
        }
        self.rows.insert(key.clone(), row);
        row
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }

    /// Renumbers rows and texts without those that are no longer used.
    fn drop_unused_texts(&mut self) {
        // At most three texts a pod are in use, and mostly far fewer.
        if self.texts.len() < TEXTS.max(self.rows.len().saturating_mul(2)) {
            return;
        }
        let slots = std::mem::take(&mut self.slots);
        let texts = std::mem::take(&mut self.texts);
        let nodes = std::mem::take(&mut self.nodes);
        *self = Self {
            epoch: self.epoch + 1,
            version: self.version,
            nodes: nodes
                .into_iter()
                .filter(|(_, slot)| slot.node.is_some())
                .collect(),
            ..Self::default()
        };
        for slot in slots {
            let Slot {
                row, key: Some(key), ..
            } = slot
            else {
                continue;
            };
            let mut again = |number: u32| self.number(&texts[number as usize]);
            let (node, namespace, owner) = (again(row.node), again(row.namespace), again(row.owner));
            let number = self.take_row(&key);
            self.slots[number as usize].row = Row {
                row: number,
                node,
                namespace,
                owner,
                ..row
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(owner: &str, restarts: u16) -> Pod {
        Pod {
            node: "node-1".into(),
            owner: owner.into(),
            created: 1,
            restarts,
            phase: 1,
            flags: 0,
        }
    }

    fn key(name: &str) -> Key {
        Key::new("default", name)
    }

    #[test]
    fn changes_in_between_are_one_and_a_death_is_told() {
        let mut board = Board::default();
        board.pod_changed(&key("a"), Some(&pod("Deployment/web", 0)));
        board.pod_changed(&key("b"), Some(&pod("Deployment/web", 0)));
        let first = board.since(None, 7);
        assert!(first.is_whole);
        assert_eq!((first.rows.len(), first.revision), (2, 7));
        for restarts in 1..=9 {
            board.pod_changed(&key("a"), Some(&pod("Deployment/web", restarts)));
        }
        let second = board.since(Some(first.position), 8);
        assert!(!second.is_whole && second.texts.is_empty());
        assert_eq!(
            second.rows.iter().map(|row| row.restarts).collect::<Vec<_>>(),
            [9]
        );
        board.pod_changed(&key("b"), None);
        let third = board.since(Some(second.position), 9);
        assert_eq!(third.rows.iter().map(|row| row.phase).collect::<Vec<_>>(), [GONE]);
        assert!(board.since(Some(third.position), 9).rows.is_empty());
        assert_eq!(
            board.since(None, 9).rows.len(),
            1,
            "a newcomer hears of the living only"
        );
        assert_eq!(board.names(&[0, 1, 5])[0].as_ref().unwrap().1, "a");
        assert_eq!(board.names(&[1, 5]), [None, None]);
    }

    #[test]
    fn what_changes_nothing_here_is_not_told() {
        let mut board = Board::default();
        board.pod_changed(&key("a"), Some(&pod("x", 0)));
        let first = board.since(None, 1);
        board.pod_changed(&key("a"), Some(&pod("x", 0)));
        assert!(board.since(Some(first.position), 2).rows.is_empty());
    }

    #[test]
    fn rows_and_texts_do_not_grow_without_end() {
        let mut board = Board::default();
        let mut position = board.since(None, 0).position;
        let mut renewed = 0;
        for number in 0..TEXTS * 2 {
            let key = key(&format!("job-{number}"));
            board.pod_changed(&key, Some(&pod(&format!("Job/job-{number}"), 0)));
            board.pod_changed(&key, None);
            if number % 1_000 == 0 {
                let next = board.since(Some(position), 0);
                renewed += u32::from(next.is_whole);
                position = next.position;
            }
        }
        assert!(board.slots.len() <= KEPT_GONE + 2, "{}", board.slots.len());
        assert!(board.texts.len() <= TEXTS + 1);
        assert!(renewed >= 1, "browsers were told of the new numbers");
    }

    #[test]
    fn the_living_survive_renumbering() {
        let mut board = Board::default();
        board.pod_changed(&key("kept"), Some(&pod("Deployment/kept", 3)));
        for number in 0..TEXTS {
            board.pod_changed(&key("other"), Some(&pod(&format!("Job/{number}"), 0)));
        }
        let whole = board.since(None, 0);
        let kept = whole.rows.iter().find(|row| row.restarts == 3).unwrap();
        assert_eq!(&*whole.texts[kept.owner as usize], "Deployment/kept");
        assert_eq!(&*whole.texts[kept.namespace as usize], "default");
        assert_eq!(board.names(&[kept.row])[0].as_ref().unwrap().1, "kept");
    }
}
