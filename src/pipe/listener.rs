//! [`PipeListener`] and [`PipeConnector`]: connections in memory, made and accepted as sockets are.
//!
//! One queue behind a lock that covers a few field accesses and is taken once per connection; the
//! streams themselves know nothing of it. The queue's first [`BACKLOG`] entries are connected: their
//! `connect` has returned or may. Those behind wait, with a waker, in the order in which they came.
//! So nobody overtakes, and a connection is never handed from one future to another: accepting the
//! first entry moves everybody up, and wakes whom that has brought below the limit.
//!
//! Entries carry numbers that grow, so a `connect` finds its own by binary search. One that is not
//! there any more was accepted, or closed with the listener, which leaves the number it began with.
//!
//! Wakers are woken and dropped, and streams are dropped, with the lock let go.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{Error, ErrorKind, Result};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use super::duplex::{DuplexStream, duplex};
use super::word::wake;
use crate::contain::discard;
use crate::coop;
use crate::sync::{Arc, Mutex};

/// How many connections may be there that nobody has accepted yet.
pub(super) const BACKLOG: usize = if cfg!(loom) { 1 } else { 128 };

/// What each direction of a connection holds unless [`listen_with`] says otherwise: as much as a
/// pipe of the operating system.
const BUFFER: usize = 64 * 1024;

/// Makes a listener in memory and what connects to it: a whole server can run without a socket.
///
/// Each direction of a connection buffers at most 64 KiB; [`listen_with`] takes another maximum. At
/// most 128 connections wait to be accepted; whoever comes then waits before it is connected.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{Read, Write};
///
/// let (mut listener, connector) = runtime::pipe::listen();
/// let mut client = connector.connect().await?;
/// client.write_all(b"hello").await?;
///
/// let mut server = listener.accept().await?;
/// let mut buf = [0; 5];
/// server.read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[inline]
pub fn listen() -> (PipeListener, PipeConnector) {
    listen_with(BUFFER)
}

/// Makes a listener like [`listen`], each of whose connections buffers at most `max_buf_size` bytes
/// in each direction.
///
/// # Panics
///
/// If `max_buf_size` is 0.
///
/// ```
/// # futures::executor::block_on(async {
/// let (listener, connector) = runtime::pipe::listen_with(16);
/// assert_eq!(connector.connect().await?.capacity(), 16);
/// # drop(listener); std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
#[inline]
pub fn listen_with(max_buf_size: usize) -> (PipeListener, PipeConnector) {
    assert!(max_buf_size > 0, "a pipe's maximum buffer size must be greater than 0");
    let shared = Arc::new(Shared {
        max_buf_size,
        state: Mutex::new(State {
            queue: VecDeque::new(),
            next: 0,
            refused_from: None,
            connectors: 1,
            acceptor: None,
        }),
    });
    (PipeListener { shared: shared.clone() }, PipeConnector { shared })
}

struct Shared {
    max_buf_size: usize,
    state: Mutex<State>,
}

struct State {
    /// In the order of their numbers.
    queue: VecDeque<Entry>,
    /// The next entry's number.
    next: u64,
    /// Set when the listener goes: entries from here on were not accepted.
    refused_from: Option<u64>,
    connectors: usize,
    acceptor: Option<Waker>,
}

/// A connection on its way to the listener.
struct Entry {
    number: u64,
    /// The end for whoever accepts.
    stream: DuplexStream,
    /// Of a `connect` beyond the backlog.
    waker: Option<Waker>,
}

impl State {
    /// Takes the first connection, and the waker of whoever moves below the limit by that.
    #[inline]
    fn pop(&mut self) -> Option<(DuplexStream, Option<Waker>)> {
        let Entry { stream, .. } = self.queue.pop_front()?;
        let admitted = self.queue.get_mut(BACKLOG - 1);
        Some((stream, admitted.and_then(|entry| entry.waker.take())))
    }

