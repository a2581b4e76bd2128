//! [`Receipt`]: how a foreign implementation that breaks the rules is found out.

use super::OwnedBuf;

/// What a buffer was when it was handed to a foreign implementation. Everything that gets one back
/// compares, so that a buffer that was swapped, cut or overfilled is a panic and not wrong data.
#[derive(Debug)]
pub(in crate::io_core) struct Receipt {
    identity: (usize, usize, u8),
    consumed: usize,
    filled: usize,
    limit: usize,
}

impl Receipt {
    /// How many bytes a reader has filled.
    #[track_caller]
    pub(in crate::io_core) fn check_read(&self, buf: &OwnedBuf) -> usize {
        assert!(buf.memory.identity() == self.identity, "the reader returned another buffer");
        assert!(
            buf.consumed == self.consumed && buf.filled >= self.filled,
            "the reader took away what was filled in the buffer"
        );
        // With the same limit it also has not filled more than it may.
        assert!(buf.limit == self.limit, "the reader changed how far the buffer may be filled");
        buf.filled - self.filled
    }

    /// How many bytes a writer took, which said that it was `n`.
    #[track_caller]
    pub(in crate::io_core) fn check_written(&self, buf: &OwnedBuf, n: usize) -> usize {
        assert!(buf.memory.identity() == self.identity, "the writer returned another buffer");
        assert!(
            buf.consumed == self.consumed && buf.filled == self.filled,
            "the writer changed what is filled in the buffer"
        );
        assert!(n <= buf.len(), "the writer claims more bytes than there were");
        n
    }
}

impl OwnedBuf {
    /// What to check when a foreign implementation hands the buffer back.
    pub(in crate::io_core) fn receipt(&self) -> Receipt {
        Receipt {
            identity: self.memory.identity(),
            consumed: self.consumed,
            filled: self.filled,
            limit: self.limit,
        }
    }
}
