//! [`File`]: what it promises, in terms of the operations in `job.rs`.

use std::fs::{File as StdFile, Metadata};
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, Result, Seek as _, SeekFrom};
use std::path::Path;

use super::job::{Access, LARGEST, Shared, refused};
use super::{OpenOptions, pool};
use crate::coop;
use crate::io_core::{
    DynOwnedRead, DynOwnedWrite, OwnedBuf, OwnedRead, OwnedWrite, Read, ReadAt, Seek, Write,
    WriteAt,
};
use crate::sync::Arc;

/// An open file.
///
/// A file has no readiness: its operations run on the runtime's threads for blocking work. What is
/// in the page cache is read on the spot, where the system allows that (Linux, on most local file
/// systems; others are asked once). Everything else moves the buffer to such a thread and back:
/// without a copy by [`OwnedRead`], [`OwnedWrite`], [`read_owned_at`](Self::read_owned_at) and
/// [`write_owned_at`](Self::write_owned_at); with one by [`Read`], [`Write`], [`ReadAt`] and
/// [`WriteAt`], which take a buffer of their own while the operation is under way. One operation
/// moves at most 2 MiB, and the page cache gives at most 128 KiB at once.
///
/// A `File` remembers the runtime that it was made in, and may be used under any executor. When that
/// runtime has shut down, operations return an error, and owned buffers come back with it.
///
/// # Position
///
/// [`Read`], [`Write`] and [`Seek`] use a position that is the handle's own. It starts at 0, or where
/// [`from_std`](Self::from_std) finds it, and the system's own position is not used, so each handle of
/// [`try_clone`](Self::try_clone) has one. What is opened to [append](OpenOptions::append) writes at
/// the end, and its position is there afterwards. FIFOs, terminals and sockets have no position: they
/// are read and written in order, and each operation that waits keeps a thread.
///
/// # Cancel safety
///
/// A read or write whose future is dropped has not moved the position. If it was queued it does not
/// happen. If it was running it goes on in the background, so a *write may still happen*, at the
/// position where the next one begins. Later operations of this handle wait until it is over: nothing
/// that was dropped overwrites what is written afterwards, and a [`flush`](Write::flush) says that it
/// is over. So `write` again with the same bytes is safe, except to a file that appends and to a
/// FIFO, which may get them twice. What a dropped read has taken from a FIFO is kept for the next one.
///
/// # Closing
///
/// Dropping the file closes it, at once or after the operation that runs. Errors of closing are
/// lost, and nothing is forced to the disk: call [`sync_all`](Self::sync_all) for both.
///
/// ```
/// # #[runtime::main] async fn main() -> std::io::Result<()> {
/// # let path = std::env::temp_dir().join(format!("runtime-file-{}", std::process::id()));
/// use runtime::fs::File;
/// use runtime::io::{OwnedBuf, OwnedRead, ReadAt, Write};
///
/// let mut file = File::create(&path).await?;
/// file.write_all(b"headbody").await?;
/// file.sync_all().await?;
///
/// let mut file = File::open(&path).await?;
/// let (buf, outcome) = file.read_exact_owned(OwnedBuf::with_capacity(4)).await;
/// outcome?;
/// assert_eq!(buf.filled(), b"head");
///
/// let mut body = [0; 4];
/// file.read_exact_at(&mut body, 4).await?;
/// assert_eq!(&body, b"body");
/// # runtime::fs::remove_file(path).await
/// # }
/// ```
#[derive(Debug)]
pub struct File {
    shared: Arc<Shared>,
    position: u64,
}

