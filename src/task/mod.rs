//! (see ARCHITECTURE.md)

/// The cooperative budget.
pub mod coop {
    pub use crate::coop::{
        RestoreOnPending, consume_budget, cooperative, has_budget_remaining, poll_proceed,
        unconstrained,
    };
}
