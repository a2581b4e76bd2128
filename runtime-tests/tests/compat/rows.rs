//! The conformance suite through both adapters: ours as a foreign stream, and that as ours again; over
//! every kind of transport, and each of the three traits over several.
//!
//! What the foreign stream does not take at once is kept, and the suite does not flush; so at most one
//! byte is kept here.

use runtime::compat::{Compat, FromFutures, FromHyper, FromTokio};
use runtime::io::{DuplexStream, Join, ReadyStream, duplex, join};
use runtime::net::UnixStream;
use runtime::net::unix::pipe::{self, Receiver, Sender};
use runtime_tests::conformance;
use runtime_tests::conformance::{CurrentThread, MultiThread, Plain, pair, pair_on};

use super::tcp;

/// A row around both ends of a connection.
macro_rules! row {
    ($name:ident, $executor:ident, $From:ident, $connect:expr) => {
        conformance!(pair $name, pair_on($executor, || async {
            let (left, right) = $connect.await;
            ($From::with_capacity(1, left), $From::with_capacity(1, right))
        }));
    };
}

row!(tokio_over_pipe, MultiThread, FromTokio, pipe());
row!(tokio_over_pipe_on_one_thread, CurrentThread, FromTokio, pipe());
row!(futures_over_pipe, Plain, FromFutures, pipe());
row!(futures_over_pipe_here, MultiThread, FromFutures, pipe());
row!(tokio_over_tcp, MultiThread, FromTokio, tcp());
row!(futures_over_tcp, CurrentThread, FromFutures, tcp());
row!(hyper_over_tcp, MultiThread, FromHyper, tcp());
row!(futures_over_unix, MultiThread, FromFutures, unix());
row!(hyper_over_unix, CurrentThread, FromHyper, unix());
row!(tokio_over_os_pipes, CurrentThread, FromTokio, os_pipes());

/// What was read is shown in place.
macro_rules! in_place {
    ($name:ident, $executor:ident, $From:ident, $connect:expr) => {
        conformance!(in_place $name, pair_on($executor, || async {
            let (left, right) = $connect.await;
            (left, $From::new(right))
        }));
    };
}

in_place!(tokio_over_pipe_in_place, CurrentThread, FromTokio, pipe());
in_place!(futures_over_tcp_in_place, MultiThread, FromFutures, tcp());
in_place!(hyper_over_unix_in_place, CurrentThread, FromHyper, unix());

// One of them plain.
conformance!(pair hyper_over_object, pair(|| async {
    let (left, right) = duplex(4096);
    let left: Box<dyn ReadyStream> = Box::new(left);
    (FromHyper::with_capacity(1, Compat::new(left)), right)
}));

async fn pipe() -> (DuplexStream, DuplexStream) {
    duplex(4096)
}

async fn unix() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

type OsPipes = Compat<Join<Receiver, Sender>>;

/// One pipe of the system for each direction, and nothing that is a stream by itself.
async fn os_pipes() -> (OsPipes, OsPipes) {
    let ((there, at_right), (back, at_left)) = (pipe::pipe().unwrap(), pipe::pipe().unwrap());
    (Compat::new(join(at_left, there)), Compat::new(join(at_right, back)))
}
