//! `AsyncFd`: descriptors that the crate has no type for, and sources of mio's.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use runtime::io::{Interest, Ready};
use runtime::net::AsyncFd;
use runtime_tests::rig::on_each_flavour;

use super::kind;

/// A pair of std's streams, non-blocking.
fn pair() -> (std::os::unix::net::UnixStream, std::os::unix::net::UnixStream) {
    let (one, two) = std::os::unix::net::UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    two.set_nonblocking(true).unwrap();
    (one, two)
}

#[cfg(target_os = "linux")]
fn eventfd() -> OwnedFd {
    use rustix::event::EventfdFlags;
    rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap()
}

fn take(fd: &impl AsFd) -> io::Result<u64> {
    let mut number = [0; 8];
    assert_eq!(rustix::io::read(fd, &mut number)?, 8);
    Ok(u64::from_ne_bytes(number))
}

fn add(fd: &impl AsFd, number: u64) -> io::Result<()> {
    rustix::io::write(fd, &number.to_ne_bytes())?;
    Ok(())
}

/// Each round is a new edge after a `WouldBlock` that nobody cleared by hand; receivers give up in
/// between.
#[cfg(target_os = "linux")]
#[test]
fn an_eventfd_loses_no_edge() {
    on_each_flavour(|| async {
        let event = Arc::new(AsyncFd::new(eventfd()).unwrap());
        for round in 1..500 {
            assert!(futures::poll!(pin!(event.with_readable(take))).is_pending());
            let waiting = runtime::spawn({
                let event = event.clone();
                async move { event.with_readable(take).await }
            });
            if round % 2 == 0 {
                runtime::task::yield_now().await;
            }
            event.with_writable(|fd| add(fd, round)).await.unwrap();
            assert_eq!(waiting.await.unwrap().unwrap(), round);
        }
    });
}

#[cfg(target_os = "linux")]
#[runtime::test]
async fn a_timerfd_fires() {
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK).unwrap();
    let timer = AsyncFd::with_interest(timer, Interest::READ).unwrap();
    for _ in 0..3 {
        let it_value = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(timer.get_ref(), TimerfdTimerFlags::empty(), &once).unwrap();
        assert_eq!(timer.with_readable(take).await.unwrap(), 1);
    }
}

/// Closures see the object, whichever way it reads.
#[runtime::test]
async fn objects_that_read_by_reference_or_exclusively() {
    let (one, mut two) = pair();
    let mut one = AsyncFd::new(one).unwrap();
    let mut buf = [0; 8];
    two.write_all(b"first").unwrap();
    assert_eq!(one.with_readable(|mut io| io.read(&mut buf)).await.unwrap(), 5);
    assert!(futures::poll!(pin!(one.with_readable(|mut io| io.read(&mut buf)))).is_pending());
    two.write_all(b"second").unwrap();
    assert_eq!(one.async_io_mut(Interest::READ, |io| io.read(&mut buf)).await.unwrap(), 6);
    assert!(
        futures::poll!(pin!(one.async_io_mut(Interest::READ, |io| io.read(&mut buf)))).is_pending()
    );
    two.write_all(b"third").unwrap();
    assert_eq!(one.async_io_mut(Interest::READ, |io| io.read(&mut buf)).await.unwrap(), 5);
    one.get_mut().write_all(b"back").unwrap();
    assert_eq!(two.read(&mut buf).unwrap(), 4);
    assert!(format!("{one:?}").contains("UnixStream"), "{one:?}");
    // The end.
    drop(two);
    assert_eq!(one.with_readable(|mut io| io.read(&mut buf)).await.unwrap(), 0);
    while !Ready::ready(&mut one, Interest::READ).await.unwrap().hup() {
        runtime::task::yield_now().await; // until the driver has heard of it
    }
}

