//! [`scope`]: tasks that end before the call that started them returns.
//!
//! The future of a scope polls its body and is the joiner of its children. A child is spawned from
//! anywhere, so it first goes to the scope's [`Door`], whose lock decides: before the scope ends it is
//! taken in (and cancelled, if the scope is being cancelled), after that refused.
//!
//! ```text
//!   Open ─▶ first failure: Cancelled (new futures are dropped, children aborted and joined)
//!     └─────────────────────┴─▶ body done, no child left, none at the door: Closed
//! ```
//!
//! **Nesting.** A scope that is dropped can cancel its children but not wait for them. If it was inside
//! another one, that waits for them: each child holds its scope's [`Alive`], which holds the outer
//! scope's, and a scope returns when its own is gone. A task-local tells where a scope is nested.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Handle, TWICE_AT_MOST};
use crate::contain::{self, contain, dispose};
use crate::task::{CancellationToken, JoinError, JoinHandle, JoinSet, LocalKey};

/// Where the code is that runs now: in which scope.
static SCOPE: LocalKey<Arc<Alive>> = {
    std::thread_local!(static SLOT: RefCell<Option<Arc<Alive>>> = const { RefCell::new(None) });
    LocalKey::new(&SLOT)
};

/// Runs `body`, and tasks that it starts through its [`Scope`]; returns when all of them have ended.
///
/// The first that fails, be it the body or a child, by an error or a panic, cancels the rest: their
/// futures are dropped, and then the scope returns that failure. A child's panic becomes an error by
/// `E: From<JoinError>`, which [`io::Error`](std::io::Error), `Box<dyn Error + Send + Sync>`, `anyhow`'s
/// error and [`JoinError`] itself have. A panic of the body, or of that conversion, goes on when the
/// children have ended.
///
/// Children are tasks: they run in parallel, and are `'static`. They may start siblings through a
/// clone of the [`Scope`], and open scopes of their own.
///
/// # Errors
///
/// The first failure. A child that was cancelled from elsewhere, by the end of its runtime, counts as one.
///
/// # Panics
///
/// Outside a runtime (see [`scope_in`]), and with the panic of the body or of the conversion of an error.
///
/// # Cancel safety
///
/// Dropping the future cancels the body and the children; what it cannot do is wait for them. Inside
/// another scope that one does. So the future of an inner scope that was moved away, to a task that the
/// outer scope does not know, and has been polled before, keeps the outer one waiting until it has ended
/// or been dropped.
///
/// ```
/// # runtime::Runtime::new().unwrap().block_on(async {
/// use std::io;
///
/// let result = runtime::scope(async |scope| {
///     scope.spawn(std::future::pending()); // cancelled by the failure of the other one
///     scope.spawn(async { Err(io::Error::other("on purpose")) });
///     Ok(())
/// });
/// assert_eq!(result.await.unwrap_err().to_string(), "on purpose");
/// # });
/// ```
pub async fn scope<T, E, F, Fut>(body: F) -> Result<T, E>
where
    F: FnOnce(Scope<E>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: From<JoinError> + Send + 'static,
{
    scope_in(body, &Handle::current()).await
}

/// A [`scope`](fn@scope) whose children run in the runtime of `handle`; it may itself be awaited anywhere.
///
/// # Errors
///
/// As [`scope`](fn@scope). If the runtime is gone, every child is a cancelled one.
///
/// # Panics
///
/// With the panic of the body or of the conversion of an error.
///
/// # Cancel safety
///
/// As [`scope`](fn@scope).
///
/// ```
/// use std::io;
///
/// let runtime = runtime::Runtime::new().unwrap();
/// let body = async |scope: runtime::Scope<io::Error>| {
///     scope.spawn(async { runtime::net::UnixStream::pair().map(drop) });
///     Ok(())
/// };
/// futures::executor::block_on(runtime::scope_in(body, runtime.handle())).unwrap();
/// ```
pub async fn scope_in<T, E, F, Fut>(body: F, handle: &Handle) -> Result<T, E>
where
    F: FnOnce(Scope<E>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: From<JoinError> + Send + 'static,
{
    let alive =
        Arc::new(Alive { ended: CancellationToken::new(), outer: SCOPE.try_with(Arc::clone).ok() });
    let ended = alive.ended.clone();
    let door = Arc::new(Door(Mutex::new(Visitors {
        state: State::Open(Arc::clone(&alive)),
        new: Vec::new(),
        waker: None,
    })));
    let children = Children { set: JoinSet::new(), door: Arc::clone(&door) };
    let scope = Scope { handle: handle.clone(), door };
    let mut alive = Some(alive); // before the body, so that it is dropped after that
    let body = pin!(Some(async move { body(scope).await }));
    let outcome = Running { children, body, alive: &mut alive, outcome: None }.run().await;
    ended.cancelled().await; // scopes that were dropped inside this one
    match outcome {
        Outcome::Value(value) => Ok(value),
        Outcome::Error(error) => Err(error),
        Outcome::Panic(payload) => resume_unwind(payload),
    }
}

/// Starts the children of a [`scope`], from anywhere.
///
/// ```
/// # runtime::Runtime::new().unwrap().block_on(async {
/// runtime::scope(async |scope: runtime::Scope<std::io::Error>| {
///     let siblings = scope.clone();
///     scope.spawn(async move {
///         siblings.spawn(async { Ok(()) });
///         Ok(())
///     });
///     Ok(())
/// })
/// .await
/// .unwrap();
/// # });
/// ```
pub struct Scope<E> {
    handle: Handle,
    door: Arc<Door<E>>,
}

impl<E: Send + 'static> Scope<E> {
    /// Starts a child on the runtime of the scope.
    ///
    /// In a scope that is being cancelled or has ended it does nothing but drop the future.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// runtime::scope(async |scope: runtime::Scope<std::io::Error>| {
    ///     scope.spawn(async { Ok(()) });
    ///     Ok(())
    /// })
    /// .await
    /// .unwrap();
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let state = self.door.lock().state.clone();
        let State::Open(alive) = state else { return };
        // The wrapper keeps what it is given twice: as that, and as what it polls.
        let task = if const { size_of::<F>() > TWICE_AT_MOST } {
            self.handle.spawn(SCOPE.scope(alive, Box::pin(future)))
        } else {
            self.handle.spawn(SCOPE.scope(alive, future))
        };
        let (refused, waker) = {
            let mut visitors = self.door.lock();
            match visitors.state {
                State::Closed => (Some(task), None),
                State::Open(_) | State::Cancelled => {
                    visitors.new.push(task);
                    (None, visitors.waker.take())
                }
            }
        };
        waker.into_iter().for_each(contain::wake);
        if let Some(task) = refused {
            task.abort();
        }
    }
}

