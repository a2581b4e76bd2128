//! Operations on files whose futures are dropped, at each point of their way.
//!
//! What makes the points reachable without sleeping: a pool of one thread that is kept busy, so that
//! an operation is queued; and a buffer whose memory tells when the pool looks at it and lets it wait,
//! so that an operation runs.

use super::{Temporary, open_both, poll_once};
use runtime::fs::File;
use runtime::io::{OwnedBuf, OwnedRead, OwnedWrite, Read, Seek, Write, WriteAt};
use runtime::{Builder, Runtime};
use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Memory that a thread of the pool cannot see before it is let.
struct Gated {
    bytes: Vec<u8>,
    mine: ThreadId,
    gate: Mutex<Option<(Sender<()>, Receiver<bool>)>>,
}

/// The test's side of a [`Gated`].
struct Gate {
    entered: Receiver<()>,
    open: Sender<bool>,
}

fn gated(bytes: &[u8]) -> (OwnedBuf, Gate) {
    let (enter, entered) = channel();
    let (open, opened) = channel();
    let memory = Gated {
        bytes: bytes.to_vec(),
        mine: thread::current().id(),
        gate: Mutex::new(Some((enter, opened))),
    };
    (OwnedBuf::from_owner(memory), Gate { entered, open })
}

impl Gated {
    fn pass(&self) {
        if thread::current().id() == self.mine {
            return;
        }
        let gate = self.gate.lock().unwrap().take();
        if let Some((enter, opened)) = gate {
            enter.send(()).unwrap();
            assert!(opened.recv().unwrap(), "the gate was closed");
        }
    }
}

impl AsRef<[u8]> for Gated {
    fn as_ref(&self) -> &[u8] {
        self.pass();
        &self.bytes
    }
}

impl AsMut<[u8]> for Gated {
    fn as_mut(&mut self) -> &mut [u8] {
        self.pass();
        &mut self.bytes
    }
}

impl Gate {
    /// Waits until the pool has come to the memory.
    fn wait(&self) {
        self.entered.recv_timeout(Duration::from_secs(60)).expect("an operation begins");
    }

    fn open(self) {
        self.open.send(true).unwrap();
    }
}

fn runtime(threads: usize) -> Runtime {
    Builder::new_current_thread().max_blocking_threads(threads).build().unwrap()
}

#[test]
fn what_was_queued_does_not_happen() {
    let path = Temporary::holding(b"contents");
    let runtime = runtime(1);
    let held = Arc::new(());
    runtime.block_on(async {
        let mut file = open_both(&path).await;
        let (go, wait) = channel::<()>();
        let busy = runtime.spawn_blocking(move || wait.recv());
        {
            let memory = (vec![b'x'; 3], Arc::clone(&held));
            struct Counted((Vec<u8>, Arc<()>));
            impl AsRef<[u8]> for Counted {
                fn as_ref(&self) -> &[u8] {
                    &self.0.0
                }
            }
            impl AsMut<[u8]> for Counted {
                fn as_mut(&mut self) -> &mut [u8] {
                    &mut self.0.0
                }
            }
            let buf = OwnedBuf::from_owner(Counted(memory));
            let mut write = Box::pin(file.write_owned(buf));
            assert!(poll_once(&mut write).await.is_pending());
            assert_eq!(Arc::strong_count(&held), 2);
            drop(write);
            // The buffer goes with the future, not when a thread comes to it.
            assert_eq!(Arc::strong_count(&held), 1);
            assert!(poll_once(&mut pin!(file.write(b"yyy"))).await.is_pending());
            assert!(poll_once(&mut pin!((&file).write_at(b"zzz", 1))).await.is_pending());
            assert!(poll_once(&mut pin!(file.set_len(0))).await.is_pending());
        }
        // Nothing runs, so there is nothing to wait for.
        assert!(poll_once(&mut pin!(file.flush())).await.is_ready());
        go.send(()).unwrap();
        busy.await.unwrap().unwrap();
        file.sync_all().await.unwrap();
        assert_eq!(file.stream_position().await.unwrap(), 0);
    });
    assert_eq!(path.contents(), b"contents");
}

#[test]
fn a_write_that_ran_happens_before_what_comes_later() {
    let path = Temporary::holding(b"........");
    let runtime = runtime(8);
    runtime.block_on(async {
        let mut file = open_both(&path).await;
        for by_offset in [false, true] {
            let (buf, gate) = gated(b"dropped!");
            if by_offset {
                let mut write = Box::pin(file.write_owned_at(buf, 0));
                assert!(poll_once(&mut write).await.is_pending());
                gate.wait();
            } else {
                let mut write = Box::pin(file.write_owned(buf));
                assert!(poll_once(&mut write).await.is_pending());
                gate.wait();
            }
            assert_eq!(file.stream_position().await.unwrap(), 0);
            assert!(poll_once(&mut pin!(file.flush())).await.is_pending());
            assert!(poll_once(&mut pin!(file.sync_all())).await.is_pending());
            assert!(poll_once(&mut pin!((&file).write_at(b"2", 2))).await.is_pending());
            {
                let mut later = Box::pin(file.write_all(b"later"));
                assert!(poll_once(&mut later).await.is_pending());
                // The pool has come to whatever was queued by now.
                runtime.spawn_blocking(|| ()).await.unwrap();
                assert!(poll_once(&mut later).await.is_pending());
                gate.open();
                later.await.unwrap();
            }
            assert_eq!(path.contents(), b"latered!");
            file.rewind().await.unwrap();
        }
    });
}

