//! The conformance suite through every adapter, over TCP under both flavours, over Unix sockets, over
//! pipes and over erased streams.
//!
//! An adapter that buffers what is written has to be flushed, which the suite does not do; so
//! `BufWriter` has a capacity of one byte here, past which everything is written. What it does with
//! what it holds back is in `adapters.rs`.

use runtime::io::{
    BufReader, BufWriter, Join, Read, ReadHalf, ReadyStream, WriteHalf, duplex, empty, join, sink,
    split,
};
use runtime::net::{TcpListener, TcpStream};
use runtime_tests::conformance;
use runtime_tests::conformance::{CurrentThread, MultiThread, one_way_on, pair_on};

/// A connection over the loopback interface.
async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = futures::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

#[cfg(unix)]
async fn unix() -> (runtime::net::UnixStream, runtime::net::UnixStream) {
    runtime::net::UnixStream::pair().unwrap()
}

async fn pipe() -> (runtime::io::DuplexStream, runtime::io::DuplexStream) {
    duplex(4096)
}

async fn object() -> (Box<dyn ReadyStream>, Box<dyn ReadyStream>) {
    let (left, right) = duplex(4096);
    (Box::new(left), Box::new(right))
}

/// Splits a stream by the mutex and puts it together again.
fn halved<S: ReadyStream>(stream: S) -> Join<ReadHalf<S>, WriteHalf<S>> {
    let (reader, writer) = split(stream);
    join(reader, writer)
}

/// Both kinds of buffers in one, the reader's as small as is interesting.
fn buffered<S: ReadyStream>(stream: S) -> BufReader<BufWriter<S>> {
    BufReader::with_capacity(3, BufWriter::with_capacity(1, stream))
}

/// Every adapter around one kind of connection, in two rows: each assertion is compiled for each row.
macro_rules! adapters {
    ($transport:ident, $executor:expr, $connect:expr) => {
        mod $transport {
            use super::*;

            conformance!(pair streams, pair_on($executor, || async {
                let (left, right) = $connect().await;
                (buffered(halved(left)), buffered(halved(right)))
            }));
            conformance!(one_way readers, one_way_on($executor, || async {
                let (left, right) = $connect().await;
                let right = BufReader::with_capacity(100, right).take(u64::MAX);
                (BufWriter::with_capacity(1, left), empty().chain((&b""[..]).take(7)).chain(right))
            }));
            conformance!(in_place stack, one_way_on($executor, || async {
                let (left, right) = $connect().await;
                let right = join(BufReader::with_capacity(100, right), sink()).take(u64::MAX);
                (left, BufWriter::new(empty().chain((&b""[..]).take(7)).chain(right)))
            }));
        }
    };
}

adapters!(over_tcp, MultiThread, tcp);
adapters!(over_tcp_current_thread, CurrentThread, tcp);
#[cfg(unix)]
adapters!(over_unix, CurrentThread, unix);
adapters!(over_objects, CurrentThread, object);

/// Each adapter by itself, in a row of its own.
macro_rules! each_adapter {
    ($transport:ident, $connect:expr) => {
        mod $transport {
            use super::*;

            conformance!(pair buf_reader, pair_on(CurrentThread, || async {
                let (left, right) = $connect().await;
                (BufReader::new(left), BufReader::new(right))
            }));
            conformance!(pair buf_writer, pair_on(CurrentThread, || async {
                let (left, right) = $connect().await;
                (BufWriter::with_capacity(1, left), BufWriter::with_capacity(1, right))
            }));
            conformance!(pair join_of_own_halves, pair_on(CurrentThread, || async {
                let (left, right) = $connect().await;
                let (left, right) = (left.into_split(), right.into_split());
                (join(left.0, left.1), join(right.0, right.1))
            }));
            conformance!(pair join_of_split, pair_on(MultiThread, || async {
                let (left, right) = $connect().await;
                (halved(left), halved(right))
            }));
            conformance!(one_way generic_halves, one_way_on(CurrentThread, || async {
                let (left, right) = $connect().await;
                (split(left).1, split(right).0)
            }).halves());
            conformance!(one_way take, one_way_on(CurrentThread, || async {
                let (left, right) = $connect().await;
                (left, right.take(u64::MAX))
            }));
            conformance!(one_way chain, one_way_on(CurrentThread, || async {
                let (left, right) = $connect().await;
                (left, empty().chain((&b""[..]).take(7)).chain(right))
            }));
        }
    };
}

each_adapter!(each_over_duplex, pipe);
each_adapter!(each_over_tcp, tcp);

/// What shows its bytes in place, by itself.
mod in_place {
    use super::*;

    conformance!(in_place buf_reader, pair_on(MultiThread, || async {
        let (left, right) = tcp().await;
        (left, BufReader::new(right))
    }));
    conformance!(in_place buf_reader_of_three_bytes, pair_on(CurrentThread, || async {
        let (left, right) = object().await;
        (left, BufReader::with_capacity(3, right))
    }));
    conformance!(in_place buf_writer, pair_on(CurrentThread, || async {
        let (left, right) = pipe().await;
        (left, BufWriter::new(right))
    }));
    conformance!(in_place take, one_way_on(CurrentThread, || async {
        let (left, right) = pipe().await;
        (left, right.take(1 << 40))
    }));
    conformance!(in_place chain, one_way_on(CurrentThread, || async {
        let (left, right) = pipe().await;
        (left, empty().chain((&b""[..]).take(7)).chain(right))
    }));
    conformance!(in_place join, one_way_on(CurrentThread, || async {
        let (left, right) = pipe().await;
        (left, join(right, sink()))
    }));
    conformance!(in_place pointers, one_way_on(CurrentThread, || async {
        let (left, right) = pipe().await;
        (left, Box::new(right))
    }));
}