#[runtime::test]
async fn operations_that_are_not_known_to_be_ready_are_not_tried() {
    let (one, two) = pair();
    let one = AsyncFd::new(one).unwrap();
    let blocked = |_: &_| Err::<(), _>(ErrorKind::WouldBlock.into());
    assert_eq!(kind(one.try_io(Interest::READ, blocked)), ErrorKind::WouldBlock);
    let tried = one.try_io(Interest::READ, |_| -> io::Result<()> { panic!("it was tried") });
    assert_eq!(kind(tried), ErrorKind::WouldBlock);
    // Writing is another matter, and other errors clear nothing.
    let fails = |_: &_| Err::<(), _>(ErrorKind::InvalidData.into());
    for _ in 0..3 {
        assert_eq!(kind(one.try_io(Interest::WRITE, fails)), ErrorKind::InvalidData);
        assert_eq!(kind(one.with_writable(fails).await), ErrorKind::InvalidData);
    }
    drop(two);
}

#[runtime::test]
async fn only_what_is_watched_can_be_waited_for() {
    let (one, _two) = pair();
    let mut one = AsyncFd::with_interest(one, Interest::WRITE).unwrap();
    assert!(one.ready(Interest::WRITE).await.unwrap().write());
    for interest in [Interest::READ, Interest::READ_WRITE] {
        assert_eq!(kind(one.ready(interest).await), ErrorKind::InvalidInput);
        assert_eq!(kind(one.try_io(interest, |_| Ok(()))), ErrorKind::InvalidInput);
        assert_eq!(kind(one.async_io_mut(interest, |_| Ok(())).await), ErrorKind::InvalidInput);
        assert_eq!(kind(Ready::ready(&mut &one, interest).await), ErrorKind::InvalidInput);
    }
}

#[cfg(target_os = "linux")]
#[runtime::test]
async fn what_cannot_be_watched_is_an_error() {
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    if !cfg!(mio_unsupported_force_poll_poll) {
        assert_eq!(kind(AsyncFd::new(file)), ErrorKind::PermissionDenied);
    }
    let (one, _two) = pair();
    let watched = AsyncFd::new(one.as_fd()).unwrap();
    assert_eq!(kind(AsyncFd::new(&one)), ErrorKind::AlreadyExists);
    // It is let go of, by either end, and can be watched again.
    watched.into_inner();
    drop(AsyncFd::new(&one).unwrap());
    AsyncFd::new(&one).unwrap().writable_once().await;
}

trait WritableOnce {
    async fn writable_once(&self);
}

impl<T> WritableOnce for AsyncFd<T> {
    async fn writable_once(&self) {
        assert!(self.ready(Interest::WRITE).await.unwrap().write());
    }
}

/// Numbers are used again at once: a registration that outlived its descriptor would be somebody
/// else's.
#[runtime::test]
async fn a_registration_ends_before_its_descriptor() {
    for round in 0..1000 {
        let (one, mut two) = pair();
        let one = AsyncFd::new(one).unwrap();
        assert!(futures::poll!(pin!(one.with_readable(|mut io| io.read(&mut [0])))).is_pending());
        two.write_all(b"x").unwrap();
        if round % 3 == 0 {
            assert_eq!(one.with_readable(|mut io| io.read(&mut [0])).await.unwrap(), 1);
        }
        if round % 2 == 0 {
            drop(one.into_inner());
        }
    }
}

