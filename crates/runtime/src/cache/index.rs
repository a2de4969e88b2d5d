//! Indexes over a cache: sets of keys by a derived text, kept up with every change.

use std::{collections::BTreeSet, marker::PhantomData};

use super::Lookup;
use crate::Key;

/// Names an index of a [`super::Cache`]; only good for the cache that made it.
pub struct Index<T> {
    number: usize,
    of: PhantomData<fn(&T)>,
}

impl<T> Clone for Index<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Index<T> {}

type KeysOf<T> = Box<dyn Fn(&T, &mut Vec<String>) + Send + Sync>;

struct Filed<T> {
    keys_of: KeysOf<T>,
    sets: Lookup<BTreeSet<Key>>,
}

pub(super) struct Indexes<T> {
    all: Vec<Filed<T>>,
    scratch: (Vec<String>, Vec<String>),
}

impl<T> Default for Indexes<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            scratch: Default::default(),
        }
    }
}

impl<T> Indexes<T> {
    pub(super) fn add<'a>(
        &mut self,
        keys_of: KeysOf<T>,
        present: impl Iterator<Item = (&'a Key, &'a T)>,
    ) -> Index<T>
    where
        T: 'a,
    {
        let mut filed = Filed {
            keys_of,
            sets: Lookup::default(),
        };
        let mut texts = Vec::new();
        for (key, value) in present {
            (filed.keys_of)(value, &mut texts);
            for text in texts.drain(..) {
                filed.insert(&text, key);
            }
        }
        self.all.push(filed);
        Index {
            number: self.all.len() - 1,
            of: PhantomData,
        }
    }

    pub(super) fn find(&self, index: Index<T>, text: &str) -> Option<&BTreeSet<Key>> {
        self.all.get(index.number)?.sets.get(text)
    }

    pub(super) fn replace(&mut self, key: &Key, old: Option<&T>, new: Option<&T>) {
        let (before, after) = &mut self.scratch;
        for filed in &mut self.all {
            if let Some(old) = old {
                (filed.keys_of)(old, before);
            }
            if let Some(new) = new {
                (filed.keys_of)(new, after);
            }
            for text in before.iter().filter(|text| !after.contains(text)) {
                filed.remove(text, key);
            }
            for text in after.iter().filter(|text| !before.contains(text)) {
                filed.insert(text, key);
            }
            before.clear();
            after.clear();
        }
    }
}

impl<T> Filed<T> {
    fn insert(&mut self, text: &str, key: &Key) {
        match self.sets.get_mut(text) {
            Some(set) => {
                set.insert(key.clone());
            }
            None => {
                self.sets.insert(text.into(), BTreeSet::from([key.clone()]));
            }
        }
    }

    fn remove(&mut self, text: &str, key: &Key) {
        if let Some(set) = self.sets.get_mut(text) {
            set.remove(key);
            if set.is_empty() {
                self.sets.remove(text);
            }
        }
    }
}
