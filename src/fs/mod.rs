//! Files, on the runtime's threads for blocking work.
//!
//! [`File`] is an open file. The functions do a whole thing each, as their namesakes of [`std::fs`],
//! in one trip to such a thread. For what is not here use [`spawn_blocking`](crate::spawn_blocking)
//! with the standard library.
//!
//! ```
//! # #[runtime::main] async fn main() -> std::io::Result<()> {
//! # let path = std::env::temp_dir().join(format!("runtime-fs-{}", std::process::id()));
//! use runtime::fs;
//!
//! fs::write(&path, "remember").await?;
//! assert_eq!(fs::read_to_string(&path).await?, "remember");
//! assert_eq!(fs::metadata(&path).await?.len(), 8);
//! fs::remove_file(&path).await
//! # }
//! ```
//!
//! # Errors
//!
//! Of each function: those of its namesake; one that says so outside a runtime (there, await it through
//! [`Handle::inside`](crate::Handle::inside)), or if the runtime shuts down before a thread begins.
//!
//! # Cancel safety
//!
//! If the future of a function is dropped, what it does may still happen, wholly or not at all as far
//! as the system knows it; nothing waits for it then.

mod file;
mod job;
mod options;

use std::fs::Metadata;
use std::io::Result;
use std::panic::{Location, resume_unwind};
use std::path::{Path, PathBuf};

use crate::blocking::Pool;
use crate::sync::Arc;

pub use file::File;
pub use options::OpenOptions;

macro_rules! of_std {
    ($($(#[doc = $doc:literal])+ $name:ident($($path:ident),+) -> $output:ty;)+) => {$(
        $(#[doc = $doc])+
        ///
        #[doc = concat!("As [`std::fs::", stringify!($name), "`]; errors and cancel safety: see the [module](self).")]
        pub async fn $name($($path: impl AsRef<Path>),+) -> Result<$output> {
            $(let $path = $path.as_ref().to_owned();)+
            run(move || std::fs::$name($($path),+)).await
        }
    )+};
}

of_std! {
    /// Everything that is in a file.
    read(path) -> Vec<u8>;
    /// Everything that is in a file, which must be UTF-8.
    read_to_string(path) -> String;
    /// What the file system says of what a path leads to.
    metadata(path) -> Metadata;
    /// The absolute path, without links and dots.
    canonicalize(path) -> PathBuf;
    /// Makes a directory.
    create_dir(path) -> ();
    /// Makes a directory and those above it that are missing.
    create_dir_all(path) -> ();
    /// Removes a file.
    remove_file(path) -> ();
    /// Removes an empty directory.
    remove_dir(path) -> ();
    /// Removes a directory with everything in it.
    remove_dir_all(path) -> ();
    /// Gives a file or directory another name, in place of what has it.
    rename(from, to) -> ();
}

/// Makes a file, or empties the one that is there, and writes `contents`.
///
/// They move to the thread, without a copy. As [`std::fs::write`]; errors and cancel safety: see the
/// [module](self).
pub async fn write(
    path: impl AsRef<Path>,
    contents: impl AsRef<[u8]> + Send + 'static,
) -> Result<()> {
    let path = path.as_ref().to_owned();
    run(move || std::fs::write(path, contents)).await
}

/// Runs something on the pool of the current runtime.
async fn run<T: Send + 'static>(op: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match pool()?.spawn(op, Location::caller()).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => Err(job::refused()),
    }
}

/// The pool of the current runtime.
fn pool() -> Result<Arc<Pool>> {
    Pool::current().ok_or_else(|| {
        std::io::Error::other(
            "no runtime is entered on this thread: call this inside `block_on`, a task, or under \
             `Handle::enter`",
        )
    })
}