#[test]
fn a_flush_waits_for_a_write_that_was_dropped() {
    let path = Temporary::new();
    let runtime = runtime(8);
    runtime.block_on(async {
        let mut file = open_both(&path).await;
        let (buf, gate) = gated(b"dropped");
        {
            let mut write = Box::pin(file.write_owned(buf));
            assert!(poll_once(&mut write).await.is_pending());
            gate.wait();
        }
        let mut flush = Box::pin(file.flush());
        assert!(poll_once(&mut flush).await.is_pending());
        gate.open();
        flush.await.unwrap();
        assert_eq!(path.contents(), b"dropped");
        // The position is where it was: the next write goes over it.
        file.write_all(b"again!").await.unwrap();
    });
    assert_eq!(path.contents(), b"again!d");
}

#[test]
fn a_dropped_read_has_not_moved() {
    let path = Temporary::holding(b"contents");
    let runtime = runtime(8);
    runtime.block_on(async {
        let mut file = open_both(&path).await;
        // The end is what only the pool says, also where the page cache can be asked.
        file.seek(std::io::SeekFrom::End(0)).await.unwrap();
        let (mut buf, gate) = gated(&[0; 16]);
        buf.clear();
        {
            let mut read = Box::pin(file.read_owned(buf));
            assert!(poll_once(&mut read).await.is_pending());
            gate.wait();
        }
        // It reads now what was not there when it was dropped.
        std::fs::write(&path, b"contents and more").unwrap();
        gate.open();
        let mut rest = String::new();
        file.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, " and more");
    });
}

#[test]
fn what_a_dropped_read_has_taken_from_a_pipe_is_kept() {
    let runtime = runtime(8);
    runtime.block_on(async {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut reader = File::from_std(std::os::fd::OwnedFd::from(reader).into()).unwrap();
        for _ in 0..20 {
            assert!(poll_once(&mut pin!(reader.read(&mut [0; 4]))).await.is_pending());
        }
        std::io::Write::write_all(&mut writer, b"never lost").unwrap();
        let mut all = [0; 10];
        reader.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"never lost");

        // By an owned buffer with something in it, and dropped when it was done.
        let (mut buf, gate) = gated(&[0; 16]);
        buf.clear().unfilled().append(b">");
        std::io::Write::write_all(&mut writer, b"whole").unwrap();
        {
            let mut read = Box::pin(reader.read_owned(buf));
            assert!(poll_once(&mut read).await.is_pending());
            gate.wait();
            gate.open();
            runtime.spawn_blocking(|| ()).await.unwrap();
        }
        let mut two = [0; 2];
        reader.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"wh");
        drop(writer);
        let (buf, outcome) = reader.read_owned(OwnedBuf::with_capacity(16)).await;
        outcome.unwrap();
        assert_eq!(buf.filled(), b"ole");
        assert_eq!(reader.read(&mut two).await.unwrap(), 0);
    });
}

#[test]
fn a_panic_in_the_memory_is_the_callers_and_ends_there() {
    let path = Temporary::holding(b"contents");
    let runtime = runtime(8);
    runtime.block_on(async {
        let mut file = open_both(&path).await;
        // Awaited: the panic goes on there.
        let (buf, gate) = gated(b"never");
        gate.open.send(false).unwrap();
        let panic = runtime::spawn(async move {
            let outcome = file.write_owned(buf).await.1;
            (file, outcome)
        });
        assert!(panic.await.unwrap_err().is_panic());
        // Dropped: nobody hears of it, and nobody waits for ever.
        let mut file = open_both(&path).await;
        let (buf, gate) = gated(b"never");
        {
            let mut write = Box::pin(file.write_owned(buf));
            assert!(poll_once(&mut write).await.is_pending());
            gate.wait();
        }
        gate.open.send(false).unwrap();
        file.flush().await.unwrap();
        file.write_all(b"CON").await.unwrap();
    });
    assert_eq!(path.contents(), b"CONtents");
}

#[test]
fn a_runtime_that_ends_meanwhile_gives_the_buffers_back() {
    let path = Temporary::holding(b"........");
    let runtime = runtime(1);
    let (mut one, two) = runtime.block_on(async {
        let one = open_both(&path).await;
        let two = one.try_clone().unwrap();
        (one, two)
    });
    let (buf, gate) = gated(b"runs");
    let mut runs = Box::pin(one.write_owned(buf));
    let mut queued = Box::pin(two.write_owned_at(OwnedBuf::from(b"queued".to_vec()), 0));
    futures::executor::block_on(async {
        assert!(poll_once(&mut runs).await.is_pending());
        gate.wait();
        assert!(poll_once(&mut queued).await.is_pending());
        runtime.shutdown_background();
        let (buf, outcome) = queued.await;
        assert!(outcome.is_err());
        assert_eq!(buf.filled(), b"queued");
        gate.open();
        let (buf, outcome) = runs.await;
        assert_eq!(outcome.unwrap(), 4);
        assert_eq!(buf.filled(), b"runs");
    });
    drop(one);
    assert_eq!(path.contents(), b"runs....");
}
