//! The conformance suite: what every reader, writer and stream owes, once for all of them.
//!
//! A *row* is something that makes connected ends: [`pair`] for streams, [`one_way`] for a writer
//! and a reader. [`conformance!`](macro@crate::conformance) turns a row into one `#[test]` per assertion,
//! with the same names for every row:
//!
//! ```ignore
//! conformance!(pair loopback, pair(|| async { loopback(1024) }));
//! conformance!(one_way taken, one_way(|| async { (writer, reader.take(u64::MAX)) }));
//! conformance!(pair tcp, pair_on(MultiThread, || async { connected().await }));
//! ```
//!
//! An assertion makes fresh ends, runs under the row's executor on a thread of its own and fails if
//! that takes longer than [`LIMIT`]. Assertions do not time and do not sleep: where a kernel may
//! need a moment, they wait by the stream's own means.
//!
//! What is in `one_way_assertions.rs` and `owned_assertions.rs` holds for each direction of a stream
//! as well, so a `pair` row gets those too (left writes, right reads). Readers that show what they have
//! get `in_place_assertions.rs` in addition. What has no other end (memory, files) has rows of its own
//! kind: `source_assertions.rs` for readers, `target_assertions.rs` for writers.

pub mod in_place_assertions;
pub mod one_way_assertions;
pub mod owned_assertions;
pub mod pair_assertions;
pub mod source_assertions;
pub mod target_assertions;
mod tools;

pub use source_assertions::{Source, source, source_on};
pub use target_assertions::{Target, target, target_on};

use runtime::Builder;
use runtime::io::{ReadyRead, ReadyStream, ReadyWrite};
use std::future::Future;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long an assertion may take, with much slack for a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Runs one assertion's future.
pub trait Executor: Clone + Send + 'static {
    /// Whether `block_on`'s future has a cooperative budget.
    const BUDGETED: bool;

    /// Runs the future to its end on this thread.
    fn block_on<F: Future>(&self, future: F) -> F::Output;
}

/// An executor that knows nothing of the runtime.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Executor for Plain {
    const BUDGETED: bool = false;

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        futures::executor::block_on(future)
    }
}

/// The runtime with two workers; the assertion is the root future of a runtime of its own.
#[derive(Clone, Copy, Debug)]
pub struct MultiThread;

impl Executor for MultiThread {
    const BUDGETED: bool = true;

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
        runtime.block_on(future)
    }
}

/// The runtime without workers.
#[derive(Clone, Copy, Debug)]
pub struct CurrentThread;

impl Executor for CurrentThread {
    const BUDGETED: bool = true;

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }
}

/// Makes a writer and the reader that gets what it writes.
pub trait OneWay: Clone + Send + 'static {
    /// Gets what is written.
    type Reader: ReadyRead + 'static;
    /// Where it is written.
    type Writer: ReadyWrite + 'static;
    /// Under which both work.
    type Executor: Executor;

    /// That executor.
    fn executor(&self) -> Self::Executor;

    /// Connects the two.
    fn connect(&self) -> impl Future<Output = (Self::Writer, Self::Reader)>;

    /// Whether the ends are true halves, which refuse to wait for the other direction.
    fn are_halves(&self) -> bool {
        false
    }
}

/// Makes two connected streams.
pub trait Pair: Clone + Send + 'static {
    /// One end.
    type Left: ReadyStream + 'static;
    /// The other end, not necessarily of the same type.
    type Right: ReadyStream + 'static;
    /// Under which both work.
    type Executor: Executor;

    /// That executor.
    fn executor(&self) -> Self::Executor;

    /// Connects the two.
    fn connect(&self) -> impl Future<Output = (Self::Left, Self::Right)>;
}

impl<P: Pair> OneWay for P {
    type Reader = P::Right;
    type Writer = P::Left;
    type Executor = P::Executor;

    fn executor(&self) -> Self::Executor {
        Pair::executor(self)
    }

    async fn connect(&self) -> (Self::Writer, Self::Reader) {
        Pair::connect(self).await
    }
}

