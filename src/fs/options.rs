//! [`OpenOptions`].

use std::fs::OpenOptions as StdOptions;
use std::io;
use std::path::Path;

use super::File;

/// How a file is opened: the twin of [`std::fs::OpenOptions`].
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// use runtime::fs::OpenOptions;
///
/// let log = OpenOptions::new().append(true).create(true).open("server.log").await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    options: StdOptions,
    appends: bool,
}

impl OpenOptions {
    /// Nothing is allowed yet.
    #[expect(clippy::new_without_default, reason = "as in the standard library")]
    pub fn new() -> Self {
        Self { options: StdOptions::new(), appends: false }
    }

    /// Whether it can be read.
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.options.read(read);
        self
    }

    /// Whether it can be written.
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.options.write(write);
        self
    }

    /// Whether everything is written at the end, wherever that is by then.
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.options.append(append);
        self.appends = append;
        self
    }

    /// Whether what is in it is thrown away.
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.options.truncate(truncate);
        self
    }

    /// Whether it is made if it is not there.
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.options.create(create);
        self
    }

    /// Whether it must not be there yet, and is made.
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.options.create_new(create_new);
        self
    }

    /// The permissions of a file that is made, by default `0o666`, less what the umask takes away.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::mode(&mut self.options, mode);
        self
    }

    /// More flags for `open`, such as `O_NOFOLLOW`. Append mode has a method of its own, and needs it.
    #[cfg(unix)]
    pub fn custom_flags(&mut self, flags: i32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut self.options, flags);
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::OpenOptions::open`]; one that says so outside a runtime or if the runtime
    /// has shut down.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped the file may still be made or emptied, and is closed then.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let (options, appends) = (self.options.clone(), self.appends);
        let path = path.as_ref().to_owned();
        File::make(move || options.open(path), appends).await
    }
}