    /// Where the entry with this number is, if it was neither accepted nor refused.
    #[inline]
    fn find(&self, number: u64) -> Option<usize> {
        self.queue.binary_search_by_key(&number, |entry| entry.number).ok()
    }

    /// Queues a connection, unless nobody will accept it; gives its number and whom to wake.
    #[inline]
    fn push(&mut self, stream: DuplexStream) -> Result<(u64, Option<Waker>)> {
        if self.refused_from.is_some() {
            return Err(refused());
        }
        let number = self.next;
        self.next += 1;
        self.queue.push_back(Entry { number, stream, waker: None });
        Ok((number, self.acceptor.take()))
    }
}

fn refused() -> Error {
    ErrorKind::ConnectionRefused.into()
}

// ---------------------------------------------------------------- accepting

/// Accepts connections that a [`PipeConnector`] makes; see [`listen`].
///
/// It is a [`net::Listener`](crate::net::Listener), as those of TCP and Unix sockets are. Dropping it
/// closes the connections that were not accepted, and every `connect` from then on is refused.
pub struct PipeListener {
    shared: Arc<Shared>,
}

impl PipeListener {
    /// Waits for a connection. They come in the order in which they were made.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` once every [`PipeConnector`] is gone and what they made is accepted: no
    /// connection can come any more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection is not accepted and then lost.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let (mut listener, connector) = runtime::pipe::listen();
    /// let client = connector.connect().await?;
    /// drop(connector);
    ///
    /// let server = listener.accept().await?;
    /// let error = listener.accept().await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    /// # drop((client, server)); std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn accept(&mut self) -> Result<DuplexStream> {
        let accept = Accept(self);
        poll_fn(|cx| accept.0.poll_accept(cx)).await
    }

    /// [`accept`](Self::accept) for a hand-written future: the newest waker is woken.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<DuplexStream>> {
        ready!(coop::gate(cx));
        if let Some(accepted) = self.accept_now(None) {
            return Poll::Ready(accepted);
        }
        // Cloned without the lock, and then one may have come.
        match self.accept_now(Some(cx.waker().clone())) {
            Some(accepted) => Poll::Ready(accepted),
            None => Poll::Pending,
        }
    }

    /// Accepts a connection that is there already.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; else as [`accept`](Self::accept).
    ///
    /// ```
    /// let (mut listener, _connector) = runtime::pipe::listen();
    /// let error = listener.try_accept().unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    /// ```
    pub fn try_accept(&mut self) -> Result<DuplexStream> {
        self.accept_now(None).unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))
    }

    /// `None`: there is nothing, and the waker is in its place.
    #[inline]
    fn accept_now(&mut self, waker: Option<Waker>) -> Option<Result<DuplexStream>> {
        let mut state = self.shared.state.lock();
        let (accepted, admitted) = match state.pop() {
            Some((stream, admitted)) => (Ok(stream), admitted),
            None if state.connectors == 0 => (Err(ErrorKind::BrokenPipe.into()), None),
            None => {
                let replaced = waker.and_then(|waker| state.acceptor.replace(waker));
                drop(state);
                discard(replaced);
                return None;
            }
        };
        drop(state);
        coop::charge(0);
        wake(admitted);
        Some(accepted)
    }
}

/// Takes the waker back when its future is dropped.
struct Accept<'a>(&'a mut PipeListener);

impl Drop for Accept<'_> {
    #[inline]
    fn drop(&mut self) {
        let waker = self.0.shared.state.lock().acceptor.take();
        discard(waker); // not in the statement above, whose lock lives to its end
    }
}

impl Drop for PipeListener {
    #[inline]
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.refused_from = Some(state.queue.front().map_or(state.next, |entry| entry.number));
        let queue = mem::take(&mut state.queue);
        let acceptor = state.acceptor.take();
        drop(state);
        discard(acceptor);
        for Entry { stream, waker, .. } in queue {
            drop(stream);
            wake(waker);
        }
    }
}

impl fmt::Debug for PipeListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.shared.state.lock().queue.len();
        f.debug_struct("PipeListener").field("waiting", &waiting).finish_non_exhaustive()
    }
}

