//! Files whose runtime need not be entered.

use std::io;
use std::path::Path;

use super::explicit;
use crate::fs::{File, OpenOptions};
use crate::runtime::Handle;

explicit! {
    /// ```
    /// use runtime::fs::File;
    /// use runtime::io::Read;
    ///
    /// let runtime = runtime::Runtime::new()?;
    /// futures::executor::block_on(async {
    ///     let mut file = File::open_in("Cargo.toml", runtime.handle()).await?;
    ///     let mut text = String::new();
    ///     file.read_to_string(&mut text).await?;
    ///     assert!(text.contains("[package]"));
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    async File::open_in(path: impl AsRef<Path>) => open;

    /// ```
    /// use runtime::fs::File;
    ///
    /// # async fn example(handle: runtime::Handle) -> std::io::Result<()> {
    /// let file = File::create_in("server.log", &handle).await?;
    /// # Ok(()) }
    /// ```
    async File::create_in(path: impl AsRef<Path>) => create;

    /// ```
    /// use runtime::fs::File;
    ///
    /// let runtime = runtime::Runtime::new()?;
    /// let file = File::from_std_in(std::fs::File::open("Cargo.toml")?, runtime.handle())?;
    /// # std::io::Result::Ok(())
    /// ```
    File::from_std_in(file: std::fs::File) => from_std;
}

impl OpenOptions {
    /// [`open`](Self::open) in the runtime of `handle`, under any executor.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// ```
    /// use runtime::fs::OpenOptions;
    ///
    /// # async fn example(handle: runtime::Handle) -> std::io::Result<()> {
    /// let log = OpenOptions::new().append(true).open_in("server.log", &handle).await?;
    /// # Ok(()) }
    /// ```
    pub async fn open_in(&self, path: impl AsRef<Path>, handle: &Handle) -> io::Result<File> {
        handle.inside(self.open(path)).await
    }
}
