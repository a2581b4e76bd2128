//! service, signals, task-locals.

mod join_set;
