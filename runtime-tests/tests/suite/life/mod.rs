//! The life cycle of what a server is made of: sets and scopes of tasks, cancellation, the end of a
//! service, signals, task-locals.

mod drain;
mod join_set;
mod locals;
mod panics;
mod scopes;
mod signals;
mod tokens;
