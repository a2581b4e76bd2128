//! The conformance suite on what has no other end: readers and writers in memory, and files; with the
//! adapters around them.

use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};

use runtime::fs::{File, remove_file};
use runtime::io::{BufReader, BufWriter, Read, Seek, Write, copy_buf, empty, join, repeat, sink};
use runtime_tests::conformance;
use runtime_tests::conformance::{
    CurrentThread, MultiThread, source, source_on, target, target_on,
};

/// Bytes in which a lost, doubled or swapped one shows.
fn bytes() -> Vec<u8> {
    (0..50_000_usize).map(|at| (at ^ (at >> 8)) as u8).collect()
}

fn slice() -> &'static [u8] {
    bytes().leak()
}

// ---------------------------------------------------------------- readers

conformance!(source slice_plain, source(|| async { (slice(), bytes()) }));
conformance!(source slice_here, source_on(CurrentThread, || async { (slice(), bytes()) }));
conformance!(source cursor_of_vec, source_on(CurrentThread, || async {
    (Cursor::new(bytes()), bytes())
}));
conformance!(source cursor_of_slice_from_its_position, source_on(MultiThread, || async {
    let mut cursor = Cursor::new(slice());
    cursor.set_position(1000);
    (cursor, bytes().split_off(1000))
}));
conformance!(source cursor_behind_the_end, source_on(CurrentThread, || async {
    let mut cursor = Cursor::new([7; 4]);
    cursor.set_position(u64::MAX);
    (cursor, Vec::new())
}));
conformance!(source nothing, source_on(CurrentThread, || async { (empty(), Vec::new()) }));
conformance!(source one_byte_again_and_again, source_on(CurrentThread, || async {
    (repeat(7).take(50_000), vec![7; 50_000])
}));
conformance!(source adapters_on_memory, source_on(CurrentThread, || async {
    let (head, tail) = slice().split_at(20_000);
    let joined = join(empty().chain(Cursor::new(head)), sink());
    (BufReader::with_capacity(3, joined.chain(tail).take(u64::MAX)), bytes())
}));
conformance!(source file, source_on(MultiThread, || async { (holding(&bytes()).await, bytes()) }));
conformance!(source file_current_thread, source_on(CurrentThread, || async {
    (holding(&bytes()).await, bytes())
}));
conformance!(source adapters_on_files, source_on(CurrentThread, || async {
    let bytes = bytes();
    let (head, tail) = bytes.split_at(20_000);
    let chain = holding(head).await.chain(holding(tail).await).take(1 << 40);
    (BufReader::with_capacity(3, chain), bytes)
}));

// ---------------------------------------------------------------- writers

conformance!(target vec_plain, target(|| async { Vec::new() }, |vec| async { Some(vec) }));
conformance!(target vec_here, target_on(
    CurrentThread,
    || async { Vec::new() },
    |vec| async { Some(vec) },
));
conformance!(target cursor_that_grows, target_on(
    CurrentThread,
    || async { Cursor::new(Vec::new()) },
    |cursor| async { Some(cursor.into_inner()) },
));
conformance!(target cursor_that_does_not, target_on(
    MultiThread,
    || async { Cursor::new(vec![0; 1 << 20].into_boxed_slice()) },
    |cursor| async move {
        let written = cursor.position() as usize;
        Some(cursor.into_inner()[..written].to_vec())
    },
));
conformance!(target memory_that_shrinks, target_on(
    CurrentThread,
    || async { vec![0_u8; 1 << 20].leak() },
    // What was written is in front of it.
    |_| async { None },
));
conformance!(target forgotten_by_a_sink, target_on(
    CurrentThread,
    || async { sink() },
    |_| async { None },
));
conformance!(target forgotten_by_nothing, target_on(
    CurrentThread,
    || async { empty() },
    |_| async { None },
));
conformance!(target adapters_on_a_vec, target_on(
    CurrentThread,
    || async { BufWriter::with_capacity(3, join(empty(), Vec::new())) },
    |writer| async { Some(writer.into_inner().into_inner().1) },
));
conformance!(target new_file, target_on(MultiThread, || holding(b""), contents));
conformance!(target new_file_current_thread, target_on(CurrentThread, || holding(b""), contents));
conformance!(target adapters_on_a_new_file, target_on(
    CurrentThread,
    || async { BufWriter::with_capacity(3, holding(b"").await) },
    |writer| contents(writer.into_inner()),
));

/// A file of its own with these bytes, at its beginning; the system removes it with the last handle.
async fn holding(bytes: &[u8]) -> File {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    // Ordering: a number of its own is all that is wanted.
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("runtime-rows-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    let mut file = options.open(&path).await.unwrap();
    remove_file(&path).await.unwrap();
    file.write_all(bytes).await.unwrap();
    file.rewind().await.unwrap();
    file
}

/// All that is in a file.
async fn contents(mut file: File) -> Option<Vec<u8>> {
    file.rewind().await.unwrap();
    let mut all = Vec::new();
    copy_buf(&mut BufReader::new(file), &mut all).await.unwrap();
    Some(all)
}
