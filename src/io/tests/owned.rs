//! Owned buffers: marks, containers and back, and implementations that do not keep to the rules.

use super::super::{
    DynOwnedRead, DynOwnedWrite, DynRead, DynWrite, OwnedBuf, OwnedRead, OwnedWrite, ReadyRead,
    repeat,
};
use super::*;
use bytes::BytesMut;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One buffer of each origin, of this capacity and empty.
fn all_kinds(capacity: usize) -> [OwnedBuf; 5] {
    let mut whole = OwnedBuf::from(vec![0; capacity].into_boxed_slice());
    let mut owner = OwnedBuf::from_owner(vec![0; capacity]);
    whole.clear();
    owner.clear();
    let uninit: Vec<MaybeUninit<u8>> = Vec::with_capacity(capacity);
    [
        OwnedBuf::with_capacity(capacity),
        OwnedBuf::from(uninit),
        whole,
        OwnedBuf::from(BytesMut::with_capacity(capacity)),
        owner,
    ]
}

#[test]
fn marks_are_kept_by_every_kind_of_memory() {
    for mut buf in all_kinds(8) {
        let whole = buf.init_len();
        assert!(whole == 0 || whole == 8);
        assert_eq!((buf.len(), buf.is_empty(), buf.room(), buf.capacity()), (0, true, 8, 8));
        let mut cursor = buf.unfilled();
        assert_eq!(cursor.init_ref().len(), whole);
        assert_eq!(cursor.uninit_mut().len(), 8 - whole);
        cursor.append(b"ab");
        assert_eq!(cursor.reborrow().append_some(b"c"), 1);
        assert_eq!((cursor.written(), cursor.capacity()), (3, 5));
        cursor.ensure_init().init_mut().copy_from_slice(b"defgh");
        assert!(cursor.uninit_mut().is_empty());
        cursor.advance_checked(1);
        assert_eq!(cursor.init_ref(), b"efgh");
        assert!(cursor.try_append(b"12345").is_err());
        assert_eq!(std::io::Write::write(&mut cursor, b"xyz").unwrap(), 3);
        assert_eq!((cursor.written(), cursor.capacity()), (7, 1));
        assert_eq!(std::io::Write::write(&mut cursor, b"?!").unwrap(), 1);
        assert_eq!(std::io::Write::write(&mut cursor, b"!").unwrap(), 0);
        assert_eq!((buf.filled(), buf.init_len()), (&b"abcdxyz?"[..], 8));
        buf.filled_mut()[0] = b'A';
        buf.consume(2);
        assert_eq!((buf.filled(), buf.len(), buf.consumed()), (&b"cdxyz?"[..], 6, 2));
        buf.unconsume();
        assert_eq!(buf.filled(), b"Abcdxyz?");
        // What is initialized stays so.
        assert_eq!((buf.clear().init_len(), buf.room()), (8, 8));
        assert_eq!(buf.unfilled().init_ref(), b"Abcdxyz?");
    }
}

#[test]
fn room_can_be_limited_and_given_back() {
    for mut buf in all_kinds(8) {
        buf.unfilled().append(b"ab");
        buf.set_room(3);
        let mut cursor = buf.unfilled();
        assert_eq!(cursor.capacity(), 3);
        cursor.ensure_init();
        assert_eq!((cursor.init_mut().len(), cursor.uninit_mut().len()), (3, 0));
        assert_eq!(cursor.append_some(b"cdefgh"), 3);
        assert_eq!((buf.filled(), buf.room()), (&b"abcde"[..], 0));
        buf.set_room(1);
        buf.unfilled().append(b"f");
        buf.set_room(usize::MAX);
        assert_eq!((buf.room(), buf.capacity()), (2, 8));
        buf.clear();
        buf.set_room(0);
        assert_eq!((buf.room(), buf.unfilled().append_some(b"x")), (0, 0));
    }
}