impl<E> Clone for Scope<E> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), door: Arc::clone(&self.door) }
    }
}

impl<E> fmt::Debug for Scope<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// Kept by a scope, its children, and those of scopes that were opened inside.
struct Alive {
    ended: CancellationToken,
    outer: Option<Arc<Alive>>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.ended.cancel();
        // Not by recursion: scopes may be nested as deep as tasks.
        let mut outer = self.outer.take();
        while let Some(mut next) = outer.and_then(Arc::into_inner) {
            outer = next.outer.take();
        }
    }
}

/// Where new children wait to be taken in.
struct Door<E>(Mutex<Visitors<E>>);

struct Visitors<E> {
    state: State,
    new: Vec<JoinHandle<Result<(), E>>>,
    /// The scope's.
    waker: Option<Waker>,
}

#[derive(Clone)]
enum State {
    Open(Arc<Alive>),
    Cancelled,
    Closed,
}

impl<E> Door<E> {
    fn lock(&self) -> MutexGuard<'_, Visitors<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next state; what is dropped of the former one may run code of the user.
    fn set(&self, state: State) {
        let former = std::mem::replace(&mut self.lock().state, state);
        drop(former);
    }

    /// Those who came, after leaving a waker for the next ones.
    fn take_new(&self, waker: &Waker) -> Vec<JoinHandle<Result<(), E>>> {
        let is_there = self.lock().waker.as_ref().is_some_and(|there| there.will_wake(waker));
        if !is_there {
            let waker = waker.clone();
            let former = self.lock().waker.replace(waker);
            contain(|| drop(former));
        }
        std::mem::take(&mut self.lock().new)
    }

