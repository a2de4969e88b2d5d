//! Sharing of equal values: the pods of one ReplicaSet carry the same labels and owners a thousand times.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use parking_lot::Mutex;

/// Values that are remembered; a newer one takes the place of an older.
const SLOTS: usize = 1_024;

/// A bounded table of values that were seen lately.
pub(super) struct Interner<T: ?Sized> {
    slots: Mutex<Vec<Option<Arc<T>>>>,
}

impl<T: ?Sized> Default for Interner<T> {
    fn default() -> Self {
        Self {
            slots: Mutex::new(vec![None; SLOTS]),
        }
    }
}

impl<T: ?Sized + Eq + Hash> Interner<T> {
    /// An equal value that is held already, else `value` itself.
    pub(super) fn share(&self, value: Arc<T>) -> Arc<T> {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        let number = usize::try_from(hasher.finish() % SLOTS as u64).unwrap_or(0);
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(number) else {
            return value;
        };
        match slot {
            Some(known) if *known == value => Arc::clone(known),
            _ => {
                *slot = Some(Arc::clone(&value));
                value
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one() {
        let interner = Interner::<str>::default();
        let (one, other) = (interner.share("a".into()), interner.share("a".into()));
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!(&*interner.share("b".into()), "b");
    }
}
