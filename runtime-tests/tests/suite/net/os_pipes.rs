//! Pipes of the operating system, beyond what the conformance rows say: children, modes, descriptors.

use std::io::{ErrorKind, IoSlice, Write as _};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;

use runtime::io::{Interest, Read, Ready, ReadyWrite, Write, copy};
use runtime::net::unix::pipe::{Receiver, Sender, pipe};

use super::kind;

/// More than fits the pipes, both ways at once.
#[runtime::test]
async fn a_child_gets_and_gives_a_megabyte() {
    let mut child =
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = Sender::from_owned_fd(child.stdin.take().unwrap()).unwrap();
    let mut output = Receiver::from_owned_fd(child.stdout.take().unwrap()).unwrap();
    let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| (n * 7 % 251) as u8).collect();
    let writing = runtime::spawn({
        let bytes = bytes.clone();
        async move {
            input.write_all(&bytes).await.unwrap();
            input.shutdown().await.unwrap();
            input // the child reads the end although this is not dropped
        }
    });
    let mut back = Vec::new();
    output.read_to_end(&mut back).await.unwrap();
    assert!(back == bytes);
    drop(writing.await.unwrap());
    assert!(child.wait().unwrap().success());
}

/// Our ends as a child's streams: it expects them to block.
#[runtime::test]
async fn ends_are_given_to_a_child() {
    let (mut to_child, its_input) = pipe().unwrap();
    let (its_output, mut from_child) = pipe().unwrap();
    let mut child = Command::new("cat")
        .stdin(its_input.into_blocking_fd().unwrap())
        .stdout(its_output.into_blocking_fd().unwrap())
        .spawn()
        .unwrap();
    to_child.write_all(b"through a child").await.unwrap();
    drop(to_child);
    let mut text = String::new();
    from_child.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "through a child");
    assert!(child.wait().unwrap().success());
}

/// A pipe that keeps messages apart: each read is short, and no event follows it.
#[cfg(target_os = "linux")]
#[runtime::test]
async fn a_short_read_does_not_mean_that_nothing_is_left() {
    use rustix::pipe::{PipeFlags, pipe_with};
    let (reader, writer) = pipe_with(PipeFlags::DIRECT | PipeFlags::CLOEXEC).unwrap();
    let mut receiver = Receiver::from_owned_fd(reader).unwrap();
    let mut buf = [0; 100];
    for _ in 0..3 {
        assert!(futures::poll!(pin!(receiver.read(&mut buf))).is_pending());
        for message in [b"ab", b"cd", b"ef"] {
            rustix::io::write(&writer, message).unwrap();
        }
        for message in [b"ab", b"cd", b"ef"] {
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 2);
            assert_eq!(&buf[..2], message);
        }
    }
}

#[runtime::test]
async fn who_waits_hears_that_the_other_end_is_gone() {
    let (mut sender, receiver) = pipe().unwrap();
    let full = vec![0; 1 << 16];
    while sender.try_write(&full).is_ok() {}
    let writing = runtime::spawn(async move { sender.write_all(b"never").await });
    runtime::task::yield_now().await;
    drop(receiver);
    assert_eq!(kind(writing.await.unwrap()), ErrorKind::BrokenPipe);

    let (sender, mut receiver) = pipe().unwrap();
    let reading = runtime::spawn(async move { receiver.read(&mut [0]).await });
    runtime::task::yield_now().await;
    drop(sender);
    assert_eq!(reading.await.unwrap().unwrap(), 0);
}

#[runtime::test]
async fn after_a_shutdown_there_is_no_sender() {
    let (mut sender, mut receiver) = pipe().unwrap();
    sender.try_write(b"last").unwrap();
    for _ in 0..3 {
        sender.shutdown().await.unwrap();
    }
    let mut text = String::new();
    receiver.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "last");
    assert_eq!(kind(sender.try_write(b"x")), ErrorKind::BrokenPipe);
    assert_eq!(kind(sender.write_all(b"x").await), ErrorKind::BrokenPipe);
    sender.writable().await.unwrap();
    assert!(Ready::ready(&mut sender, Interest::WRITE).await.unwrap().hup());
    assert!(sender.non_blocking_flush().is_ok());
    let asked =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sender.as_fd().as_raw_fd()));
    assert!(asked.is_err());
    assert_eq!(kind(sender.into_nonblocking_fd()), ErrorKind::BrokenPipe);
}

