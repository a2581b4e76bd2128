//! `spawn_local`: futures that are not `Send` stay on the thread that spawned them.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures::channel::oneshot;
use runtime::task::{JoinSet, yield_now};
use runtime::{Handle, Runtime, spawn_local};
use runtime_tests::rig::{Flavour, LIMIT, OnDrop, at_thread_exit, watchdog};

fn current_thread() -> Runtime {
    Flavour::CurrentThread.build()
}

/// Notes on which thread it is dropped; not `Send`.
struct Home {
    dropped_on: mpsc::Sender<ThreadId>,
    _not_send: PhantomData<Rc<()>>,
}

impl Home {
    fn new() -> (Self, mpsc::Receiver<ThreadId>) {
        let (sender, receiver) = mpsc::channel();
        (Self { dropped_on: sender, _not_send: PhantomData }, receiver)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.dropped_on.send(thread::current().id());
    }
}

#[test]
fn tasks_share_what_is_not_send() {
    let _watchdog = watchdog("");
    current_thread().block_on(async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..100)
            .map(|i| {
                let log = Rc::clone(&log);
                spawn_local(async move {
                    yield_now().await;
                    let inner = Rc::clone(&log);
                    spawn_local(async move { inner.borrow_mut().push(i) }).await.unwrap();
                    i
                })
            })
            .collect();
        for (i, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), i);
        }
        assert_eq!(log.borrow().len(), 100);
        assert_eq!(Rc::strong_count(&log), 1);
    });
}

#[test]
fn panics_aborts_and_wakes_of_other_threads_work_as_for_any_task() {
    let _watchdog = watchdog("");
    current_thread().block_on(async {
        let panics = spawn_local(async {
            let _rc = Rc::new(());
            yield_now().await;
            panic!("on purpose")
        });
        assert!(panics.await.unwrap_err().is_panic());

        let (home, dropped) = Home::new();
        let forever = spawn_local(async move {
            let _home = home;
            pending::<()>().await
        });
        yield_now().await;
        let abort = forever.abort_handle();
        thread::spawn(move || abort.abort()).join().unwrap();
        assert!(forever.await.unwrap_err().is_cancelled());
        assert_eq!(dropped.try_recv().unwrap(), thread::current().id());

        let (sender, receiver) = oneshot::channel();
        let waits = spawn_local(async move { (receiver.await.unwrap(), Rc::new(())).0 });
        thread::spawn(move || sender.send(7).unwrap());
        assert_eq!(waits.await.unwrap(), 7);
    });
}

#[test]
fn while_another_thread_drives_a_local_task_waits_for_its_own() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    let polled = Arc::new(Mutex::new(Vec::new()));
    let polls = Arc::clone(&polled);
    let (home, dropped) = Home::new();
    let task = runtime.spawn_local(async move {
        let _home = home;
        for _ in 0..3 {
            polls.lock().unwrap().push(thread::current().id());
            yield_now().await;
        }
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            runtime.block_on(async {
                for _ in 0..100 {
                    yield_now().await
                }
            })
        });
    });
    assert!(!task.is_finished());
    assert!(polled.lock().unwrap().is_empty());
    runtime.block_on(task).unwrap();
    assert_eq!(*polled.lock().unwrap(), [thread::current().id(); 3]);
    assert_eq!(dropped.try_recv().unwrap(), thread::current().id());
}

#[test]
fn a_task_begun_here_goes_on_here_after_others_have_driven() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    let (sender, receiver) = oneshot::channel();
    let (home, _dropped) = Home::new();
    let task = runtime.spawn_local(async move {
        let _home = home;
        receiver.await.unwrap()
    });
    runtime.block_on(yield_now());
    thread::scope(|scope| {
        scope.spawn(|| {
            runtime.block_on(async move {
                sender.send(3).unwrap();
                for _ in 0..100 {
                    yield_now().await
                }
            })
        });
    });
    assert_eq!(runtime.block_on(task).unwrap(), 3);
}

#[test]
fn a_future_is_dropped_at_home_whoever_ends_the_runtime() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    let (home, dropped) = Home::new();
    runtime.spawn_local(async move {
        let _home = home;
        pending::<()>().await
    });
    runtime.block_on(yield_now());
    thread::spawn(move || drop(runtime)).join().unwrap();
    assert!(dropped.try_recv().is_err(), "it waits until its thread comes home");
    // Any runtime will do.
    current_thread().block_on(async {});
    assert_eq!(dropped.try_recv().unwrap(), thread::current().id());
}