#[test]
#[allow(unsafe_code)]
fn unsafe_marks_are_checked_against_the_memory() {
    for mut buf in all_kinds(8) {
        // SAFETY: all of the memory is written before it is declared initialized.
        unsafe {
            let mut cursor = buf.unfilled();
            cursor.as_mut().fill(MaybeUninit::new(7));
            cursor.set_init(4).advance(2);
            assert!(cursor.init_ref().starts_with(&[7; 2]) && cursor.capacity() == 6);
            buf.set_init(8);
            assert_eq!((buf.init_len(), buf.filled()), (8, &[7; 2][..]));
            // Less than what is known changes nothing.
            assert_eq!(buf.set_init(1).init_len(), 8);
            let too_much = |f: &dyn Fn(&mut OwnedBuf)| {
                let mut buf = OwnedBuf::with_capacity(2);
                catch_unwind(AssertUnwindSafe(|| f(&mut buf))).unwrap_err();
                assert_eq!((buf.len(), buf.init_len()), (0, 0));
            };
            too_much(&|buf| _ = buf.set_init(3));
            too_much(&|buf| _ = buf.unfilled().set_init(3));
            too_much(&|buf| _ = buf.unfilled().advance(3));
            too_much(&|buf| _ = buf.unfilled().advance_checked(1));
            too_much(&|buf| buf.unfilled().append(b"abc"));
            too_much(&|buf| buf.consume(1));
        }
    }
}

#[test]
fn containers_come_back_as_they_were() {
    let mut vec = Vec::with_capacity(100);
    vec.extend_from_slice(b"ab");
    let memory = vec.as_ptr();
    let mut buf = OwnedBuf::from(vec);
    buf.unfilled().append(b"cd");
    buf.unfilled().ensure_init();
    buf.consume(1);
    let mut vec = buf.try_into_vec().unwrap();
    assert_eq!((vec.as_slice(), vec.capacity(), vec.as_ptr()), (&b"abcd"[..], 100, memory));

    vec.shrink_to_fit();
    let slice = OwnedBuf::from(vec).try_into_boxed_slice().unwrap();
    let memory = slice.as_ptr();
    let mut buf = OwnedBuf::from(slice);
    assert_eq!((buf.filled(), buf.room()), (&b"abcd"[..], 0));
    buf.clear().unfilled().append(b"x");
    let slice = buf.try_into_boxed_slice().unwrap();
    assert_eq!((&*slice, slice.as_ptr()), (&b"xbcd"[..], memory));

    let uninit: Vec<MaybeUninit<u8>> = vec![MaybeUninit::uninit(); 9];
    let (memory, mut buf) = (uninit.as_ptr(), OwnedBuf::from(uninit));
    assert_eq!((buf.len(), buf.room()), (0, 9));
    buf.unfilled().append(b"abc");
    let uninit = buf.try_into_uninit_vec().unwrap();
    assert_eq!((uninit.len(), uninit.capacity(), uninit.as_ptr()), (3, 9, memory));

    // A piece of something shared, with capacity behind it.
    let mut bytes = BytesMut::with_capacity(64);
    bytes.extend_from_slice(b"headbody");
    let (tail, mut bytes) = (bytes.split_off(16), bytes.split_off(4));
    let memory = bytes.as_ptr();
    bytes.truncate(2);
    let mut buf = OwnedBuf::from(bytes);
    assert_eq!((buf.filled(), buf.room()), (&b"bo"[..], 10));
    assert_eq!(buf.unfilled().append_some(&[b'.'; 20]), 10);
    let bytes = buf.try_into_bytes_mut().unwrap();
    assert_eq!((&bytes[..], bytes.as_ptr()), (&b"bo.........."[..], memory));
    drop(tail);
}

#[test]
fn conversions_into_what_it_was_not_give_the_buffer_back() {
    let filled = |mut buf: OwnedBuf| {
        buf.unfilled().append(b"ab");
        buf.consume(1);
        buf.set_room(1);
        buf
    };
    let is_whole = |buf: OwnedBuf| {
        assert_eq!((buf.filled(), buf.consumed(), buf.room()), (&b"b"[..], 1, 1));
        buf
    };
    let [vec, uninit, whole, bytes, owner] = all_kinds(4).map(filled);
    for buf in [vec, uninit] {
        let buf = is_whole(buf.try_into_boxed_slice().unwrap_err());
        let buf = is_whole(buf.try_into_bytes_mut().unwrap_err());
        let buf = is_whole(buf.try_into_owner::<Vec<u8>>().unwrap_err());
        assert_eq!(buf.try_into_vec().unwrap(), b"ab");
    }
    assert_eq!(is_whole(whole).try_into_vec().unwrap(), b"ab");
    let bytes = is_whole(bytes.try_into_vec().unwrap_err());
    let bytes = is_whole(bytes.try_into_uninit_vec().unwrap_err());
    let bytes = is_whole(bytes.try_into_boxed_slice().unwrap_err());
    assert_eq!(bytes.try_into_bytes_mut().unwrap(), b"ab"[..]);
    let owner = is_whole(owner.try_into_vec().unwrap_err());
    let owner = is_whole(owner.try_into_owner::<Box<[u8]>>().unwrap_err());
    assert_eq!(owner.try_into_owner::<Vec<u8>>().unwrap(), b"ab\0\0");
}

