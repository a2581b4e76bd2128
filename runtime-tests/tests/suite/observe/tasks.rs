//! The list of tasks, and names.

use std::collections::HashMap;
use std::future::{pending, poll_fn};
use std::task::Poll;

use runtime::TaskTracker;
use runtime::task::{TaskInfo, TaskState, yield_now};

use super::*;

#[test]
fn tasks_that_wait_are_listed_with_name_and_place() {
    each_flavour(|runtime, _| {
        let plain = runtime.spawn(pending::<()>());
        let named = runtime.handle().spawn_named("waits", pending::<()>());
        let line = line!() - 1;
        let owned = {
            let _inside = runtime.enter();
            runtime::spawn_named(format!("number {}", 7), pending::<()>())
        };
        let tasks = runtime.block_on(async {
            while Handle::current().tasks().len() < 3 {
                yield_now().await;
            }
            let tasks = Handle::current().tasks();
            tasks.into_iter().map(|task| (task.id(), task)).collect::<HashMap<_, _>>()
        });
        assert_eq!(tasks[&plain.id()].name(), None);
        assert_eq!(tasks[&owned.id()].name(), Some("number 7"));
        let info: &TaskInfo = &tasks[&named.id()];
        assert_eq!(info.name(), Some("waits"));
        assert_eq!((info.spawned_at().file(), info.spawned_at().line()), (file!(), line));
        assert!(info.to_string().starts_with("\"waits\", spawned at "), "{info}");

        runtime.block_on(async {
            for task in [plain, named, owned] {
                task.cancel().await.unwrap_err();
            }
        });
        wait_until("they are gone", || runtime.handle().tasks().is_empty());
    });
}

#[test]
fn the_state_says_who_waits() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let waits = runtime::spawn(pending::<()>());
        while Handle::current().tasks().is_empty() {
            yield_now().await;
        }
        let (id, turns) = (waits.id(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&turns);
        let mut left = 3;
        let looks = runtime::spawn(poll_fn(move |cx| {
            *seen.lock().unwrap() = Handle::current().tasks();
            left -= 1;
            if left == 0 {
                return Poll::Ready(());
            }
            // Not by the task itself, so that it is listed.
            let waker = cx.waker().clone();
            runtime::spawn(async move { waker.wake() });
            Poll::Pending
        }));
        let me = looks.id();
        looks.await.unwrap();
        let turns = turns.lock().unwrap();
        let state = |id| turns.iter().find(|task| task.id() == id).map(TaskInfo::state);
        assert_eq!(state(id), Some(TaskState::Waiting));
        assert_eq!(state(me), Some(TaskState::Active));
    });
}

#[test]
fn a_named_task_is_a_task_as_any_other() {
    each_flavour(|runtime, _| {
        runtime.block_on(async {
            assert_eq!(runtime::spawn_named("answer", async { 42 }).await.unwrap(), 42);
            let panics = runtime::spawn_named("panics", async { panic!("on purpose") });
            assert!(panics.await.unwrap_err().is_panic());
            let aborted = runtime::spawn_named("aborted", pending::<()>());
            assert!(aborted.cancel().await.unwrap_err().is_cancelled());
            // Names of those who are gone do not show up with others.
            let plain: Vec<_> = (0..100).map(|_| runtime::spawn(pending::<()>())).collect();
            yield_now().await;
            assert!(Handle::current().tasks().iter().all(|task| task.name().is_none()));
            drop(plain);
        });
    });
}

#[test]
fn tracked_tasks_keep_their_names() {
    each_flavour(|runtime, _| {
        runtime.block_on(async {
            let tracker = TaskTracker::new();
            let stop = tracker.token().clone();
            tracker.spawn_named("tracked", async move { stop.cancelled().await });
            while Handle::current().tasks().is_empty() {
                yield_now().await;
            }
            assert_eq!(Handle::current().tasks()[0].name(), Some("tracked"));
            assert!(tracker.drain(LIMIT).await.is_clean());
        });
    });
}

#[test]
fn the_list_of_a_runtime_that_is_gone_is_empty() {
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(2)] {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            runtime::spawn_named("lives", pending::<()>());
            yield_now().await;
        });
        drop(runtime);
        assert!(handle.tasks().is_empty());
        let refused = handle.spawn_named("late", async {});
        assert!(futures::executor::block_on(refused).unwrap_err().is_cancelled());
    }
}

#[test]
fn listing_while_tasks_come_and_go_finds_only_living_ones() {
    let _watchdog = watchdog("");
    let runtime = Flavour::MultiThread(4).build();
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..4 {
        let stop = Arc::clone(&stop);
        runtime.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let children: Vec<_> = (0..20)
                    .map(|child| runtime::spawn_named(format!("child {child}"), yield_now()))
                    .collect();
                for child in children {
                    child.await.unwrap();
                }
            }
        });
    }
    for _ in 0..2_000 {
        for task in runtime.handle().tasks() {
            let expected = task.name().is_none_or(|name| name.starts_with("child "));
            assert!(expected && task.spawned_at().file() == file!(), "{task}");
        }
    }
    stop.store(true, Ordering::Relaxed);
}
