//! The conformance suite through both adapters: ours as a foreign stream, and that as ours again.
//!
//! What the foreign stream does not take at once is kept, and the suite does not flush; so at most one
//! byte is kept here, and the streams are pipes: the suite wants one that is full to stay so, where a
//! socket takes that byte whenever the kernel likes.

use runtime::compat::{Compat, FromFutures, FromHyper, FromTokio};
use runtime::io::{DuplexStream, ReadyStream, duplex};
use runtime_tests::conformance;
use runtime_tests::conformance::{CurrentThread, MultiThread, pair, pair_on};

async fn tokio_pipe() -> (FromTokio<DuplexStream>, FromTokio<DuplexStream>) {
    let (left, right) = duplex(4096);
    (FromTokio::with_capacity(1, left), FromTokio::with_capacity(1, right))
}

async fn futures_pipe() -> (FromFutures<DuplexStream>, FromFutures<DuplexStream>) {
    let (left, right) = duplex(4096);
    (FromFutures::with_capacity(1, left), FromFutures::with_capacity(1, right))
}

async fn hyper_object() -> (FromHyper<Compat<Box<dyn ReadyStream>>>, DuplexStream) {
    let (left, right) = duplex(4096);
    (FromHyper::with_capacity(1, Compat::new(Box::new(left))), right)
}

conformance!(pair tokio_over_pipe, pair_on(MultiThread, tokio_pipe));
conformance!(pair tokio_over_pipe_on_one_thread, pair_on(CurrentThread, tokio_pipe));
conformance!(pair futures_over_pipe, pair(futures_pipe));
conformance!(pair futures_over_pipe_here, pair_on(MultiThread, futures_pipe));
conformance!(pair hyper_over_object, pair(hyper_object));