#[test]
fn nothing_is_a_buffer_as_well() {
    for mut buf in all_kinds(0) {
        assert_eq!((buf.capacity(), buf.room(), buf.filled()), (0, 0, &b""[..]));
        assert_eq!(buf.unfilled().append_some(b"x"), 0);
        buf.unfilled().ensure_init().append(b"");
        let (buf, outcome) = block_on((&b"x"[..]).read_owned(buf));
        outcome.unwrap();
        let (buf, outcome) = block_on(Vec::new().write_owned(buf));
        assert_eq!((outcome.unwrap(), buf.len()), (0, 0));
    }
    assert!(OwnedBuf::with_capacity(0).try_into_boxed_slice().unwrap().is_empty());
}

/// Counts how often it is dropped.
struct Page {
    bytes: [u8; 8],
    /// What it shows of them.
    len: usize,
    drops: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl AsMut<[u8]> for Page {
    fn as_mut(&mut self) -> &mut [u8] {
        // Ordering: one thread.
        if self.drops.load(Ordering::Relaxed) > 0 {
            self.len = 3;
        }
        &mut self.bytes[..self.len]
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Ordering: one thread.
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn an_owner_is_dropped_once_wherever_it_ends() {
    let drops = Arc::new(AtomicUsize::new(0));
    let page = || {
        drops.store(0, Ordering::Relaxed);
        let mut buf =
            OwnedBuf::from_owner(Page { bytes: [1; 8], len: 8, drops: Arc::clone(&drops) });
        buf.clear();
        buf
    };
    let count = || drops.load(Ordering::Relaxed);
    drop(page());
    assert_eq!(count(), 1);
    // With the future that owns it, before and after it was polled.
    drop(Pending.read_owned(page()));
    assert_eq!(count(), 1);
    assert!(poll_once(&mut std::pin::pin!(Pending.read_exact_owned(page()))).is_none());
    assert_eq!(count(), 1);
    // Given back.
    let buf = page().try_into_vec().unwrap_err();
    let page_again: Page = buf.try_into_owner().ok().unwrap();
    assert_eq!(count(), 0);
    drop(page_again);
    assert_eq!(count(), 1);
    // With a panic.
    let panics = catch_unwind(AssertUnwindSafe(|| page().lend(|_| panic!("in the middle"))));
    assert!(panics.is_err());
    assert_eq!(count(), 1);
}

#[test]
fn an_owner_that_shrinks_is_found_out() {
    let drops = Arc::new(AtomicUsize::new(0));
    let mut buf = OwnedBuf::from_owner(Page { bytes: [1; 8], len: 8, drops: Arc::clone(&drops) });
    assert_eq!(buf.clear().room(), 8);
    drops.store(1, Ordering::Relaxed);
    assert!(says(&catch_unwind(AssertUnwindSafe(|| buf.unfilled().append(b"abcd"))), "its length"));
    assert!(says(&catch_unwind(AssertUnwindSafe(|| buf.filled().len())), "its length"));
}

#[test]
fn a_panic_in_between_forgets_nothing_that_is_filled() {
    for mut buf in all_kinds(8) {
        buf.unfilled().append(b"ab");
        buf.unfilled().ensure_init();
        let panics = catch_unwind(AssertUnwindSafe(|| {
            buf.lend(|mut cursor| {
                cursor.append(b"cd");
                panic!("in the middle");
            })
        }));
        assert!(panics.is_err());
        assert_eq!((buf.filled(), buf.room()), (&b"ab"[..], 6));
        buf.unfilled().append(b"cdefgh");
        assert_eq!(buf.filled(), b"abcdefgh");
    }
}

#[test]
fn buffers_may_go_to_other_threads() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<OwnedBuf>();
}

/// The output of a future that does not wait.
fn at_once<F: Future>(future: F) -> F::Output {
    poll_once(&mut std::pin::pin!(future)).expect("it does not wait")
}

/// Polls once with a waker that does nothing.
fn poll_once<F: Future>(future: &mut std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// Whether a panic says this.
fn says<T>(outcome: &std::thread::Result<T>, what: &str) -> bool {
    let Err(panic) = outcome else { return false };
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default().contains(what)
}

/// Never has anything.
struct Pending;

impl Read for Pending {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize> {
        std::future::pending().await
    }
}

impl OwnedRead for Pending {
    async fn read_owned(&mut self, _buf: OwnedBuf) -> (OwnedBuf, Result<()>) {
        std::future::pending().await
    }
}

/// A reader and writer without readiness that does the same to every buffer.
struct Owned<F>(F);

impl<F: Send> Read for Owned<F> {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize> {
        Ok(0)
    }
}

impl<F: FnMut(OwnedBuf) -> (OwnedBuf, Result<usize>) + Send> OwnedRead for Owned<F> {
    async fn read_owned(&mut self, buf: OwnedBuf) -> (OwnedBuf, Result<()>) {
        let (buf, outcome) = (self.0)(buf);
        (buf, outcome.map(drop))
    }
}

impl<F: Send> Write for Owned<F> {
    async fn write(&mut self, _: &[u8]) -> Result<usize> {
        Ok(0)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<F: FnMut(OwnedBuf) -> (OwnedBuf, Result<usize>) + Send> OwnedWrite for Owned<F> {
    async fn write_owned(&mut self, buf: OwnedBuf) -> (OwnedBuf, Result<usize>) {
        (self.0)(buf)
    }
}

/// Plays a script as an owned reader, one byte of data a call at most.
fn scripted(steps: &[&str]) -> impl OwnedRead {
    let mut script = script(steps);
    Owned(move |mut buf: OwnedBuf| {
        let mut byte = [0];
        let outcome = at_once(script.read(&mut byte));
        if let Ok(n) = outcome {
            buf.unfilled().append(&byte[..n]);
        }
        (buf, outcome)
    })
}

#[test]
fn provided_reads_retry_interruptions_and_keep_what_was_read() {
    block_on(async {
        let steps = ["!", "ab", "!", "!", "cd", "!"];
        let start = || {
            let mut buf = OwnedBuf::with_capacity(5);
            buf.unfilled().append(b">");
            buf
        };
        let (buf, outcome) = scripted(&steps).read_exact_owned(start()).await;
        outcome.unwrap();
        assert_eq!(buf.filled(), b">abcd");
        let (buf, outcome) = scripted(&["ab", "!"]).read_exact_owned(start()).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(buf.filled(), b">ab");
        let (buf, outcome) = scripted(&["ab", "#"]).read_exact_owned(start()).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Other);
        assert_eq!(buf.filled(), b">ab");
        let (all, outcome) = scripted(&steps).read_to_end_owned(b">".to_vec()).await;
        assert_eq!((outcome.unwrap(), all.as_slice()), (4, &b">abcd"[..]));
        let (all, outcome) = scripted(&["ab", "#", "cd"]).read_to_end_owned(Vec::new()).await;
        assert!(outcome.is_err());
        assert_eq!(all, b"ab");
        let long = vec![7; 1_000_003];
        let (all, outcome) = (&long[..]).read_to_end_owned(Vec::with_capacity(10)).await;
        assert_eq!(outcome.unwrap(), long.len());
        assert!(all == long);
    });
}

#[test]
fn provided_writes_retry_interruptions_and_show_the_rest() {
    block_on(async {
        let buf = || {
            let mut buf = OwnedBuf::from(b"_0123456789".to_vec());
            buf.consume(1);
            buf
        };
        let writer = |mut slow: Slow, limit: usize| {
            let mut all = Vec::new();
            Owned(move |buf: OwnedBuf| {
                let outcome = if all.len() >= limit {
                    Err(Error::other("broken"))
                } else {
                    at_once(slow.write(buf.filled()))
                };
                all.extend_from_slice(&buf.filled()[..*outcome.as_ref().unwrap_or(&0)]);
                (buf, outcome)
            })
        };
        let (returned, outcome) = writer(slow(3), 99).write_all_owned(buf()).await;
        outcome.unwrap();
        assert_eq!((returned.filled(), returned.consumed()), (&b"0123456789"[..], 1));
        let (returned, outcome) = writer(slow(3), 4).write_all_owned(buf()).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Other);
        assert_eq!((returned.filled(), returned.consumed()), (&b"6789"[..], 7));
        let (returned, outcome) = writer(slow(0), 99).write_all_owned(buf()).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::WriteZero);
        assert_eq!(returned.filled(), b"0123456789");
    });
}

#[test]
fn readers_that_break_the_rules_are_found_out() {
    type Trick = fn(OwnedBuf) -> (OwnedBuf, Result<usize>);
    let tricks: [(Trick, &str); 7] = [
        (|_| (OwnedBuf::with_capacity(8), Ok(0)), "another buffer"),
        (|_| (OwnedBuf::from_owner([0; 8]), Ok(0)), "another buffer"),
        (|_| (OwnedBuf::with_capacity(4), Err(ErrorKind::Interrupted.into())), "another buffer"),
        (
            |mut buf| {
                buf.clear();
                (buf, Ok(0))
            },
            "took away",
        ),
        (
            |mut buf| {
                buf.consume(1);
                (buf, Ok(0))
            },
            "took away",
        ),
        (
            |mut buf| {
                buf.set_room(usize::MAX);
                let room = buf.room();
                buf.unfilled().append(&vec![0; room]);
                (buf, Ok(0))
            },
            "how far",
        ),
        (
            |mut buf| {
                buf.unfilled().append(b"x");
                buf.set_room(0);
                (buf, Ok(1))
            },
            "how far",
        ),
    ];
    let buf = || {
        let mut buf = Vec::with_capacity(8);
        buf.extend_from_slice(b"ab");
        let mut buf = OwnedBuf::from(buf);
        buf.set_room(3);
        buf
    };
    for (trick, what) in tricks {
        let run = |f: &dyn Fn()| catch_unwind(AssertUnwindSafe(f));
        let exact = run(&|| _ = block_on(Owned(trick).read_exact_owned(buf())));
        assert!(says(&exact, what), "{exact:?}");
        if what != "how far" {
            let mut vec = Vec::with_capacity(8);
            vec.push(1);
            let end = run(&|| _ = block_on(Owned(trick).read_to_end_owned(vec.clone())));
            assert!(says(&end, what), "{end:?}");
        }
        let taken = run(&|| _ = block_on(Owned(trick).take(3).read_owned(buf())));
        assert!(says(&taken, what), "{taken:?}");
        let mut reader = Owned(trick).take(3);
        let downcast = reader.as_owned();
        assert!(downcast.is_none(), "it does not say that it has one");
    }
}

#[test]
fn writers_that_break_the_rules_are_found_out() {
    type Trick = fn(OwnedBuf) -> (OwnedBuf, Result<usize>);
    let tricks: [(Trick, &str); 4] = [
        (|_| (OwnedBuf::from(b"ab".to_vec()), Ok(2)), "another buffer"),
        (|buf| (buf, Ok(3)), "more bytes than there were"),
        (
            |mut buf| {
                buf.clear();
                (buf, Ok(0))
            },
            "changed",
        ),
        (
            |mut buf| {
                buf.consume(2);
                (buf, Ok(2))
            },
            "changed",
        ),
    ];
    for (trick, what) in tricks {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            _ = block_on(Owned(trick).write_all_owned(OwnedBuf::from(b"ab".to_vec())));
        }));
        assert!(says(&outcome, what), "{outcome:?}");
    }
}