#[test]
fn a_thread_that_ends_drops_its_futures_panics_contained() {
    let _watchdog = watchdog("");
    let runtime = Arc::new(current_thread());
    let driver = Arc::clone(&runtime);
    let other = thread::spawn(move || {
        let (home, dropped) = Home::new();
        for token in [None, Some(OnDrop(|| panic!("on purpose")))] {
            driver.spawn_local(async move {
                let _token = token;
                pending::<()>().await
            });
        }
        driver.spawn_local(async move {
            let _home = home;
            pending::<()>().await
        });
        driver.block_on(yield_now());
        (thread::current().id(), dropped)
    });
    let (home, dropped) = other.join().unwrap();
    assert_eq!(dropped.recv_timeout(LIMIT).unwrap(), home);
    // Their tasks are still there, and go with the runtime.
    runtime.block_on(yield_now());
}

/// Its future is gone and nobody could ever poll it: who waits for it must not wait for ever.
#[test]
fn who_waits_for_a_task_whose_thread_has_ended_is_told() {
    let _watchdog = watchdog("");
    let runtime = Arc::new(current_thread());
    for began in [false, true] {
        let driver = Arc::clone(&runtime);
        let task = thread::spawn(move || {
            let task = driver.spawn_local(pending::<()>());
            if began {
                driver.block_on(yield_now());
            }
            task
        });
        let task = task.join().unwrap();
        assert!(runtime.block_on(task).unwrap_err().is_cancelled());
    }
}

#[test]
fn a_destructor_may_spawn_another_local_task() {
    let _watchdog = watchdog("");
    let ran = Rc::new(Cell::new(false));
    let token = {
        let ran = Rc::clone(&ran);
        OnDrop(move || {
            let ran = Rc::clone(&ran);
            drop(spawn_local(async move { ran.set(true) }));
        })
    };
    current_thread().block_on(async {
        let forever = spawn_local(async move {
            let _token = token;
            pending::<()>().await
        });
        yield_now().await;
        forever.abort();
        assert!(forever.await.unwrap_err().is_cancelled());
        yield_now().await;
    });
    assert!(ran.get());
}

#[test]
fn two_threads_that_take_turns_each_run_their_own() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let own = thread::current().id();
                    let rc = Rc::new(());
                    let task = runtime.spawn_local(poll_fn(move |_| {
                        let _here = &rc;
                        assert_eq!(thread::current().id(), own);
                        Poll::Ready(())
                    }));
                    barrier.wait();
                    // Who finds the seat taken gets it when the other leaves.
                    runtime.block_on(async {
                        while !task.is_finished() {
                            runtime::time::sleep(Duration::from_micros(50)).await;
                            if !task.is_finished() {
                                break; // the other one drives
                            }
                        }
                    });
                    runtime.block_on(yield_now());
                }
            });
        }
    });
    runtime.block_on(yield_now());
}

#[test]
fn a_set_takes_local_tasks_too() {
    let _watchdog = watchdog("");
    current_thread().block_on(async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut set = JoinSet::new();
        for n in 0..100 {
            let log = Rc::clone(&log);
            set.spawn_local(async move {
                yield_now().await;
                log.borrow_mut().push(n);
                n
            });
            set.spawn(async move { 100 + n });
        }
        let mut outputs = set.join_all().await;
        outputs.sort_unstable();
        assert_eq!(outputs, Vec::from_iter(0..200));
        assert_eq!(*log.borrow(), Vec::from_iter(0..100));

        let mut set = JoinSet::new();
        let (home, dropped) = Home::new();
        let endless = set.spawn_local(async move {
            let _home = home;
            pending::<()>().await
        });
        set.spawn_local(async { panic!("on purpose") });
        assert!(set.join_next().await.unwrap().unwrap_err().is_panic());
        endless.abort();
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        assert_eq!(dropped.recv().unwrap(), thread::current().id());

        let (home, dropped) = Home::new();
        set.spawn_local(async move {
            let _home = home;
            pending::<()>().await
        });
        yield_now().await;
        set.shutdown().await;
        assert_eq!(dropped.recv().unwrap(), thread::current().id());
    });
}

#[test]
fn misuse_panics_with_advice() {
    let _watchdog = watchdog("");
    let message = |f: &mut dyn FnMut()| {
        let panic = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap()
    };
    assert!(message(&mut || drop(spawn_local(async {}))).contains("Runtime::spawn_local"));
    let threads = Flavour::MultiThread(1).build();
    threads.block_on(async {
        assert!(message(&mut || drop(spawn_local(async {}))).contains("new_current_thread"));
    });
    assert!(message(&mut || drop(threads.spawn_local(async {}))).contains("new_current_thread"));
    assert!(message(&mut || drop(JoinSet::new().spawn_local(async {}))).contains("outside async"));
    // A thread of the pool for blocking work never drives.
    let runtime = current_thread();
    let job = runtime.spawn_blocking(|| drop(spawn_local(async {})));
    assert!(runtime.block_on(job).unwrap_err().is_panic());
    at_thread_exit(|| assert!(Handle::try_current().is_err()));
}