/// Who reads and who wants urgent data do not take each other's news away.
#[cfg(target_os = "linux")]
#[runtime::test]
async fn urgent_data_is_news_of_its_own() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    let both = Interest::READ | Interest::PRIORITY;
    let server = Arc::new(AsyncFd::with_interest(server, both).unwrap());
    let read = |mut io: &std::net::TcpStream| io.read(&mut [0; 16]);
    let urgent = |io: &std::net::TcpStream| {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        match socket2::SockRef::from(io).recv_out_of_band(&mut byte) {
            // What Linux says if there is none.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                Err(ErrorKind::WouldBlock.into())
            }
            result => result,
        }
    };
    for _ in 0..3 {
        assert!(futures::poll!(pin!(server.with_readable(read))).is_pending());
        assert!(futures::poll!(pin!(server.async_io(Interest::PRIORITY, urgent))).is_pending());
        let waiting = runtime::spawn({
            let server = server.clone();
            async move { server.async_io(Interest::PRIORITY, urgent).await }
        });
        runtime::task::yield_now().await;
        (&client).write_all(b"plain").unwrap();
        // A reader that drains everything first.
        assert_eq!(server.with_readable(read).await.unwrap(), 5);
        assert!(futures::poll!(pin!(server.with_readable(read))).is_pending());
        socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), 1);
        // Whether or not there was anything else, the reader hears of what comes next.
        assert!(futures::poll!(pin!(server.async_io(Interest::PRIORITY, urgent))).is_pending());
        (&client).write_all(b"more").unwrap();
        assert_eq!(server.with_readable(read).await.unwrap(), 4);
    }
}

/// mio's own types, and whatever implements its trait.
#[test]
fn sources_of_mio_are_watched() {
    struct Wrapped(mio::net::UdpSocket);

    impl mio::event::Source for Wrapped {
        fn register(
            &mut self,
            registry: &mio::Registry,
            token: mio::Token,
            interests: mio::Interest,
        ) -> io::Result<()> {
            self.0.register(registry, token, interests)
        }
        fn reregister(
            &mut self,
            registry: &mio::Registry,
            token: mio::Token,
            interests: mio::Interest,
        ) -> io::Result<()> {
            self.0.reregister(registry, token, interests)
        }
        fn deregister(&mut self, registry: &mio::Registry) -> io::Result<()> {
            self.0.deregister(registry)
        }
    }

    on_each_flavour(|| async {
        let any = "127.0.0.1:0".parse().unwrap();
        let one = mio::net::UdpSocket::bind(any).unwrap();
        let two = mio::net::UdpSocket::bind(any).unwrap();
        let addr = two.local_addr().unwrap();
        let one = AsyncFd::from_source(one, Interest::WRITE).unwrap();
        let two = AsyncFd::from_source(Wrapped(two), Interest::READ).unwrap();
        for _ in 0..3 {
            let receive = |io: &Wrapped| io.0.recv_from(&mut [0; 8]);
            assert!(futures::poll!(pin!(two.with_readable(receive))).is_pending());
            assert_eq!(one.with_writable(|io| io.send_to(b"data", addr)).await.unwrap(), 4);
            let (count, _) = two.with_readable(|io| io.0.recv_from(&mut [0; 8])).await.unwrap();
            assert_eq!(count, 4);
        }
        assert_eq!(two.into_inner().0.local_addr().unwrap(), addr);
    });
}

/// A closed end is ready for ever: an operation that claims that it would block starves nobody.
#[test]
fn an_operation_that_lies_about_a_closed_end_lets_others_run() {
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (one, two) = pair();
        let one = AsyncFd::new(one).unwrap();
        drop(two);
        let lies = runtime::spawn(async move {
            one.with_readable(|_| Err::<(), _>(ErrorKind::WouldBlock.into())).await
        });
        for _ in 0..100 {
            runtime::task::yield_now().await;
        }
        runtime::time::sleep(Duration::from_millis(1)).await;
        lies.abort();
        assert!(lies.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn outside_a_runtime_and_after_it_there_is_an_error() {
    use futures::executor::block_on;
    assert_eq!(kind(AsyncFd::new(pair().0)), ErrorKind::Other);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (one, _two) = pair();
    let one = {
        let _entered = runtime.enter();
        AsyncFd::new(one).unwrap()
    };
    let waits = std::thread::spawn(move || {
        let result = block_on(one.with_readable(|mut io| io.read(&mut [0])));
        (result, one)
    });
    drop(runtime);
    let (result, one) = waits.join().unwrap();
    assert!(result.is_err());
    assert_ne!(kind(one.try_io(Interest::WRITE, |_| Ok(()))), ErrorKind::WouldBlock);
    one.into_inner();
}
