//! What the operating system has and no crate above names: constants and the meaning of errors.
//!
//! The system calls themselves are std's, mio's and socket2's; what one of them lacks gets a thin
//! safe wrapper here, one a call. So far there is none.

use std::io;

/// Flags of a send that must not raise `SIGPIPE` in a host that has not ignored it.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(crate) const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
/// Flags of a send: the signal is suppressed by a socket option, or does not exist.
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
pub(crate) const SEND_FLAGS: i32 = 0;

/// How many buffers one vectored call may name.
pub(crate) const MAX_BUFFERS: usize = 1024;

/// Whether `error` says that the process or the machine has no descriptor or memory left for now.
#[cfg(unix)]
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    let codes = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Whether `error` says that the process or the machine has no descriptor or memory left for now.
#[cfg(not(unix))]
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    const WSAEMFILE: i32 = 10024;
    const WSAENOBUFS: i32 = 10055;
    matches!(error.raw_os_error(), Some(WSAEMFILE | WSAENOBUFS))
}

/// Whether `error` says that a connection has been begun and will be there later, or not at all.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}