impl File {
    /// Opens a file to read it.
    ///
    /// # Errors
    ///
    /// As [`OpenOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`OpenOptions::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().read(true).open(path).await
    }

    /// Makes a file, or empties the one that is there, to write it.
    ///
    /// # Errors
    ///
    /// As [`OpenOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`OpenOptions::open`].
    pub async fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().write(true).create(true).truncate(true).open(path).await
    }

    /// Other ways to open a file.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Makes a file of what `open` opens, on the pool.
    pub(super) async fn make(
        open: impl FnOnce() -> Result<StdFile> + Send + 'static,
        appends: bool,
    ) -> Result<Self> {
        let opened = move || {
            let file = open()?;
            let position = position(&file)?;
            Ok((file, position))
        };
        let pool = pool()?;
        let opened = pool.spawn(opened, std::panic::Location::caller()).await;
        let (file, position) = opened.unwrap_or_else(|_| Err(refused()))?;
        Ok(Self::new(file, pool, position, appends))
    }

    fn new(
        file: StdFile,
        pool: Arc<crate::blocking::Pool>,
        position: Option<u64>,
        appends: bool,
    ) -> Self {
        let access = match position {
            None => Access::Stream,
            Some(_) if appends => Access::Append,
            Some(_) => Access::Offset,
        };
        let position = position.unwrap_or(0);
        Self { shared: Arc::new(Shared::new(file, pool, access)), position }
    }

    /// Makes a file of an open one, which begins at the position where that one is.
    ///
    /// That it was opened to append cannot be seen: it is written at the end, but the position is
    /// counted from where it was. Use [`OpenOptions::append`] where that matters.
    ///
    /// # Errors
    ///
    /// One that says so outside a runtime; those of asking for the position.
    ///
    /// ```
    /// # #[runtime::main] async fn main() -> std::io::Result<()> {
    /// use runtime::fs::File;
    ///
    /// let file = File::from_std(std::fs::File::open("/dev/null")?)?;
    /// # Ok(()) }
    /// ```
    pub fn from_std(file: StdFile) -> Result<Self> {
        let pool = pool()?;
        let position = position(&file)?;
        Ok(Self::new(file, pool, position, false))
    }

    /// The file as the standard library's, at the position where this one is.
    ///
    /// Waits for what runs in the background.
    ///
    /// # Errors
    ///
    /// Those of setting the position, and of duplicating the descriptor if something holds on to it.
    ///
    /// # Cancel safety
    ///
    /// The file is dropped with the future.
    pub async fn into_std(self) -> Result<StdFile> {
        self.shared.settled().await;
        let access = self.shared.access;
        let mut file = match Arc::try_unwrap(self.shared) {
            Ok(shared) => shared.file,
            // A job that has just ended.
            Err(shared) => shared.file.try_clone()?,
        };
        if access != Access::Stream {
            file.seek(SeekFrom::Start(self.position))?;
        }
        Ok(file)
    }

    /// A second handle to the same open file, with a descriptor and a position of its own.
    ///
    /// # Errors
    ///
    /// If the process can have no more descriptors.
    pub fn try_clone(&self) -> Result<Self> {
        let file = self.shared.file.try_clone()?;
        let shared = Shared::new(file, Arc::clone(self.shared.pool()), self.shared.access);
        Ok(Self { shared: Arc::new(shared), position: self.position })
    }

    /// What the file system says of it.
    ///
    /// # Errors
    ///
    /// Those of the system; if the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn metadata(&self) -> Result<Metadata> {
        self.run(StdFile::metadata).await
    }

    /// Cuts it, or makes it longer with zeroes. Positions stay where they are.
    ///
    /// # Errors
    ///
    /// Those of the system; if the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// It may still happen; later operations wait for it.
    pub async fn set_len(&self, len: u64) -> Result<()> {
        self.run(move |file| file.set_len(len)).await
    }

    /// Waits until everything that was written, and what the file system says of it, is on the disk.
    ///
    /// # Errors
    ///
    /// Those of the system, among them of earlier writes; if the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn sync_all(&self) -> Result<()> {
        self.run(StdFile::sync_all).await
    }

    /// As [`sync_all`](Self::sync_all), without what is not needed to read the data again.
    ///
    /// # Errors
    ///
    /// As [`sync_all`](Self::sync_all).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn sync_data(&self) -> Result<()> {
        self.run(StdFile::sync_data).await
    }

    /// Fills the rest of `buf` from `offset` on, as far as the file goes, without a copy. Nothing
    /// filled is the end, if there was room. Any number may run at a time.
    ///
    /// # Errors
    ///
    /// Those of the system; if the runtime has shut down. The buffer comes back, as it was.
    ///
    /// # Cancel safety
    ///
    /// The buffer is dropped with the future, or when the read is over.
    ///
    /// ```
    /// # #[runtime::main] async fn main() -> std::io::Result<()> {
    /// use runtime::fs::File;
    /// use runtime::io::OwnedBuf;
    ///
    /// let file = File::open("/dev/zero").await?;
    /// let (buf, outcome) = file.read_owned_at(OwnedBuf::with_capacity(4), 1 << 40).await;
    /// outcome?;
    /// assert_eq!(buf.filled(), [0; 4]);
    /// # Ok(()) }
    /// ```
    pub async fn read_owned_at(&self, mut buf: OwnedBuf, offset: u64) -> (OwnedBuf, Result<()>) {
        if let Err(nothing) = self.begin_at(buf.room()).await {
            return (buf, nothing);
        }
        if self.shared.read_cached_owned(&mut buf, offset).is_some() {
            return (buf, Ok(()));
        }
        let (buf, outcome) = self.shared.read(buf, offset).await;
        (buf, outcome.map(drop))
    }

    /// Writes what is filled in `buf` at `offset`, without a copy, and returns how much that was. Any
    /// number may run at a time.
    ///
    /// # Errors
    ///
    /// Those of the system; if the runtime has shut down. The buffer comes back, as it was.
    ///
    /// # Cancel safety
    ///
    /// It may still happen; later operations wait for it. The buffer is dropped.
    pub async fn write_owned_at(&self, buf: OwnedBuf, offset: u64) -> (OwnedBuf, Result<usize>) {
        if let Err(nothing) = self.begin_at(buf.len()).await {
            return (buf, nothing.map(|()| 0));
        }
        let (buf, outcome) = self.shared.write(buf, offset).await;
        (buf, outcome.map(|(n, _)| n))
    }

    /// Waits for the budget and for what was left. `Err` is the result if there is nothing to do.
    async fn begin_at(&self, len: usize) -> std::result::Result<(), Result<()>> {
        poll_fn(coop::gate).await;
        if self.shared.access == Access::Stream {
            return Err(Err(ErrorKind::NotSeekable.into()));
        }
        if len == 0 {
            coop::charge(0);
            return Err(Ok(()));
        }
        self.shared.settled().await;
        Ok(())
    }

    async fn begin(&self) {
        poll_fn(coop::gate).await;
        self.shared.settled().await;
    }

    async fn run<T: Send + 'static>(
        &self,
        op: impl FnOnce(&StdFile) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.begin().await;
        self.shared.run(op).await
    }

    /// Where the end is, or so far from it.
    async fn offset_from_end(&self, by: i64) -> Result<u64> {
        self.run(move |mut file| file.seek(SeekFrom::End(by))).await
    }
}

