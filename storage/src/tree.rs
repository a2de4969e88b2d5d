//! Where each file of an export lies: the map from inode to directory and name that makes handles outlive renames.
//!
//! User space cannot open a file by its inode without privileges, so an export remembers where each lies. The map is
//! made by a scan, kept up by every operation, and made anew where a handle leads to nothing (an administrator may
//! have moved files by hand). It is a hint that is always checked: whoever follows it compares the identity found.
//! It promises to be bounded; touching the disk is left to [`crate::export`].

use std::collections::{HashMap, HashSet, VecDeque};

use crate::{Error, handles::FileId, name::MAX_DEPTH};

/// Files known to be gone that are remembered, oldest forgotten first. Forgetting costs a needless scan, no more.
const MAX_GONE: usize = 4096;

/// Where a file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    birth_ns: i64,
    parent: u64,
    name: Box<str>,
}

/// What an export holds, as counted against its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Lengths of all files.
    pub bytes: u64,
    /// Files and directories below the root.
    pub files: u64,
}

/// The map of one export.
#[derive(Debug)]
pub(crate) struct Tree {
    root: FileId,
    places: HashMap<u64, Place>,
    gone: HashSet<FileId>,
    gone_order: VecDeque<FileId>,
    /// Files in the map at most.
    limit: u64,
    /// How often it was made.
    pub scans: u64,
    /// Whether the last scan saw everything, so that what is not here does not exist.
    pub complete: bool,
}

impl Tree {
    /// An empty map, never scanned.
    pub fn new(root: FileId, limit: u64) -> Self {
        let (places, gone, gone_order) = (HashMap::new(), HashSet::new(), VecDeque::new());
        Self {
            root,
            places,
            gone,
            gone_order,
            limit,
            scans: 0,
            complete: false,
        }
    }

    /// Forgets where everything lies, before a scan. What is known to be gone stays so.
    pub fn clear(&mut self) {
        self.places.clear();
        self.scans += 1;
        self.complete = true;
    }

    /// Remembers that `id` lies in `parent` under `name`.
    ///
    /// # Errors
    /// [`Error::TooMany`] where the map is full.
    pub fn place(&mut self, id: FileId, parent: FileId, name: &str) -> Result<(), Error> {
        if !self.places.contains_key(&id.inode) && self.places.len() as u64 >= self.limit {
            return Err(Error::TooMany { limit: self.limit });
        }
        let place = Place {
            birth_ns: id.birth_ns,
            parent: parent.inode,
            name: name.into(),
        };
        self.places.insert(id.inode, place);
        Ok(())
    }

    /// Whether `id` is known to lie in `parent` under `name`.
    pub fn lies_at(&self, id: FileId, parent: FileId, name: &str) -> bool {
        self.places.get(&id.inode).is_some_and(|place| {
            place.birth_ns == id.birth_ns && place.parent == parent.inode && &*place.name == name
        })
    }

    /// The names that lead from the root to `id`; none where it is not known.
    pub fn path(&self, id: FileId) -> Option<Vec<&str>> {
        let mut names = Vec::new();
        let mut inode = id.inode;
        while inode != self.root.inode {
            let place = self.places.get(&inode)?;
            if names.is_empty() && place.birth_ns != id.birth_ns {
                return None;
            }
            // Only a map that is out of date has a loop or such depth.
            if names.len() > MAX_DEPTH {
                return None;
            }
            names.push(&*place.name);
            inode = place.parent;
        }
        names.reverse();
        Some(names)
    }

    /// How many levels of files lie below `directory`: zero for an empty one.
    pub fn height(&self, directory: FileId) -> usize {
        let depth_below = |place: &Place| {
            let mut parent = place.parent;
            let mut depth = 1;
            while parent != directory.inode {
                parent = self.places.get(&parent)?.parent;
                depth += 1;
                if depth > MAX_DEPTH + 1 {
                    return None;
                }
            }
            Some(depth)
        };
        self.places.values().filter_map(depth_below).max().unwrap_or(0)
    }

    /// Forgets where `id` lies.
    pub fn forget(&mut self, id: FileId) {
        if self
            .places
            .get(&id.inode)
            .is_some_and(|place| place.birth_ns == id.birth_ns)
        {
            self.places.remove(&id.inode);
        }
    }

    /// Remembers that `id` is gone for good.
    pub fn mark_gone(&mut self, id: FileId) {
        self.forget(id);
        if self.gone.insert(id) {
            self.gone_order.push_back(id);
        }
        if self.gone_order.len() > MAX_GONE
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// Takes back that `id` is gone.
    pub fn revive(&mut self, id: FileId) {
        if self.gone.remove(&id) {
            self.gone_order.retain(|gone| *gone != id);
        }
    }

    /// Whether `id` is known to be gone for good.
    pub fn is_gone(&self, id: FileId) -> bool {
        self.gone.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(inode: u64) -> FileId {
        FileId { inode, birth_ns: 1 }
    }

    fn tree() -> Tree {
        let mut tree = Tree::new(id(1), 4);
        tree.place(id(2), id(1), "a").unwrap();
        tree.place(id(3), id(2), "b").unwrap();
        tree.place(id(4), id(3), "c").unwrap();
        tree
    }

    #[test]
    fn paths_follow_renames_of_any_ancestor() {
        let mut tree = tree();
        assert_eq!(tree.path(id(1)).unwrap(), Vec::<&str>::new());
        assert_eq!(tree.path(id(4)).unwrap(), ["a", "b", "c"]);
        tree.place(id(3), id(1), "moved").unwrap();
        assert_eq!(tree.path(id(4)).unwrap(), ["moved", "c"]);
        assert_eq!(
            (tree.height(id(2)), tree.height(id(3)), tree.height(id(1))),
            (0, 1, 2)
        );
    }

    #[test]
    fn an_inode_used_again_is_another_file() {
        let mut tree = tree();
        let newer = FileId {
            inode: 4,
            birth_ns: 2,
        };
        assert_eq!(tree.path(newer), None);
        tree.mark_gone(id(4));
        tree.place(newer, id(1), "new").unwrap();
        assert!(tree.is_gone(id(4)) && !tree.is_gone(newer));
        assert_eq!(tree.path(id(4)), None);
        tree.forget(id(4));
        assert_eq!(
            tree.path(newer).unwrap(),
            ["new"],
            "forgetting the old file leaves the new one"
        );
    }

    #[test]
    fn a_loop_ends() {
        let mut tree = tree();
        tree.place(id(2), id(4), "a").unwrap();
        assert_eq!(tree.path(id(3)), None);
        assert_eq!(tree.height(id(1)), 0);
    }

    #[test]
    fn both_maps_are_bounded() {
        let mut tree = tree();
        tree.place(id(5), id(1), "d").unwrap();
        assert!(matches!(
            tree.place(id(6), id(1), "e"),
            Err(Error::TooMany { limit: 4 })
        ));
        tree.place(id(5), id(2), "moved").unwrap();
        for inode in 0..=MAX_GONE as u64 {
            tree.mark_gone(FileId { inode, birth_ns: 9 });
        }
        assert_eq!((tree.gone.len(), tree.gone_order.len()), (MAX_GONE, MAX_GONE));
        assert!(!tree.is_gone(FileId {
            inode: 0,
            birth_ns: 9
        }));
        let last = FileId {
            inode: MAX_GONE as u64,
            birth_ns: 9,
        };
        tree.revive(last);
        assert!(!tree.is_gone(last));
        assert_eq!(tree.gone_order.len(), MAX_GONE - 1);
    }
}
