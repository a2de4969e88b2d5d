//! Every limit of the service that an operator may set, and those that are fixed.

/// The most bytes that one read or write carries.
pub const MAX_IO_BYTES: usize = 1 << 20;
/// The most entries that one answer to ReadDirectory carries.
pub const MAX_ENTRIES: u32 = 1_000;
/// Requests that work on the disk at a time.
pub const MAX_WORKING: usize = 64;
/// Requests under way, working or waiting; a further one is answered UNAVAILABLE, reason Overloaded.
pub const MAX_REQUESTS: usize = 2_048;
/// What a request may take on the wire: data, handles, names and framing.
pub const MAX_MESSAGE_BYTES: usize = MAX_IO_BYTES + (64 << 10);

/// The limits that an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Exports in all.
    pub exports: u64,
    /// Files and directories in one export. Each takes about 150 bytes of memory.
    pub files_per_export: u64,
    /// Sum of the lengths of an export's files. What an administrator adds by hand is counted at the next start.
    pub bytes_per_export: u64,
    /// Length of one file.
    pub file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            exports: 10_000,
            files_per_export: 200_000,
            bytes_per_export: 64 << 30,
            file_bytes: 16 << 30,
        }
    }
}