/// Where an open file is; `None` if it has no position.
fn position(mut file: &StdFile) -> Result<Option<u64>> {
    match file.stream_position() {
        Ok(position) => Ok(Some(position)),
        Err(error) if error.kind() == ErrorKind::NotSeekable => Ok(None),
        Err(error) => Err(error),
    }
}

impl OwnedRead for File {
    /// Cancel safety: see [`File`]; what is read from a FIFO is kept, the buffer is not given back.
    async fn read_owned(&mut self, mut buf: OwnedBuf) -> (OwnedBuf, Result<()>) {
        poll_fn(coop::gate).await;
        if buf.room() == 0 {
            coop::charge(0);
            return (buf, Ok(()));
        }
        self.shared.settled().await;
        let rest = self.shared.with_rest(|rest| {
            let n = buf.unfilled().append_some(rest.filled());
            rest.consume(n);
            n
        });
        if let Some(n) = rest {
            coop::charge(n);
            return (buf, Ok(()));
        }
        if let Some(n) = self.shared.read_cached_owned(&mut buf, self.position) {
            self.position += n as u64;
            return (buf, Ok(()));
        }
        let (buf, outcome) = self.shared.read(buf, self.position).await;
        self.position += *outcome.as_ref().unwrap_or(&0) as u64;
        (buf, outcome.map(drop))
    }
}

impl OwnedWrite for File {
    /// Cancel safety: see [`File`].
    async fn write_owned(&mut self, buf: OwnedBuf) -> (OwnedBuf, Result<usize>) {
        poll_fn(coop::gate).await;
        if buf.is_empty() {
            coop::charge(0);
            return (buf, Ok(0));
        }
        self.shared.settled().await;
        let (buf, outcome) = self.shared.write(buf, self.position).await;
        let outcome = outcome.map(|(n, position)| {
            self.position = position;
            n
        });
        (buf, outcome)
    }
}

impl Read for File {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.begin().await;
        if let Some(n) = self.shared.read_cached(buf, self.position) {
            self.position += n as u64;
            return Ok(n);
        }
        let (read, outcome) = self.read_owned(scratch(buf.len())?).await;
        outcome?;
        Ok(copy_out(&read, buf))
    }

    fn as_owned(&mut self) -> Option<impl OwnedRead> {
        Some(self)
    }

    #[inline]
    fn as_owned_dyn(&mut self) -> Option<Box<dyn DynOwnedRead + '_>> {
        Some(Box::new(self))
    }
}

