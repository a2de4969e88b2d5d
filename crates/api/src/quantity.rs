//! Kubernetes quantities such as `100m`, `1.5Gi`, `2e3`.

/// An amount, in billionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    nano: i128,
}

impl Quantity {
    /// The amount in thousandths, rounded up.
    pub fn milli(self) -> i64 {
        i64::try_from(self.nano / 1_000_000).unwrap_or(i64::MAX)
    }
}
