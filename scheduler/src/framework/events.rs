//! What happens to a cluster and may let a waiting pod in.

/// A set of kinds of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterEvents(u16);

impl ClusterEvents {
    /// A node came.
    pub const NODE_ADDED: Self = Self(1);
    /// A node offers other amounts.
    pub const NODE_ALLOCATABLE: Self = Self(1 << 1);
    /// A node's labels changed.
    pub const NODE_LABELS: Self = Self(1 << 2);
    /// A node's taints changed.
    pub const NODE_TAINTS: Self = Self(1 << 3);
    /// A node was cordoned or uncordoned.
    pub const NODE_UNSCHEDULABLE: Self = Self(1 << 4);
    /// A pod left its node, or takes less of it.
    pub const POD_REMOVED: Self = Self(1 << 5);
    /// A pod came to a node, or became another to others there.
    pub const POD_ADDED: Self = Self(1 << 6);
    /// A node went.
    pub const NODE_REMOVED: Self = Self(1 << 7);
    /// A claim, a volume, a storage class or a node's drivers came or changed.
    pub const STORAGE: Self = Self(1 << 8);
    /// A namespace's labels changed.
    pub const NAMESPACE_LABELS: Self = Self(1 << 9);
    /// Whatever may happen.
    pub const ALL: Self = Self((1 << 10) - 1);
    /// What happens to a node or to what is on it, and to nothing else.
    pub const ROWS: Self = Self(Self::POD_REMOVED.0 * 2 - 1);
    /// What may change the domains that a node belongs to, or whether it counts.
    pub const DOMAINS: Self = Self::NODE_ADDED
        .union(Self::NODE_REMOVED)
        .union(Self::NODE_LABELS)
        .union(Self::NODE_TAINTS);

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether they have something in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether nothing happened.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds `events` where `condition` holds.
    pub fn set_if(&mut self, condition: bool, events: Self) {
        if condition {
            *self = self.union(events);
        }
    }
}