#[runtime::test]
async fn any_number_of_tasks_use_one_end_through_references() {
    let (mut sender, receiver) = pipe().unwrap();
    let receiver = Arc::new(receiver);
    let readers = [(); 3].map(|()| {
        let receiver = Arc::clone(&receiver);
        runtime::spawn(async move {
            let mut byte = [0];
            (&*receiver).read_exact(&mut byte).await.map(|()| byte[0])
        })
    });
    runtime::task::yield_now().await;
    (&sender).write_all(b"a").await.unwrap();
    (&sender).write_vectored(&[IoSlice::new(b"b"), IoSlice::new(b"c")]).await.unwrap();
    let mut read = Vec::new();
    for reader in readers {
        read.push(reader.await.unwrap().unwrap());
    }
    read.sort();
    assert_eq!(read, b"abc");

    assert_eq!(kind(Ready::ready(&mut &sender, Interest::READ).await), ErrorKind::InvalidInput);
    assert_eq!(kind(Ready::ready(&mut &*receiver, Interest::WRITE).await), ErrorKind::InvalidInput);
    // Only the owner closes it.
    assert_eq!(kind((&sender).shutdown().await), ErrorKind::Unsupported);
    (&sender).write_all(b"d").await.unwrap();
    sender.shutdown().await.unwrap();
    assert!(Ready::ready(&mut &sender, Interest::WRITE).await.unwrap().hup());
    assert_eq!(kind((&sender).write_all(b"e").await), ErrorKind::BrokenPipe);
    let mut rest = Vec::new();
    (&*receiver).read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"d");
}

#[runtime::test]
async fn only_pipes_are_taken() {
    let file = std::fs::File::open("/proc/self/exe").or_else(|_| std::fs::File::open("/dev/null"));
    assert_eq!(kind(Receiver::from_owned_fd(file.unwrap())), ErrorKind::InvalidInput);
    let (one, two) = std::os::unix::net::UnixStream::pair().unwrap();
    assert_eq!(kind(Sender::from_owned_fd(one)), ErrorKind::InvalidInput);
    drop(two);
    // The wrong end of one is an error of the operations.
    let (reader, _writer) = std::io::pipe().unwrap();
    let wrong = Sender::from_owned_fd(reader).unwrap();
    assert!(wrong.try_write(b"x").is_err());
}

#[runtime::test]
async fn blocking_or_not_as_asked_for() {
    let blocks = |fd: &OwnedFd| {
        let flags = rustix::fs::fcntl_getfl(fd).unwrap();
        !flags.contains(rustix::fs::OFlags::NONBLOCK)
    };
    let (reader, mut writer) = std::io::pipe().unwrap();
    let receiver = Receiver::from_owned_fd(reader).unwrap();
    assert_eq!(kind(receiver.try_read(&mut [0])), ErrorKind::WouldBlock);
    writer.write_all(b"x").unwrap();
    receiver.readable().await.unwrap();
    assert_eq!(receiver.try_read(&mut [0; 2]).unwrap(), 1);
    let fd = receiver.into_nonblocking_fd().unwrap();
    assert!(!blocks(&fd));
    let fd = Receiver::from_owned_fd(fd).unwrap().into_blocking_fd().unwrap();
    assert!(blocks(&fd));
    let sender = Sender::from_owned_fd(writer).unwrap();
    assert!(!blocks(&sender.into_nonblocking_fd().unwrap()));
}

#[runtime::test]
async fn a_pipe_is_a_stream_like_any_other() {
    let (mut first, mut middle) = pipe().unwrap();
    let (mut out, mut last) = runtime::io::simplex(100);
    let copying = runtime::spawn(async move {
        let copied = copy(&mut middle, &mut last).await;
        last.shutdown().await.unwrap();
        copied
    });
    let writing = runtime::spawn(async move { first.write_all(&[7; 100_000]).await });
    let mut all = Vec::new();
    assert_eq!(out.read_to_end(&mut all).await.unwrap(), 100_000);
    writing.await.unwrap().unwrap();
    assert_eq!(copying.await.unwrap().unwrap(), 100_000);
}

/// The end of a named pipe is over when somebody opens it to write again.
#[cfg(target_os = "linux")]
#[test]
fn a_named_pipe_that_gets_a_new_writer_is_waited_for_again() {
    if cfg!(mio_unsupported_force_poll_poll) {
        return; // mio's selector over poll(2) forgets a descriptor that has hung up
    }
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt as _;
    let dir = std::env::temp_dir().join(format!("runtime-fifo-{}", std::process::id()));
    let none = rustix::fs::Mode::empty();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &dir,
        rustix::fs::FileType::Fifo,
        none | rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let reader = OpenOptions::new().read(true).custom_flags(nonblocking).open(&dir).unwrap();
    let writer = || OpenOptions::new().write(true).open(&dir).unwrap();
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut receiver = Receiver::from_owned_fd(reader).unwrap();
        let mut buf = [0; 8];
        drop(writer());
        assert_eq!(receiver.read(&mut buf).await.unwrap(), 0);
        runtime::time::sleep(std::time::Duration::from_millis(1)).await; // the driver reports it
        let mut second = writer();
        let reading = runtime::spawn(async move {
            let mut polls = 0;
            let mut reading = pin!(receiver.read(&mut buf));
            let count = std::future::poll_fn(|cx| {
                polls += 1;
                reading.as_mut().poll(cx)
            });
            (count.await.unwrap(), polls)
        });
        for _ in 0..100 {
            runtime::task::yield_now().await;
        }
        second.write_all(b"again").unwrap();
        let (count, polls) = reading.await.unwrap();
        assert_eq!(count, 5);
        assert!(polls < 10, "it was polled {polls} times for nothing");
    });
    std::fs::remove_file(&dir).unwrap();
}
