//! sled as a base: values of all sizes come back, nothing leaks into blobs, books are kept.

use std::ops::ControlFlow;

use super::*;
use crate::identity::ClusterId;
use crate::testing::TempDir;

#[test]
fn values_of_all_sizes_come_back_and_go_without_blobs() {
    let dir = TempDir::new("sled-sizes");
    let sizes = [
        0,
        1,
        CHUNK_BYTES - 9,
        CHUNK_BYTES - 8,
        CHUNK_BYTES,
        3 * CHUNK_BYTES,
        400_000,
    ];
    let entry = |n: usize| (0..sizes[n]).map(|i| (i * 31 + n) as u8).collect::<Vec<u8>>();
    let mut meta = BaseMeta::empty(ClusterId([1; 16]), 0);
    {
        let base = SledEngine.open(dir.path()).unwrap();
        assert_eq!(base.meta().unwrap(), None);
        let puts = (0..sizes.len()).map(|n| (n as Revision + 1, entry(n))).collect();
        meta.applied = sizes.len() as Revision;
        base.apply(BaseBatch {
            puts,
            removes: vec![],
            meta,
        })
        .unwrap();
        base.flush().unwrap();
    }
    let base = SledEngine.open(dir.path()).unwrap();
    assert_eq!(base.meta().unwrap(), Some(meta));
    let mut seen = 0;
    base.scan(1, &mut |revision, bytes| {
        assert_eq!((revision, bytes.clone()), (seen as Revision + 1, entry(seen)));
        assert_eq!(base.get(revision).unwrap().unwrap(), bytes);
        seen += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((seen, base.blob_files()), (sizes.len(), 0));
    base.apply(BaseBatch {
        puts: vec![],
        removes: (1..=seen as Revision).collect(),
        meta,
    })
    .unwrap();
    base.scan(0, &mut |revision, _| panic!("{revision} is still there"))
        .unwrap();
}