    /// Closes, unless somebody waits here.
    fn try_close(&self) -> bool {
        let former = {
            let mut visitors = self.lock();
            if !visitors.new.is_empty() {
                return false;
            }
            std::mem::replace(&mut visitors.state, State::Closed)
        };
        drop(former);
        true
    }
}

/// The children that were taken in; cancels them when dropped, and those at the door.
struct Children<E> {
    set: JoinSet<Result<(), E>>,
    door: Arc<Door<E>>,
}

impl<E> Drop for Children<E> {
    fn drop(&mut self) {
        self.door.set(State::Closed);
        let (new, waker) = {
            let mut visitors = self.door.lock();
            (std::mem::take(&mut visitors.new), visitors.waker.take())
        };
        for task in new {
            task.abort();
        }
        contain(|| drop(waker));
    }
}

enum Outcome<T, E> {
    Value(T),
    Error(E),
    Panic(Box<dyn Any + Send>),
}

/// A scope on its way.
struct Running<'a, T, E, B> {
    children: Children<E>,
    /// `None` when it is done, or has been cancelled.
    body: Pin<&'a mut Option<B>>,
    /// The body's share; in its place only while it is polled. `None` when the body is.
    alive: &'a mut Option<Arc<Alive>>,
    /// Of the body, or the first failure.
    outcome: Option<Outcome<T, E>>,
}

impl<T, E, B> Running<'_, T, E, B>
where
    B: Future<Output = Result<T, E>>,
    E: From<JoinError> + Send + 'static,
{
    async fn run(mut self) -> Outcome<T, E> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<T, E>> {
        loop {
            for task in self.children.door.take_new(cx.waker()) {
                let child = self.children.set.insert(task);
                if self.has_failed() {
                    child.abort();
                }
            }
            match self.children.set.poll_join_next(cx) {
                Poll::Ready(Some((_, joined))) => self.child_done(joined),
                Poll::Ready(None) if self.body.is_none() => {
                    if self.children.door.try_close() {
                        return Poll::Ready(self.outcome.take().expect("the body gave one"));
                    }
                }
                Poll::Ready(None) | Poll::Pending => match self.poll_body(cx) {
                    Poll::Ready(outcome) => self.body_done(outcome),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    fn child_done(&mut self, joined: Result<Result<(), E>, JoinError>) {
        if self.has_failed() {
            return contain(|| drop(joined));
        }
        let convert = || joined.unwrap_or_else(|error| Err(error.into()));
        match catch_unwind(AssertUnwindSafe(convert)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fail(Outcome::Error(error)),
            Err(payload) => self.fail(Outcome::Panic(payload)),
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<T, E>> {
        let Some(body) = self.body.as_mut().as_pin_mut() else { return Poll::Pending };
        match catch_unwind(AssertUnwindSafe(|| SCOPE.lend(self.alive, || body.poll(cx)))) {
            Ok(polled) => polled.map(|result| result.map_or_else(Outcome::Error, Outcome::Value)),
            Err(payload) => Poll::Ready(Outcome::Panic(payload)),
        }
    }

    fn body_done(&mut self, outcome: Outcome<T, E>) {
        match outcome {
            Outcome::Value(_) => {
                self.outcome = Some(outcome);
                if let Err(payload) = self.drop_body() {
                    self.fail(Outcome::Panic(payload));
                }
            }
            failure => self.fail(failure),
        }
    }

    /// Drops the body; the payload if its destructor panicked. It is gone all the same.
    fn drop_body(&mut self) -> Result<(), Box<dyn Any + Send>> {
        let dropped = catch_unwind(AssertUnwindSafe(|| self.body.set(None)));
        *self.alive = None;
        dropped
    }

    /// The first failure cancels the rest; what follows from that is not of interest.
    fn fail(&mut self, failure: Outcome<T, E>) {
        if self.has_failed() {
            return contain(|| drop(failure));
        }
        let value = self.outcome.replace(failure);
        self.children.door.set(State::Cancelled);
        self.children.set.abort_all();
        if let Err(payload) = self.drop_body() {
            dispose(payload);
        }
        contain(|| drop(value));
    }

    fn has_failed(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Error(_) | Outcome::Panic(_)))
    }
}
