//! What the operating system has and no crate above names: constants and the meaning of errors.
//!
//! The system calls themselves are std's, mio's and socket2's; what all of them lack gets a thin safe
//! wrapper here, one a call. What a call means for readiness and budget is its caller's affair.

use std::io;
#[cfg(unix)]
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

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
    done(result).map(drop)
}

/// Who made the socket at the other end: user, group and, where the system tells, process.
#[cfg(unix)]
pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<(u32, u32, Option<i32>)> {
    let socket = socket.as_raw_fd();
    // SAFETY: the pointers are to locals of the types, and of the length, that the call writes.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let mut who = libc::ucred { pid: 0, uid: 0, gid: 0 };
            let mut length = size_of::<libc::ucred>() as libc::socklen_t;
            let (option, to) = (libc::SO_PEERCRED, (&raw mut who).cast());
            done(libc::getsockopt(socket, libc::SOL_SOCKET, option, to, &raw mut length))?;
            Ok((who.uid, who.gid, Some(who.pid)))
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            let (mut user, mut group) = (0, 0);
            done(libc::getpeereid(socket, &raw mut user, &raw mut group))?;
            Ok((user, group, None))
        }
    }
}

/// The most descriptors that one message may carry.
#[cfg(unix)]
pub(crate) const MAX_FDS: usize = 253;

/// Where control messages are put together and taken apart: aligned as their headers have to be, with
/// room for [`MAX_FDS`] and for a message or two that nobody asked for.
#[cfg(unix)]
#[repr(C, align(8))]
struct Control([u8; 1280]);

/// Sends bytes and, with the first of them, descriptors. Both at least one, at most [`MAX_FDS`].
#[cfg(unix)]
pub(crate) fn send_fds(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    assert!(fds.len() <= MAX_FDS, "a message carries at most {MAX_FDS} descriptors");
    let mut control = Control([0; 1280]);
    let size = size_of_val(fds) as libc::c_uint;
    let mut bytes =
        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: the header points to memory that outlives the call and that the call only reads, and
    // the one control message in it fits, by the assertion.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut bytes;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size) as _;
        let to = libc::CMSG_DATA(header).cast::<libc::c_int>();
        for (index, fd) in fds.iter().enumerate() {
            to.add(index).write_unaligned(fd.as_raw_fd());
        }
        libc::sendmsg(socket.as_raw_fd(), &raw const message, SEND_FLAGS)
    };
    done(sent).map(|sent| sent as usize)
}

/// What [`recv_fds`] got.
#[cfg(unix)]
pub(crate) struct Received {
    pub(crate) bytes: usize,
    pub(crate) fds: Vec<OwnedFd>,
    /// Some did not fit, or the process cannot have so many; the system has closed those.
    pub(crate) are_cut: bool,
}

/// Receives bytes and the descriptors that came with them: up to `max` (and [`MAX_FDS`]), give or
/// take a few where the system rounds. They are closed on `exec`.
#[cfg(unix)]
#[allow(clippy::unnecessary_cast)] // the types of lengths differ between systems
pub(crate) fn recv_fds(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    max: usize,
) -> io::Result<Received> {
    let mut control = Control([0; 1280]);
    let size = (max.min(MAX_FDS) * size_of::<libc::c_int>()) as libc::c_uint;
    let mut bytes = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut fds = Vec::new();
    // SAFETY: the header points to memory that outlives the call, with its lengths; the call says how
    // much of the control memory it filled, with whole messages, and the descriptors in those are new
    // and nobody else's.
    let (received, flags) = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut bytes;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        // Room for credentials besides, which a socket may have been asked for.
        message.msg_controllen = (libc::CMSG_SPACE(size) + libc::CMSG_SPACE(12)) as _;
        let received = done(libc::recvmsg(socket.as_raw_fd(), &raw mut message, CLOSE_ON_EXEC))?;
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while let Some(found) = header.as_ref() {
            let carries_fds = found.cmsg_level == libc::SOL_SOCKET
                && (found.cmsg_type == libc::SCM_RIGHTS || found.cmsg_type == SCM_PIDFD);
            if carries_fds {
                let data = libc::CMSG_DATA(header).cast::<libc::c_int>();
                // Some systems tell the length that a message had before it was cut.
                let end = message.msg_control as usize + message.msg_controllen as usize;
                let size = found.cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let size = size.min(end - data as usize);
                for index in 0..size / size_of::<libc::c_int>() {
                    let fd = OwnedFd::from_raw_fd(data.add(index).read_unaligned());
                    if found.cmsg_type == libc::SCM_RIGHTS {
                        fds.push(fd);
                    }
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
        (received as usize, message.msg_flags)
    };
    #[cfg(target_vendor = "apple")]
    for fd in &fds {
        socket2::SockRef::from(fd).set_cloexec(true)?;
    }
    Ok(Received { bytes: received, fds, are_cut: flags & libc::MSG_CTRUNC != 0 })
}

#[cfg(all(unix, not(target_vendor = "apple")))]
const CLOSE_ON_EXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
const CLOSE_ON_EXEC: libc::c_int = 0;

/// A descriptor of the sender's process, which a socket may have been asked for.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SCM_PIDFD: libc::c_int = 4;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const SCM_PIDFD: libc::c_int = libc::SCM_RIGHTS;

/// Reads from a file at `offset` what is in memory already: `WouldBlock` if that is nothing.
///
/// `Ok(0)` is the end, or a kernel (5.9, 5.10) that should have said `WouldBlock`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn read_cached(file: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let part = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    // SAFETY: there is one part, which is memory that outlives the call and may be written.
    let read =
        unsafe { libc::preadv64v2(file.as_raw_fd(), &raw const part, 1, offset, libc::RWF_NOWAIT) };
    done(read).map(|read| read as usize)
}

/// The result of a call that says -1 for an error.
#[cfg(unix)]
fn done<T: PartialEq + From<i8>>(result: T) -> io::Result<T> {
    if result == T::from(-1) { Err(io::Error::last_os_error()) } else { Ok(result) }
}