#[test]
fn take_keeps_owned_reads_by_bound_and_by_downcast() {
    fn buf() -> OwnedBuf {
        OwnedBuf::with_capacity(8)
    }

    block_on(async {
        let mut taken = (&b"abcdefgh"[..]).take(7).take(5);
        let (mut buf, outcome) = taken.read_owned(buf()).await;
        outcome.unwrap();
        assert_eq!((buf.filled(), buf.room(), taken.limit()), (&b"abcde"[..], 3, 0));
        assert_eq!(taken.get_ref().limit(), 2);
        taken.set_limit(1);
        let (returned, outcome) = taken.as_owned().expect("slices have it").read_owned(buf).await;
        outcome.unwrap();
        buf = returned;
        assert_eq!((buf.filled(), buf.room(), taken.limit()), (&b"abcdef"[..], 2, 0));
        taken.set_limit(9);
        let mut object = taken.as_owned_dyn().expect("slices have it");
        let (returned, outcome) = object.read_owned(buf).await;
        drop(object);
        outcome.unwrap();
        assert_eq!((returned.filled(), taken.limit()), (&b"abcdefg"[..], 8));
        let (_, outcome) = taken.read_exact_owned(returned).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
    assert!(Pending.take(1).as_owned().is_none());
    assert!(Pending.take(1).as_owned_dyn().is_none());
}

#[test]
fn objects_of_all_kinds_do_what_is_inside() {
    block_on(async {
        // Without readiness.
        let mut reader: Box<dyn DynRead + Sync> = Box::new(script(&["ab", "cd", "!", "ef"]));
        let mut all = Vec::new();
        reader.read_exact(&mut [0; 1]).await.unwrap();
        assert!(reader.as_ready().is_none() && reader.as_owned().is_none());
        assert!(!reader.is_read_vectored());
        Read::read_to_end(&mut (&mut *reader as &mut dyn DynRead), &mut all).await.unwrap();
        assert_eq!(all, b"bcdef");
        let mut writer: Box<dyn DynWrite> = Box::new(slow(2));
        writer.write_all(b"abc").await.unwrap();
        assert!(writer.as_ready_write().is_none() && writer.as_owned_write().is_none());
        // With it: the downcasts find it.
        let mut reader: Box<dyn DynRead> = Box::new(repeat(1));
        assert!(reader.is_read_vectored());
        assert_eq!(reader.as_ready().unwrap().read_with(|bytes| bytes[0]).await.unwrap(), 1);
        let buf = OwnedBuf::with_capacity(4);
        let (buf, outcome) = reader.as_owned().unwrap().read_owned(buf).await;
        outcome.unwrap();
        assert_eq!(buf.filled(), [1; 4]);
        let mut bytes = Vec::new();
        let mut writer: &mut dyn DynWrite = &mut bytes;
        let (buf, outcome) = Write::as_owned_write(&mut writer).unwrap().write_all_owned(buf).await;
        outcome.unwrap();
        Write::as_ready_write(&mut writer).unwrap().write_all(&[2]).await.unwrap();
        assert_eq!(bytes, [1, 1, 1, 1, 2]);
        // Owned, and through pointers to pointers.
        let mut reader: Box<dyn DynOwnedRead> = Box::new(scripted(&["ab", "!", "cd"]));
        let (all, outcome) = Box::new(&mut reader).read_to_end_owned(Vec::new()).await;
        assert_eq!((outcome.unwrap(), all.as_slice()), (4, &b"abcd"[..]));
        let mut writer: Box<dyn DynOwnedWrite + Sync> = Box::new(Vec::new());
        let (_, outcome) = writer.write_all_owned(buf).await;
        outcome.unwrap();
    });
}

#[test]
fn objects_keep_the_vectored_forms() {
    use super::super::{BorrowedBuf, BorrowedSliceCursor};
    use std::io::{IoSlice, IoSliceMut};

    block_on(async {
        let mut input = &b"headbodytail"[..];
        let mut reader: Box<dyn DynRead + '_> = Box::new(&mut input);
        let (mut one, mut two) = ([0; 2], [0; 2]);
        let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(reader.read_vectored(&mut slices).await.unwrap(), 4);
        assert_eq!((&one, &two), (b"he", b"ad"));
        let mut one = BorrowedBuf::from(&mut one[..]);
        reader.read_buf(one.unfilled()).await.unwrap();
        assert_eq!(one.filled(), b"bo");
        let (mut two, mut three) = (BorrowedBuf::from(&mut two[..]), [0; 4]);
        let mut three = BorrowedBuf::from(&mut three[..]);
        let mut cursors = [two.unfilled(), three.unfilled()];
        let n = reader.read_buf_vectored(BorrowedSliceCursor::new(&mut cursors)).await.unwrap();
        assert_eq!((n, two.filled(), three.filled()), (6, &b"dy"[..], &b"tail"[..]));
        let mut writer: Box<dyn DynWrite> = Box::new(Vec::new());
        assert!(writer.is_write_vectored());
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(writer.write_vectored(&slices).await.unwrap(), 4);
        writer.flush().await.unwrap();
        writer.shutdown().await.unwrap();
    });
}
