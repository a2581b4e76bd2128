//! Files: what `runtime::fs` promises of contents, positions, errors and ends. What happens to dropped
//! operations is in `fs/dropped.rs`.

mod dropped;

use futures::future::{join_all, poll_fn};
use runtime::Builder;
use runtime::fs::{self, File, OpenOptions};
use runtime::io::{OwnedBuf, OwnedRead, OwnedWrite, Read, ReadAt, Seek, Write, WriteAt};
use runtime_tests::rig::alone;
use std::fs::OpenOptions as OpenStd;
use std::future::Future;
use std::io::{ErrorKind, IoSlice, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// A path of its own for each caller; what is there is removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("fs-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    fn holding(contents: &[u8]) -> Self {
        let path = Self::new();
        std::fs::write(&path, contents).unwrap();
        path
    }

    fn contents(&self) -> Vec<u8> {
        std::fs::read(self).unwrap()
    }
}

impl AsRef<Path> for Temporary {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Polls once, with the waker of the task.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx))).await
}

async fn open_both(path: impl AsRef<Path>) -> File {
    OpenOptions::new().read(true).write(true).create(true).open(path).await.unwrap()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8 ^ (index / 251) as u8).collect()
}

#[runtime::test]
async fn what_is_written_is_read_again() {
    let path = Temporary::new();
    let sent = pattern(5 << 20); // more than one operation moves
    let mut file = File::create(&path).await.unwrap();
    file.write_all(&sent[..3 << 20]).await.unwrap();
    let (buf, outcome) = file.write_all_owned(OwnedBuf::from(sent[3 << 20..].to_vec())).await;
    outcome.unwrap();
    assert_eq!(buf.filled(), &sent[3 << 20..]);
    file.flush().await.unwrap();
    assert_eq!(file.stream_position().await.unwrap(), 5 << 20);
    file.sync_data().await.unwrap();
    file.sync_all().await.unwrap();

    let mut file = File::open(&path).await.unwrap();
    assert_eq!(file.metadata().await.unwrap().len(), 5 << 20);
    let mut received = Vec::new();
    assert_eq!(file.read_to_end(&mut received).await.unwrap(), 5 << 20);
    assert!(received == sent);

    file.rewind().await.unwrap();
    let memory = Vec::with_capacity(5 << 20);
    let address = memory.as_ptr();
    let (buf, outcome) = file.read_exact_owned(OwnedBuf::from(memory)).await;
    outcome.unwrap();
    let received = buf.try_into_vec().unwrap();
    assert!(received == sent && received.as_ptr() == address);

    file.rewind().await.unwrap();
    let mut at = vec![0; 5 << 20];
    file.read_exact_at(&mut at, 0).await.unwrap();
    assert!(at == sent);
    assert_eq!(file.stream_position().await.unwrap(), 0);
}

