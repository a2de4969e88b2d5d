//! Sealing what is sealed anew, after the key that seals was replaced.

use std::sync::Arc;

use coracle_api::{ApiError, encode, kinds};
use coracle_store::{Condition, Op, Txn, TxnError};

use super::{Entry, Registry, strategy};
use crate::watch::Filter;

impl Registry {
    /// Writes every Secret again as it is, which seals it with the newest key; answers how many. One that somebody
    /// writes meanwhile is sealed with the newest key by that.
    ///
    /// # Errors
    /// The store's.
    pub async fn reseal(&self) -> Result<usize, ApiError> {
        let page = self.cache.list(kinds::SECRET, &Filter::default(), None, 0, None);
        let mut count = 0;
        for entry in page.map(|page| page.entries).unwrap_or_default() {
            count += usize::from(self.reseal_one(entry).await?);
        }
        Ok(count)
    }

    async fn reseal_one(&self, entry: Entry) -> Result<bool, ApiError> {
        let Some((canonical, revision)) = encode::strip_resource_version(&entry.json) else {
            return Err(ApiError::internal("read a Secret: it has no resourceVersion"));
        };
        let value = self.encode_value(strategy::of(kinds::SECRET), canonical, &entry.attributes)?;
        let key = entry.key;
        let txn = Txn {
            conditions: vec![Condition::AtRevision {
                key: Arc::clone(&key),
                revision,
            }],
            ops: vec![Op::Put {
                key,
                value,
                fence: None,
                attachment: entry.attributes,
            }],
        };
        match self.store.commit(txn).await {
            Ok(_) => Ok(true),
            Err(TxnError::ConditionFailed { .. } | TxnError::NotFound { .. }) => Ok(false),
            Err(error) => Err(ApiError::unavailable(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[tokio::test]
    async fn what_is_sealed_anew_stays_what_it_is() {
        let bench = Bench::new().await;
        let secret = json!({"metadata": {"name": "s"}, "stringData": {"a": "b"}});
        bench.create(kinds::SECRET, secret).await.unwrap();
        let mut before = bench.get(kinds::SECRET, "s").await.unwrap();
        assert_eq!(bench.registry.reseal().await.unwrap(), 1);
        let mut after = bench.get(kinds::SECRET, "s").await.unwrap();
        assert_ne!(
            before["metadata"]["resourceVersion"].take(),
            after["metadata"]["resourceVersion"].take(),
            "it was written"
        );
        assert_eq!(before, after);
    }
}