impl Write for File {
    async fn write(&mut self, buf: &[u8]) -> Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)]).await
    }

    /// In one operation.
    async fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        poll_fn(coop::gate).await;
        let (copy, outcome) = self.write_owned(copy_in(bufs)?).await;
        coop::charge(copy.len());
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Waits for writes whose futures were dropped. It does not wait for the disk.
    async fn flush(&mut self) -> Result<()> {
        self.begin().await;
        coop::charge(0);
        Ok(())
    }

    /// As [`flush`](Write::flush): a file has no other end to tell.
    async fn shutdown(&mut self) -> Result<()> {
        self.flush().await
    }

    fn as_owned_write(&mut self) -> Option<impl OwnedWrite> {
        Some(self)
    }

    #[inline]
    fn as_owned_write_dyn(&mut self) -> Option<Box<dyn DynOwnedWrite + '_>> {
        Some(Box::new(self))
    }
}

impl Seek for File {
    /// Only the end has to be asked for; otherwise it moves at once.
    ///
    /// # Errors
    ///
    /// `NotSeekable` for what has no position.
    async fn seek(&mut self, position: SeekFrom) -> Result<u64> {
        if self.shared.access == Access::Stream {
            return Err(ErrorKind::NotSeekable.into());
        }
        let position = match position {
            SeekFrom::End(by) => self.offset_from_end(by).await?,
            SeekFrom::Start(position) => at_once(|| Some(position)).await?,
            SeekFrom::Current(by) => at_once(|| self.position.checked_add_signed(by)).await?,
        };
        self.position = position;
        Ok(position)
    }

    async fn stream_len(&mut self) -> Result<u64> {
        self.offset_from_end(0).await
    }
}

impl ReadAt for File {
    /// # Errors
    ///
    /// `NotSeekable` for what has no position.
    async fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        if let Err(nothing) = self.begin_at(buf.len()).await {
            return nothing.map(|()| 0);
        }
        if let Some(n) = self.shared.read_cached(buf, offset) {
            return Ok(n);
        }
        let (read, outcome) = self.shared.read(scratch(buf.len())?, offset).await;
        outcome?;
        Ok(copy_out(&read, buf))
    }
}

impl WriteAt for &File {
    /// # Errors
    ///
    /// `NotSeekable` for what has no position. What was opened to append writes at the end.
    async fn write_at(&mut self, buf: &[u8], offset: u64) -> Result<usize> {
        poll_fn(coop::gate).await;
        let copy = copy_in(&[IoSlice::new(buf)])?;
        let (copy, outcome) = self.write_owned_at(copy, offset).await;
        coop::charge(copy.len());
        outcome
    }
}

impl WriteAt for File {
    async fn write_at(&mut self, buf: &[u8], offset: u64) -> Result<usize> {
        (&*self).write_at(buf, offset).await
    }
}

/// A position that needs no system call.
async fn at_once(position: impl FnOnce() -> Option<u64>) -> Result<u64> {
    poll_fn(coop::gate).await;
    coop::charge(0);
    position()
        .filter(|position| i64::try_from(*position).is_ok())
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "no file has such a position"))
}

/// The buffer of a read that was given borrowed memory.
fn scratch(len: usize) -> Result<OwnedBuf> {
    let mut buf = Vec::<u8>::new();
    buf.try_reserve_exact(len.min(LARGEST))?;
    let mut buf = OwnedBuf::from(buf);
    buf.set_room(len);
    Ok(buf)
}

fn copy_out(read: &OwnedBuf, buf: &mut [u8]) -> usize {
    let bytes = read.filled();
    buf[..bytes.len()].copy_from_slice(bytes);
    coop::charge(bytes.len());
    bytes.len()
}

/// What is to be written, up to [`LARGEST`].
fn copy_in(bufs: &[IoSlice<'_>]) -> Result<OwnedBuf> {
    let len = bufs.iter().fold(0_usize, |sum, buf| sum.saturating_add(buf.len())).min(LARGEST);
    let mut copy = Vec::new();
    copy.try_reserve_exact(len)?;
    for buf in bufs {
        copy.extend_from_slice(&buf[..buf.len().min(len - copy.len())]);
    }
    Ok(OwnedBuf::from(copy))
}

#[cfg(unix)]
impl std::os::fd::AsFd for File {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.shared.file.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for File {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.shared.file.as_raw_fd()
    }
}