#[runtime::test]
async fn functions_do_a_whole_thing() {
    let (one, two) = (Temporary::new(), Temporary::new());
    fs::write(&one, String::from("text")).await.unwrap();
    fs::rename(&one, &two).await.unwrap();
    assert_eq!(fs::read(&two).await.unwrap(), b"text");
    assert_eq!(fs::read_to_string(&two).await.unwrap(), "text");
    assert_eq!(fs::metadata(&two).await.unwrap().len(), 4);
    assert_eq!(fs::canonicalize(&two).await.unwrap(), std::fs::canonicalize(&two).unwrap());
    fs::remove_file(&two).await.unwrap();
    assert_eq!(fs::read(&two).await.unwrap_err().kind(), ErrorKind::NotFound);
    let inner = one.as_ref().join("a/b");
    fs::create_dir_all(&inner).await.unwrap();
    assert_eq!(fs::create_dir(&inner).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    fs::remove_dir(&inner).await.unwrap();
    fs::remove_dir_all(&one).await.unwrap();
    std::fs::write(&one, [0xFF]).unwrap();
    assert_eq!(fs::read_to_string(&one).await.unwrap_err().kind(), ErrorKind::InvalidData);
}

#[runtime::test]
async fn positions_are_those_of_seek() {
    let path = Temporary::holding(b"headbody");
    let mut file = open_both(&path).await;
    assert_eq!(file.seek(SeekFrom::End(-4)).await.unwrap(), 4);
    assert_eq!(file.seek(SeekFrom::Current(-1)).await.unwrap(), 3);
    let mut four = [0; 4];
    file.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"dbod");
    assert_eq!(file.stream_position().await.unwrap(), 7);
    assert_eq!(file.stream_len().await.unwrap(), 8);
    assert_eq!(file.stream_position().await.unwrap(), 7);

    for wrong in [
        SeekFrom::Current(-8),
        SeekFrom::End(-9),
        SeekFrom::Start(1 << 63),
        SeekFrom::Current(i64::MAX),
        SeekFrom::End(i64::MAX),
    ] {
        let error = file.seek(wrong).await.unwrap_err();
        assert!(
            matches!(error.raw_os_error(), Some(75 /* EOVERFLOW */))
                || error.kind() == ErrorKind::InvalidInput,
            "{wrong:?}: {error:?}"
        );
        assert_eq!(file.stream_position().await.unwrap(), 7, "{wrong:?}");
    }

    // Behind the end: nothing to read, and zeroes once something is written.
    assert_eq!(file.seek(SeekFrom::Start(10)).await.unwrap(), 10);
    assert_eq!(file.read(&mut four).await.unwrap(), 0);
    file.write_all(b"!").await.unwrap();
    assert_eq!(path.contents(), b"headbody\0\0!");
    file.set_len(4).await.unwrap();
    assert_eq!(path.contents(), b"head");
    assert_eq!(file.stream_position().await.unwrap(), 11);
}

#[runtime::test]
async fn the_end_is_nothing_read() {
    let path = Temporary::holding(b"four");
    let mut file = File::open(&path).await.unwrap();
    let mut buf = [0; 8];
    assert_eq!(file.read(&mut buf).await.unwrap(), 4);
    for _ in 0..2 {
        assert_eq!(file.read(&mut buf).await.unwrap(), 0);
        let (buf, outcome) = file.read_owned(OwnedBuf::with_capacity(8)).await;
        outcome.unwrap();
        assert!(buf.is_empty());
    }
    assert_eq!(file.read_at(&mut buf, 1 << 40).await.unwrap(), 0);
    assert_eq!(file.read_at(&mut buf, 3).await.unwrap(), 1);
    let error = file.read_exact_at(&mut buf, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    // What grows has no end for ever.
    std::fs::write(&path, b"fourmore").unwrap();
    assert_eq!(file.read(&mut buf).await.unwrap(), 4);
    assert_eq!(&buf[..4], b"more");
}

#[runtime::test]
async fn what_appends_writes_at_the_end_wherever_that_is() {
    let path = Temporary::holding(b"first ");
    let mut one = OpenOptions::new().append(true).read(true).open(&path).await.unwrap();
    let mut two = one.try_clone().unwrap();
    assert_eq!(one.stream_position().await.unwrap(), 0);
    one.write_all(b"second ").await.unwrap();
    assert_eq!(one.stream_position().await.unwrap(), 13);
    two.write_all(b"third ").await.unwrap();
    assert_eq!(two.stream_position().await.unwrap(), 19);
    one.rewind().await.unwrap();
    one.write_all(b"fourth").await.unwrap();
    assert_eq!(path.contents(), b"first second third fourth");
    let mut five = [0; 5];
    one.rewind().await.unwrap();
    one.read_exact(&mut five).await.unwrap();
    assert_eq!(&five, b"first");
}

#[runtime::test]
async fn each_handle_has_its_own_position() {
    let path = Temporary::holding(b"0123456789");
    let mut one = open_both(&path).await;
    one.seek(SeekFrom::Start(2)).await.unwrap();
    let mut two = one.try_clone().unwrap();
    let mut buf = [0; 3];
    one.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"234");
    two.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"234");
    two.write_all(b"X").await.unwrap();
    assert_eq!(one.stream_position().await.unwrap(), 5);
    one.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"X67");
    drop(one);
    two.write_all(b"Y").await.unwrap();
    assert_eq!(path.contents(), b"01234XY789");
}

