//! How a task can fail, and how panics are kept where they belong.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::Mutex; // not behind the loom switch: models do not panic
use std::sync::PoisonError;

use super::Id;
use crate::contain::dispose;

/// Why a task gave no output: it was cancelled, or it panicked.
///
/// ```
/// # async fn example() {
/// let error = runtime::spawn(async { panic!("on purpose") }).await.unwrap_err();
/// assert!(error.is_panic());
/// # }
/// ```
pub struct JoinError {
    id: Id,
    spawned_at: &'static Location<'static>,
    panic: Option<Panic>, // `None`: cancelled
}

impl JoinError {
    pub(super) fn new(id: Id, at: &'static Location<'static>, panic: Option<Panic>) -> Self {
        Self { id, spawned_at: at, panic }
    }

    /// Whether the task was aborted, or its runtime shut down, before it was done.
    pub fn is_cancelled(&self) -> bool {
        self.panic.is_none()
    }

    /// Whether the task's future panicked, when polled or when dropped.
    pub fn is_panic(&self) -> bool {
        self.panic.is_some()
    }

    /// The payload of the panic, for [`resume_unwind`](std::panic::resume_unwind).
    ///
    /// # Panics
    ///
    /// If the task was cancelled.
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("`JoinError::into_panic` called, but the {error}"),
        }
    }

    /// The payload of the panic.
    ///
    /// # Errors
    ///
    /// Gives the error back if the task was cancelled.
    pub fn try_into_panic(mut self) -> Result<Box<dyn Any + Send + 'static>, Self> {
        match self.panic.take().and_then(Panic::into_payload) {
            Some(payload) => Ok(payload),
            None => Err(self),
        }
    }

    /// The id that the task had. Another task may have it by now.
    pub fn id(&self) -> Id {
        self.id
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task spawned at {} ", self.spawned_at)?;
        match &self.panic {
            None => f.write_str("was cancelled"),
            Some(panic) => match panic.message() {
                Some(message) => write!(f, "panicked: {message}"),
                None => f.write_str("panicked"),
            },
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = match &self.panic {
            None => f.debug_struct("JoinError::Cancelled"),
            Some(_) => f.debug_struct("JoinError::Panic"),
        };
        debug.field("id", &self.id).field("spawned_at", &format_args!("{}", self.spawned_at));
        if let Some(message) = self.panic.as_ref().and_then(Panic::message) {
            debug.field("message", &message);
        }
        debug.finish()
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    /// An error of kind `Other` that holds the `JoinError`.
    fn from(error: JoinError) -> Self {
        io::Error::other(error)
    }
}

/// A panic's payload as one word, so that a failed task needs no larger cell. `Sync`, which a payload
/// is not, because it is only lent under the lock. Empty once the payload was taken.
pub(super) struct Panic(Box<Mutex<Option<Box<dyn Any + Send>>>>);

impl Panic {
    #[cold]
    pub(super) fn new(payload: Box<dyn Any + Send>) -> Self {
        #[cfg(test)]
        crate::contain::caught::add_one();
        Self(Box::new(Mutex::new(Some(payload))))
    }

    fn into_payload(self) -> Option<Box<dyn Any + Send>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What `panic!` was given, if it was a message.
    fn message(&self) -> Option<String> {
        let payload = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let payload = payload.as_ref()?;
        match payload.downcast_ref::<&'static str>() {
            Some(message) => Some((*message).to_owned()),
            None => payload.downcast_ref::<String>().cloned(),
        }
    }
}

impl Drop for Panic {
    fn drop(&mut self) {
        let payload = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(payload) = payload {
            dispose(payload);
        }
    }
}