/// A row of streams under a plain executor.
pub fn pair<F>(connect: F) -> PairRow<Plain, F> {
    pair_on(Plain, connect)
}

/// A row of streams under an executor of its own.
pub fn pair_on<E, F>(executor: E, connect: F) -> PairRow<E, F> {
    PairRow { executor, connect }
}

/// What [`pair`] and [`pair_on`] make.
#[derive(Clone, Copy, Debug)]
pub struct PairRow<E, F> {
    executor: E,
    connect: F,
}

impl<E, F, Fut, L, R> Pair for PairRow<E, F>
where
    E: Executor,
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = (L, R)>,
    L: ReadyStream + 'static,
    R: ReadyStream + 'static,
{
    type Left = L;
    type Right = R;
    type Executor = E;

    fn executor(&self) -> E {
        self.executor.clone()
    }

    fn connect(&self) -> impl Future<Output = (L, R)> {
        (self.connect)()
    }
}

/// A row of a writer and a reader under a plain executor; the closure returns them in this order.
pub fn one_way<F>(connect: F) -> OneWayRow<Plain, F> {
    one_way_on(Plain, connect)
}

/// A row of a writer and a reader under an executor of its own.
pub fn one_way_on<E, F>(executor: E, connect: F) -> OneWayRow<E, F> {
    OneWayRow { executor, connect, halves: false }
}

/// What [`one_way`] and [`one_way_on`] make.
#[derive(Clone, Copy, Debug)]
pub struct OneWayRow<E, F> {
    executor: E,
    connect: F,
    halves: bool,
}

impl<E, F> OneWayRow<E, F> {
    /// Says that the ends are true halves, which refuse to wait for the other direction.
    pub fn halves(self) -> Self {
        Self { halves: true, ..self }
    }
}

impl<E, F, Fut, W, R> OneWay for OneWayRow<E, F>
where
    E: Executor,
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = (W, R)>,
    W: ReadyWrite + 'static,
    R: ReadyRead + 'static,
{
    type Reader = R;
    type Writer = W;
    type Executor = E;

    fn executor(&self) -> E {
        self.executor.clone()
    }

    fn connect(&self) -> impl Future<Output = (W, R)> {
        (self.connect)()
    }

    fn are_halves(&self) -> bool {
        self.halves
    }
}

/// Runs one assertion on a row of writers and readers.
fn run<M: OneWay, Fut: Future<Output = ()>>(
    maker: M,
    assertion: impl FnOnce(M) -> Fut + Send + 'static,
) {
    run_under(maker.executor(), move || assertion(maker));
}