// ---------------------------------------------------------------- connecting

/// Connects to a [`PipeListener`]; see [`listen`]. Clones connect to the same listener, from any
/// thread.
pub struct PipeConnector {
    shared: Arc<Shared>,
}

impl PipeConnector {
    /// Makes a connection. As with a socket it is there before it is accepted, and can be written to;
    /// only if 128 others wait to be accepted this waits as well, in the order of the first polls.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` if the listener is gone, or goes while this waits.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped while it waits, it has not connected. As with a socket, one that is
    /// dropped later has, and whoever accepts finds the end of the stream.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let (listener, connector) = runtime::pipe::listen();
    /// drop(listener);
    /// let error = connector.connect().await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    /// # });
    /// ```
    pub fn connect(&self) -> impl Future<Output = Result<DuplexStream>> + Send {
        Connect { shared: &self.shared, waiting: None }
    }

    /// Whether the listener is gone, so that every connection is refused.
    pub fn is_closed(&self) -> bool {
        self.shared.state.lock().refused_from.is_some()
    }
}

impl Clone for PipeConnector {
    fn clone(&self) -> Self {
        self.shared.state.lock().connectors += 1;
        Self { shared: self.shared.clone() }
    }
}

impl Drop for PipeConnector {
    #[inline]
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.connectors -= 1;
        let acceptor = if state.connectors == 0 { state.acceptor.take() } else { None };
        drop(state);
        wake(acceptor);
    }
}

impl fmt::Debug for PipeConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeConnector")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The future of [`PipeConnector::connect`].
struct Connect<'a> {
    shared: &'a Shared,
    /// Once it had to wait: its entry's number and the client's end.
    waiting: Option<(u64, DuplexStream)>,
}

impl Future for Connect<'_> {
    type Output = Result<DuplexStream>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(coop::gate(cx));
        if self.waiting.is_none() {
            let (client, server) = duplex(self.shared.max_buf_size);
            // Outside the match, which would hold the lock over the wake-up.
            let queued = self.shared.state.lock().push(server);
            match queued {
                Ok((number, acceptor)) => {
                    self.waiting = Some((number, client));
                    wake(acceptor);
                }
                Err(error) => {
                    coop::charge(0);
                    return Poll::Ready(Err(error));
                }
            }
        }
        let connected = ready!(self.poll_connected(cx));
        coop::charge(0);
        let (_, client) = self.waiting.take().expect("it was queued");
        Poll::Ready(connected.map(|()| client))
    }
}

impl Connect<'_> {
    fn number(&self) -> Option<u64> {
        self.waiting.as_ref().map(|(number, _)| *number)
    }

    /// Waits until the entry is below the limit or gone.
    #[inline]
    fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(number) = self.number() else { return Poll::Ready(Ok(())) };
        let mut waker = None;
        loop {
            let mut state = self.shared.state.lock();
            let Some(place) = state.find(number) else {
                let refused_it = state.refused_from.is_some_and(|from| number >= from);
                drop(state);
                drop(waker);
                return Poll::Ready(if refused_it { Err(refused()) } else { Ok(()) });
            };
            if place < BACKLOG {
                drop(state);
                drop(waker);
                return Poll::Ready(Ok(()));
            }
            if let Some(waker) = waker.take() {
                let replaced = state.queue[place].waker.replace(waker);
                drop(state);
                discard(replaced);
                return Poll::Pending;
            }
            drop(state);
            // Cloned without the lock, and then its place may be another one.
            waker = Some(cx.waker().clone());
        }
    }
}

impl Drop for Connect<'_> {
    #[inline]
    fn drop(&mut self) {
        let Some(number) = self.number() else { return };
        let mut state = self.shared.state.lock();
        let place = state.find(number).filter(|place| *place >= BACKLOG);
        let entry = place.and_then(|place| state.queue.remove(place));
        drop(state);
        discard(entry);
    }
}
