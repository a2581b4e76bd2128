//! The conformance suite on the pipes: whole, split and erased. Adapters on them are in
//! `adapter_rows.rs`.

use runtime::io::{ReadyStream, SimplexStream, duplex, simplex};
use runtime::pipe::duplex_with;
use runtime_tests::conformance;
use runtime_tests::conformance::{CurrentThread, MultiThread, one_way, one_way_on, pair, pair_on};

conformance!(pair duplex_pipe, pair(|| async { duplex(4096) }));
conformance!(pair duplex_of_one_byte, pair(|| async { duplex(1) }));
conformance!(pair duplex_without_limit, pair(|| async { duplex_with(1 << 20, 3) }));
conformance!(pair duplex_on_the_runtime, pair_on(MultiThread, || async { duplex(4096) }));
conformance!(pair duplex_object, pair_on(CurrentThread, || async {
    let (left, right) = duplex(4096);
    (Box::new(left) as Box<dyn ReadyStream>, Box::new(right) as Box<dyn ReadyStream>)
}));
conformance!(one_way duplex_owned_halves, one_way_on(CurrentThread, || async {
    let (left, right) = duplex(4096);
    (left.into_split().1, right.into_split().0)
}).halves());
conformance!(one_way simplex_pipe, one_way(|| async {
    let (reader, writer) = simplex(4096);
    (writer, reader)
}).halves());
conformance!(one_way simplex_of_one_byte, one_way(|| async {
    let (reader, writer) = SimplexStream::new_unsplit(1).into_split();
    (writer, reader)
}).halves());
conformance!(one_way simplex_on_the_runtime, one_way_on(MultiThread, || async {
    let (reader, writer) = simplex(4096);
    (writer, reader)
}).halves());