/// Runs one assertion, on a thread of its own that may take [`LIMIT`].
fn run_under<Fut: Future<Output = ()>>(
    executor: impl Executor,
    assertion: impl FnOnce() -> Fut + Send + 'static,
) {
    let (done, is_done) = mpsc::channel();
    let name = thread::current().name().unwrap_or("assertion").to_owned();
    let body = move || {
        executor.block_on(assertion());
        let _ = done.send(());
    };
    let thread = thread::Builder::new().name(name).spawn(body).expect("a thread");
    if is_done.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("it hangs");
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Instantiates the suite for one row: a module of this name with one test per assertion.
///
/// `conformance!(pair name, row)` for streams, `conformance!(one_way name, row)` for a writer and
/// a reader; `conformance!(in_place name, row)` for a reader that shows what it has, in addition to one
/// of these; `conformance!(source name, row)` and `conformance!(target name, row)` for a reader and for a
/// writer by themselves. The row's expression may use what is imported around the macro.
#[macro_export]
macro_rules! conformance {
    (one_way $row:ident, $maker:expr) => {
        mod $row {
            #[allow(unused_imports)]
            use super::*;
            $crate::conformance!(@one_way $maker);
        }
    };
    (pair $row:ident, $maker:expr) => {
        mod $row {
            #[allow(unused_imports)]
            use super::*;
            $crate::conformance!(@one_way $maker);
            $crate::conformance!(@pair $maker);
        }
    };
    (in_place $row:ident, $maker:expr) => {
        mod $row {
            #[allow(unused_imports)]
            use super::*;
            $crate::conformance!(@tests in_place_assertions $maker;
                what_is_shown_is_what_comes
                lines_and_pieces_are_found
                a_fill_that_waits_loses_nothing
                what_is_shown_is_ready_through_every_form
                the_end_shows_nothing
                consuming_more_than_is_shown_panics
                a_limit_keeps_what_is_behind_it
                a_line_that_is_not_text_is_in_the_error
                copies_go_straight_from_the_buffer
                lines_let_others_run
            );
        }
    };
    (source $row:ident, $maker:expr) => {
        mod $row {
            #[allow(unused_imports)]
            use super::*;
            $crate::conformance!(@tests source_assertions $maker;
                everything_is_read_in_order
                every_form_of_reading_goes_on_where_the_last_ended
                nothing_is_read_into_nothing
                the_end_is_for_ever
                owned_buffers_are_read_into
                objects_and_downcasts_read
                adapters_read
                reads_that_are_dropped_lose_nothing
                reads_let_others_run
                reading_futures_are_send
            );
        }
    };
    (target $row:ident, $maker:expr) => {
        mod $row {
            #[allow(unused_imports)]
            use super::*;
            $crate::conformance!(@tests target_assertions $maker;
                everything_is_written_in_order
                every_form_of_writing_goes_on_where_the_last_ended
                nothing_is_written_of_nothing
                flushes_and_shutdowns_change_nothing
                owned_buffers_are_written_from
                objects_and_downcasts_write
                adapters_write
                writes_let_others_run
                writing_futures_are_send
            );
        }
    };
    (@one_way $maker:expr) => {
        $crate::conformance!(@tests one_way_assertions $maker;
            bytes_arrive_in_order
            one_byte_at_a_time_works
            a_short_read_takes_what_is_there
            empty_buffers_never_wait
            vectored_reads_scatter
            vectored_writes_gather
            uninitialized_memory_is_read_into
            provided_methods_work
            the_end_comes_after_the_data
            a_dropped_writer_ends_the_stream
            a_waiting_reader_hears_the_end
            writing_after_shutdown_is_a_broken_pipe
            writing_to_a_dropped_reader_fails
            a_waiting_writer_hears_that_the_reader_is_gone
            readiness_to_read_follows_the_data
            readiness_to_write_follows_the_space
            the_end_is_readiness_and_hup
            halves_refuse_the_other_direction
            waiting_needs_no_buffer
            dropped_reads_lose_nothing
            dropped_writes_lose_nothing
            the_newest_waker_is_woken
            an_always_ready_stream_lets_others_run
            futures_are_send
            trait_objects_work
            downcasts_work
            pointers_work
            take_works
        );
        $crate::conformance!(@tests owned_assertions $maker;
            owned_buffers_carry_everything
            owned_operations_take_what_fits
            owned_buffers_of_nothing_never_wait
            owned_reads_end_with_the_stream
            owned_writes_that_fail_return_the_buffer
            dropped_owned_operations_lose_only_the_buffer
            owned_forms_travel
        );
    };
    (@pair $maker:expr) => {
        $crate::conformance!(@tests pair_assertions $maker;
            both_directions_at_once
            half_close_left_first
            half_close_right_first
            dropping_an_end_ends_both_directions
            a_reader_and_a_writer_do_not_disturb_each_other
            a_wait_for_both_ends_with_one
            stream_objects_work
            a_proxy_passes_everything_and_every_half_close
        );
    };
    (@tests $assertions:ident $maker:expr; $($name:ident)*) => {
        $crate::conformance!(@each $assertions [$maker] $($name)*);
    };
    (@each $assertions:ident $maker:tt) => {};
    (@each $assertions:ident [$maker:expr] $name:ident $($names:ident)*) => {
        #[test]
        fn $name() {
            $crate::conformance::$assertions::$name($maker);
        }
        $crate::conformance!(@each $assertions [$maker] $($names)*);
    };
}
