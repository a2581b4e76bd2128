//! What tasks cost in memory, counted by the allocator of this binary.
//!
//! One test function, as `counting.rs` says.

use std::future::pending;
use std::io;

use runtime::task::yield_now;
use runtime::{Scope, TaskTracker, scope};
use runtime_tests::counting::{Counting, live};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a future of ours holds.
const HELD: usize = 10_000;
/// What may come on top for the task, its wrapper and its place in a table.
const REST: usize = 1000;

#[test]
fn a_large_future_is_kept_once_however_it_is_started() {
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let before = live();
        drop(runtime::spawn(large()));
        yield_now().await;
        check("spawn", before);

        let tracker = TaskTracker::new();
        let before = live();
        drop(tracker.spawn(large()));
        yield_now().await;
        check("TaskTracker::spawn", before);

        let result = scope(async |scope: Scope<io::Error>| {
            let before = live();
            scope.spawn(large());
            yield_now().await;
            check("Scope::spawn", before);
            Err::<(), _>(io::Error::other("so that it ends"))
        });
        result.await.unwrap_err();
    });
}

async fn large() -> io::Result<()> {
    let held = [0_u8; HELD];
    pending::<()>().await;
    std::hint::black_box(&held);
    Ok(())
}

fn check(what: &str, before: isize) {
    let bytes = usize::try_from(live() - before).unwrap();
    assert!((HELD..HELD + REST).contains(&bytes), "{what}: {bytes} bytes");
}