#[runtime::test]
async fn it_comes_from_std_and_goes_there_with_its_position() {
    let path = Temporary::holding(b"0123456789");
    let mut std = std::fs::File::open(&path).unwrap();
    std::io::Seek::seek(&mut std, SeekFrom::Start(3)).unwrap();
    let mut file = File::from_std(std).unwrap();
    let mut two = [0; 2];
    file.read_exact(&mut two).await.unwrap();
    assert_eq!(&two, b"34");
    let mut std = file.into_std().await.unwrap();
    std::io::Read::read_exact(&mut std, &mut two).unwrap();
    assert_eq!(&two, b"56");
}

#[runtime::test]
async fn many_operations_by_offset_at_a_time() {
    let path = Temporary::new();
    let file = open_both(&path).await;
    let page = |index: usize| vec![index as u8; 4096];
    let writes = (0..64).map(|index| {
        let mut file = &file;
        async move { file.write_all_at(&page(index), index as u64 * 4096).await.unwrap() }
    });
    join_all(writes).await;
    let reads = (0..64).rev().map(|index| {
        let file = &file;
        async move {
            let buf = OwnedBuf::with_capacity(4096);
            let (buf, outcome) = file.read_owned_at(buf, index as u64 * 4096).await;
            outcome.unwrap();
            assert!(buf.filled() == page(index));
            let mut byte = [0];
            file.read_exact_at(&mut byte, index as u64 * 4096 + 4095).await.unwrap();
            assert_eq!(byte[0], index as u8);
        }
    });
    join_all(reads).await;
    let (buf, outcome) = file.write_owned_at(OwnedBuf::from(b"over".to_vec()), 4094).await;
    assert_eq!((outcome.unwrap(), buf.filled()), (4, &b"over"[..]));
    assert_eq!(&path.contents()[4092..4100], b"\0\0over\x01\x01");
}

#[runtime::test]
async fn buffers_of_nothing_never_wait() {
    let path = Temporary::holding(b"contents");
    let mut file = open_both(&path).await;
    let full = OwnedBuf::from(b"full".to_vec().into_boxed_slice());
    {
        let read = pin!(file.read_owned(full));
        let Poll::Ready((buf, Ok(()))) = poll_once(&mut { read }).await else {
            panic!("it waits for nothing");
        };
        assert_eq!(buf.filled(), b"full");
    }
    let nothing = OwnedBuf::with_capacity(3);
    let polled = poll_once(&mut pin!(file.write_owned(nothing))).await;
    assert!(matches!(polled, Poll::Ready((_, Ok(0)))));
    assert!(matches!(poll_once(&mut pin!(file.read(&mut []))).await, Poll::Ready(Ok(0))));
    assert!(matches!(poll_once(&mut pin!(file.write(&[]))).await, Poll::Ready(Ok(0))));
    assert!(matches!(poll_once(&mut pin!(file.read_at(&mut [], 3))).await, Poll::Ready(Ok(0))));
    assert!(matches!(poll_once(&mut pin!(file.write_at(&[], 3))).await, Poll::Ready(Ok(0))));
    assert_eq!(path.contents(), b"contents");
}

#[runtime::test]
async fn several_buffers_are_one_write() {
    let path = Temporary::new();
    let mut file = File::create(&path).await.unwrap();
    let parts = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two")];
    assert!(file.is_write_vectored());
    assert_eq!(file.write_vectored(&parts).await.unwrap(), 7);
    assert_eq!(path.contents(), b"one two");
}

#[runtime::test]
async fn a_huge_buffer_for_a_small_file_is_not_touched() {
    let path = Temporary::holding(b"small");
    let mut file = File::open(&path).await.unwrap();
    let (buf, outcome) = file.read_owned(OwnedBuf::with_capacity(1 << 30)).await;
    outcome.unwrap();
    assert_eq!(buf.filled(), b"small");
    assert!(buf.init_len() <= 2 << 20, "{} bytes", buf.init_len());
    let (buf, outcome) = file.read_owned(buf).await; // the end, which the pool has to say
    outcome.unwrap();
    assert_eq!(buf.filled(), b"small");
    assert!(buf.init_len() <= 3 << 20, "{} bytes", buf.init_len());
}

