//! Who is at the other end of a [`UnixStream`].

use std::io;
use std::os::fd::AsFd;

use super::UnixStream;
use crate::sys;

/// The user, group and process that a peer had when it connected, listened or made the pair.
///
/// The kernel vouches for it. The process may be gone since, and its number another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UCred {
    user: u32,
    group: u32,
    process: Option<i32>,
}

impl UCred {
    /// The effective user id.
    pub fn uid(&self) -> u32 {
        self.user
    }

    /// The effective group id.
    pub fn gid(&self) -> u32 {
        self.group
    }

    /// The process id, where the system tells (Linux does).
    pub fn pid(&self) -> Option<i32> {
        self.process
    }
}

impl UnixStream {
    /// Who is at the other end.
    ///
    /// ```
    /// # async fn example(stream: runtime::net::UnixStream) -> std::io::Result<()> {
    /// if stream.peer_cred()?.uid() != 0 {
    ///     return Err(std::io::ErrorKind::PermissionDenied.into());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        let (user, group, process) = sys::peer_credentials(self.as_fd())?;
        Ok(UCred { user, group, process })
    }
}
