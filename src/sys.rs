//! What the operating system has and no crate above names: constants and the meaning of errors.
//!
//! The system calls themselves are std's, mio's and socket2's; what one of them lacks gets a thin
//! safe wrapper here, one a call.

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

#[cfg(unix)]
pub(crate) use libc::{
    SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
};

/// Signals that a process cannot handle, or after which the code that raised them cannot go on.
#[cfg(unix)]
pub(crate) const FATAL_SIGNALS: [i32; 6] =
    [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, libc::SIGBUS];

/// Has `handler` called at each signal of a number, on whichever thread, for the rest of the process.
///
/// It interrupts anything at any point, so it may do atomic operations and system calls, and must not
/// lock, allocate, panic or leave another `errno`. Calls that it interrupts go on (`SA_RESTART`).
#[cfg(unix)]
#[allow(unsafe_code)]
pub(crate) fn handle_signal(number: i32, handler: extern "C" fn(i32)) -> io::Result<()> {
    // SAFETY: all zeroes is a `sigaction` without flags, whose fields are then set to what they stand
    // for; the pointers are to living values or null; the handler, by its contract above, is one that
    // may run at any point of any thread.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigfillset(&raw mut action.sa_mask);
        libc::sigaction(number, &raw const action, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