#[cfg(target_os = "linux")]
#[runtime::test]
async fn a_full_disk_is_an_error_with_the_buffer() {
    let mut full = OpenOptions::new().write(true).open("/dev/full").await.unwrap();
    let memory = b"does not fit".to_vec();
    let address = memory.as_ptr();
    let (buf, outcome) = full.write_all_owned(OwnedBuf::from(memory)).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::StorageFull);
    let memory = buf.try_into_vec().unwrap();
    assert_eq!((memory.as_slice(), memory.as_ptr()), (&b"does not fit"[..], address));
    assert_eq!(full.write(b"x").await.unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!((&full).write_at(b"x", 9).await.unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(full.stream_position().await.unwrap(), 0);
}

#[runtime::test]
async fn what_may_not_be_done_is_an_error() {
    let path = Temporary::holding(b"contents");
    let mut read_only = File::open(&path).await.unwrap();
    assert!(read_only.write(b"x").await.is_err());
    assert!(read_only.set_len(0).await.is_err());
    let mut write_only = OpenOptions::new().write(true).open(&path).await.unwrap();
    assert!(write_only.read(&mut [0]).await.is_err());
    let (buf, outcome) = write_only.read_owned(OwnedBuf::with_capacity(7)).await;
    assert!(outcome.is_err() && buf.is_empty() && buf.capacity() == 7);
    let create_new = OpenOptions::new().write(true).create_new(true).open(&path).await;
    assert_eq!(create_new.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(OpenOptions::new().open(&path).await.is_err());
    assert_eq!(path.contents(), b"contents");

    let mut directory = File::open(env!("CARGO_TARGET_TMPDIR")).await.unwrap();
    assert!(directory.metadata().await.unwrap().is_dir());
    assert_eq!(directory.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::IsADirectory);
    assert!(File::create(env!("CARGO_TARGET_TMPDIR")).await.is_err());
}

#[cfg(unix)]
#[runtime::test]
async fn what_has_no_position_is_read_in_order() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut reader = File::from_std(std::os::fd::OwnedFd::from(reader).into()).unwrap();
    let mut writer = File::from_std(std::os::fd::OwnedFd::from(writer).into()).unwrap();
    assert_eq!(reader.seek(SeekFrom::Start(0)).await.unwrap_err().kind(), ErrorKind::NotSeekable);
    assert_eq!(reader.stream_len().await.unwrap_err().kind(), ErrorKind::NotSeekable);
    assert_eq!(reader.read_at(&mut [0], 0).await.unwrap_err().kind(), ErrorKind::NotSeekable);
    assert_eq!((&writer).write_at(b"x", 0).await.unwrap_err().kind(), ErrorKind::NotSeekable);
    let (mut four, mut rest) = ([0; 4], String::new());
    let write = async {
        writer.write_all(b"headbody").await.unwrap();
        drop(writer);
    };
    let read = async {
        reader.read_exact(&mut four).await.unwrap();
        reader.read_to_string(&mut rest).await.unwrap();
    };
    futures::join!(read, write);
    assert_eq!((&four, rest.as_str()), (b"head", "body"));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut writer = File::from_std(std::os::fd::OwnedFd::from(writer).into()).unwrap();
    let (buf, outcome) = writer.write_owned(OwnedBuf::from(b"nobody".to_vec())).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(buf.filled(), b"nobody");
}

/// The page cache answers at once, and a task that lives of it gives way.
#[test]
fn reads_without_a_thread_are_charged() {
    let path = Temporary::holding(&pattern(1 << 20));
    let runtime = Builder::new_current_thread().build().unwrap();
    let counted = runtime.block_on(runtime.spawn(async move {
        let file = File::open(&path).await.unwrap();
        let mut count = 0;
        let mut buf = vec![0; 64 << 10];
        runtime::task::yield_now().await;
        poll_fn(|cx| {
            // Never gives way by itself.
            for _ in 0..10_000 {
                let Poll::Ready(outcome) = pin!(file.read_at(&mut buf, 0)).poll(cx) else {
                    return Poll::Ready(());
                };
                assert_ne!(outcome.unwrap(), 0);
                count += 1;
            }
            Poll::Ready(())
        })
        .await;
        count
    }));
    // 5 units each, if there is a cache to be asked; else the first waits for a thread.
    assert!(counted.unwrap() <= 128 / 5 + 1);
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    futures::executor::block_on(async {
        assert!(File::open("/dev/null").await.is_err());
        assert!(fs::read("/dev/null").await.is_err());
        assert!(File::from_std(std::fs::File::open("/dev/null").unwrap()).is_err());
    });
}

/// Under any executor, and when its runtime is gone an error: the buffer comes back with it.
#[test]
fn operations_after_the_runtime_are_errors() {
    let path = Temporary::holding(b"contents");
    let runtime = Builder::new_current_thread().build().unwrap();
    let mut file = runtime.block_on(open_both(&path));
    futures::executor::block_on(async {
        let mut contents = String::new();
        file.read_to_string(&mut contents).await.unwrap();
        assert_eq!(contents, "contents");
        drop(runtime);

        let (buf, outcome) = file.write_all_owned(OwnedBuf::from(b"more".to_vec())).await;
        assert!(outcome.is_err());
        assert_eq!(buf.filled(), b"more");
        let (_, outcome) = file.read_exact_owned(OwnedBuf::with_capacity(4)).await;
        assert!(outcome.is_err());
        assert!(file.write(b"more").await.is_err());
        assert!(file.read(&mut [0; 4]).await.is_err());
        assert!(file.metadata().await.is_err());
        assert!(file.sync_all().await.is_err());
        assert!(file.seek(SeekFrom::End(0)).await.is_err());
        assert_eq!(file.stream_position().await.unwrap(), 8);
        file.flush().await.unwrap();
        drop(file.try_clone().unwrap());
        file.into_std().await.unwrap();
    });
    assert_eq!(path.contents(), b"contents");
}

/// The pool cannot have a single thread, for its stack is more than the process may have.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn threads_that_are_refused_are_an_error() {
    alone("fs::threads_that_are_refused_are_an_error", a_write_without_threads);
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn a_write_without_threads() {
    let path = Temporary::holding(b"contents");
    let limit = rustix::process::Rlimit { current: Some(1 << 39), maximum: None };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
    let mut builder = Builder::new_current_thread();
    let runtime = builder.thread_stack_size(1 << 40).build().unwrap();
    runtime.block_on(async {
        assert!(File::open(&path).await.is_err());
        let std = OpenStd::new().write(true).open(&path).unwrap();
        let mut file = File::from_std(std).unwrap();
        let (buf, outcome) = file.write_owned(OwnedBuf::from(b"more".to_vec())).await;
        assert!(outcome.is_err());
        assert_eq!(buf.filled(), b"more");
        file.flush().await.unwrap();
    });
    assert_eq!(path.contents(), b"contents");
}

#[test]
fn futures_and_files_move_between_threads() {
    fn is_send_sync<T: Send + Sync>(_: &T) {}
    fn is_send<T: Send>(_: T) {}
    let runtime = Builder::new_current_thread().build().unwrap();
    let _guard = runtime.enter();
    let mut file = File::from_std(std::fs::File::open("/dev/null").unwrap()).unwrap();
    is_send_sync(&file);
    is_send(file.read(&mut [0]));
    is_send(file.read_owned(OwnedBuf::with_capacity(1)));
    is_send(file.write(&[0]));
    is_send(file.read_at(&mut [0], 0));
    is_send((&file).write_at(&[0], 0));
    is_send(file.metadata());
    is_send(fs::read("/dev/null"));
    is_send(File::open("/dev/null"));
    // The owned forms are found behind plain readers and writers.
    assert!(file.as_owned().is_some() && file.as_owned_write().is_some());
    assert!(file.as_ready().is_none());
    let mut object: Box<dyn runtime::io::DynRead> = Box::new(file);
    let mut byte = [0];
    assert_eq!(runtime.block_on(object.read(&mut byte)).unwrap(), 0);
}
