//! The attributes `#[runtime::main]` and `#[runtime::test]`.
//!
//! Use them through the `runtime` crate, which documents and re-exports them. This crate has no
//! dependencies: `syn` and `quote` would take longer to build than the whole runtime, and what
//! there is to parse is one function signature and four named values.
//!
//! The floors: `parse` turns tokens into an `Function` and
//! `Arguments`, `expand` turns these into tokens, `error` is the one way to say
//! no. No file here does two of the three.

#![warn(missing_docs)]
#![forbid(unsafe_code)]
#![allow(clippy::needless_doctest_main)] // `main` is the subject of these examples

mod error;
mod expand;
mod parse;

use proc_macro::TokenStream;

/// Which of the two attributes is being expanded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Main,
    Test,
}

/// Runs an `async fn` on a new runtime.
///
/// The function becomes a plain one that builds a runtime, blocks on the `async` body and returns
/// what the body returns: `()`, a `Result`, an `ExitCode` or whatever else may leave `main`
/// (`std::process::Termination`). It is meant for `main`, but any function without parameters will
/// do.
///
/// ```
/// #[runtime::main]
/// async fn main() {
///     let answer = runtime::spawn(async { 6 * 7 }).await;
///     assert_eq!(answer.unwrap(), 42);
/// }
/// ```
///
/// # Arguments
///
/// | argument | meaning | default |
/// |---|---|---|
/// | `flavor = "multi_thread"` or `"current_thread"` | which scheduler | `"multi_thread"` |
/// | `worker_threads = 4` | how many workers; `"multi_thread"` only, not 0 | one for each CPU |
/// | `start_paused = true` | the clock stands still and jumps ahead when nothing else is left to do; `"current_thread"` only | `false` |
/// | `crate = "path::to::runtime"` | where to find this crate, if it was renamed or re-exported | `"::runtime"` |
///
/// ```
/// use std::io;
///
/// #[runtime::main(flavor = "multi_thread", worker_threads = 2)]
/// async fn main() -> io::Result<()> {
///     Ok(())
/// }
/// ```
///
/// # What it expands to
///
/// ```
/// fn main() {
///     async fn main() {
///         // the body
///     }
///     runtime::Builder::new_multi_thread()
///         .build()
///         .expect("the runtime could not be built")
///         .block_on(main())
/// }
/// ```
///
/// Note that the body is the *root future*: it stays on the thread that calls, is not stolen by
/// other workers and need not be `Send`. What should run in parallel is spawned.
///
/// # Panics
///
/// The expanded function panics if the operating system refuses what a runtime needs (a poll
/// descriptor, threads), and if it is called from within a runtime.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Main, arguments, item)
}

/// Runs an `async fn` as a test, on a runtime of its own.
///
/// It takes the arguments of [`main`](macro@main), with `"current_thread"` as the default flavor,
/// and goes together with `#[should_panic]`, `#[ignore]` and tests that return a `Result`.
/// `#[test]` is added by the attribute; a second one is refused.
///
/// ```
/// # // A doc test runs `main`, not the tests in it.
/// #[runtime::test]
/// async fn tasks_can_be_awaited() {
///     let answer = runtime::spawn(async { 6 * 7 }).await;
///     assert_eq!(answer.unwrap(), 42);
/// }
///
/// #[runtime::test(flavor = "multi_thread", worker_threads = 2)]
/// #[should_panic(expected = "on purpose")]
/// async fn panics() {
///     panic!("on purpose");
/// }
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Test, arguments, item)
}
