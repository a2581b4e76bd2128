//! Tasks, sets, scopes and trackers.

use std::future::pending;
use std::io;
use std::time::Duration;

use runtime::net::UnixStream;
use runtime::task::{JoinError, JoinSet};
use runtime::{Handle, Scope, TaskTracker, scope_in};
use runtime_tests::rig::{Count, LIMIT};

use super::outside;

#[test]
fn sets() {
    outside(async |handle| {
        let mut set = JoinSet::new();
        for n in 1..=10 {
            set.spawn_on(async move { Handle::try_current().map(|_| n).unwrap() }, handle);
            set.spawn_blocking_on(move || Handle::try_current().map(|_| -n).unwrap(), handle);
        }
        let mut outputs = set.join_all().await;
        outputs.sort_unstable();
        assert_eq!(outputs, (-10..=10).filter(|n| *n != 0).collect::<Vec<_>>());
    });
}

#[test]
fn scopes() {
    outside(async |handle| {
        let ended = Count::new();
        let outcome = scope_in(
            async |scope: Scope<io::Error>| {
                assert!(Handle::try_current().is_err(), "the body stays where it is awaited");
                for _ in 0..10 {
                    let (siblings, ended) = (scope.clone(), ended.clone());
                    scope.spawn(async move {
                        UnixStream::pair()?; // the children are in the runtime
                        siblings.spawn(async move {
                            ended.add();
                            Ok(())
                        });
                        Ok(())
                    });
                }
                Ok(7)
            },
            handle,
        );
        assert_eq!(outcome.await.unwrap(), 7);
        assert_eq!(ended.get(), 10);

        let (failed, dropped) = (Count::new(), Count::new());
        let outcome = scope_in(
            async |scope: Scope<io::Error>| {
                let token = dropped.on_drop();
                scope.spawn(async move {
                    let _token = token;
                    pending().await
                });
                scope.spawn(async { Err(io::Error::other("on purpose")) });
                let _token = failed.on_drop();
                pending::<io::Result<()>>().await
            },
            handle,
        );
        assert_eq!(outcome.await.unwrap_err().to_string(), "on purpose");
        assert_eq!((failed.get(), dropped.get()), (1, 1));
    });
}

#[test]
fn trackers_are_drained_from_outside() {
    outside(async |handle| {
        let tracker = TaskTracker::new_in(handle);
        let stop = tracker.token().clone();
        tracker.spawn(async move { stop.cancelled().await });
        assert!(tracker.drain(LIMIT).await.is_clean());

        let tracker = TaskTracker::new_in(handle);
        let dropped = Count::new();
        let token = dropped.on_drop();
        tracker.spawn_named("endless", async move {
            let _token = token;
            pending::<()>().await
        });
        let report = tracker.drain(Duration::from_millis(5)).await;
        assert_eq!(report.left().len(), 1);
        assert_eq!(dropped.get(), 1);
    });
}

/// Everything says that the runtime is gone.
pub(super) async fn refused(handle: &Handle) {
    let mut set = JoinSet::new();
    set.spawn_on(async {}, handle);
    set.spawn_blocking_on(|| (), handle);
    while let Some(joined) = set.join_next().await {
        assert!(joined.unwrap_err().is_cancelled());
    }
    let body = async |scope: Scope<JoinError>| {
        scope.spawn(async { Ok(()) });
        Ok(())
    };
    assert!(scope_in(body, handle).await.unwrap_err().is_cancelled());
    assert!(handle.inside(async { runtime::spawn(async {}).await }).await.is_err());
    assert!(TaskTracker::new_in(handle).drain(LIMIT).await.is_clean());
}
