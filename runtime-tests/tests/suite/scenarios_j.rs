//! Scenarios J of the list of what bit others: the cooperative budget.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, join3, select};
use futures::stream::FuturesUnordered;
use runtime::io::{Read, ReadyWrite, Write};
use runtime::task::coop::{consume_budget, has_budget_remaining, unconstrained};
use runtime::task::yield_now;
use runtime::time::{sleep, timeout};
use runtime_tests::rig::{Count, FLAVOURS, Flavour, each_flavour, on_each_flavour, watchdog};

/// Units that the current poll has left; a new poll begins after it.
async fn units_left() -> usize {
    let mut units = 0;
    while has_budget_remaining() {
        consume_budget().await;
        units += 1;
    }
    yield_now().await;
    units
}

/// Gives way, and so begins a poll with a full budget.
async fn new_poll() {
    yield_now().await;
}

#[test]
fn j02_an_operation_that_waits_costs_nothing() {
    each_flavour(|runtime, _| {
        let left = runtime.spawn(async {
            let (mut ours, mut theirs) = runtime::io::duplex(16);
            let (mut socket, _peer) = runtime::net::UnixStream::pair().unwrap();
            let forever = runtime::spawn(pending::<()>());
            let mut join = pin!(forever);
            new_poll().await;
            poll_fn(|cx| {
                for _ in 0..100 {
                    let mut byte = [0];
                    assert!(pin!(ours.read(&mut byte)).poll(cx).is_pending());
                    assert!(pin!(socket.read(&mut byte)).poll(cx).is_pending());
                    assert!(pin!(sleep(Duration::from_secs(60))).poll(cx).is_pending());
                    assert!(join.as_mut().poll(cx).is_pending());
                }
                Poll::Ready(())
            })
            .await;
            let left = units_left().await;
            theirs.write_all(&[1]).await.unwrap();
            join.abort();
            left
        });
        assert_eq!(runtime.block_on(left).unwrap(), 128);
    });
}

/// Runs an operation in a poll of its own, and says how many units it cost.
async fn cost(operation: impl AsyncFnOnce()) -> usize {
    new_poll().await;
    operation().await;
    128 - units_left().await
}

#[test]
fn j02_an_operation_that_has_nothing_to_do_costs_a_unit() {
    /// Through the traits, and what the future is made of.
    async fn of_a_writer(mut writer: impl ReadyWrite) {
        assert_eq!(cost(async || writer.write(b"").await.map(drop).unwrap()).await, 1);
        assert_eq!(cost(async || writer.flush().await.unwrap()).await, 1);
        assert_eq!(cost(async || _ = writer.non_blocking_flush().unwrap()).await, 1);
        assert_eq!(cost(async || writer.shutdown().await.unwrap()).await, 1);
        assert_eq!(cost(async || _ = writer.non_blocking_shutdown().unwrap()).await, 1);
    }
    each_flavour(|runtime, _| {
        let task = runtime.spawn(async {
            let (ours, mut theirs) = runtime::io::duplex(16);
            of_a_writer(ours).await;
            of_a_writer(runtime::io::simplex(16).1).await;
            of_a_writer(Vec::new()).await;
            of_a_writer(runtime::io::sink()).await;
            of_a_writer(runtime::io::empty()).await;
            of_a_writer(runtime::net::UnixStream::pair().unwrap().0).await;

            // The peer has gone, and there is nothing to take or give.
            let nothing = &mut bytes::Bytes::new();
            assert_eq!(cost(async || theirs.read_bytes(0).await.map(drop).unwrap()).await, 1);
            assert_eq!(cost(async || drop(theirs.try_read_bytes(0).unwrap())).await, 1);
            assert_eq!(
                cost(async || drop(theirs.write_bytes(nothing).await.unwrap_err())).await,
                1
            );
            // And whoever does it in a loop gives way.
            for _ in 0..10 {
                while has_budget_remaining() {
                    theirs.read_bytes(0).await.unwrap();
                }
                let mut next = pin!(theirs.read_bytes(0));
                assert!(futures::poll!(next.as_mut()).is_pending());
                assert!(next.await.unwrap().is_empty());
            }
        });
        runtime.block_on(task).unwrap();
    });
}

#[test]
fn j03_a_budget_that_runs_out_inside_select_and_join_blocks_nobody() {
    on_each_flavour(|| async {
        let task = runtime::spawn(async {
            let burn = || async {
                for _ in 0..1_000 {
                    consume_budget().await;
                }
            };
            join3(burn(), burn(), burn()).await;
            // The timer is asked first each time. Behind a branch that spends every budget it would
            // not be: who writes that has to give the other one a turn.
            let timer = pin!(sleep(Duration::from_millis(5)));
            let busy = pin!(async {
                loop {
                    consume_budget().await;
                }
            });
            match select(timer, busy).await {
                Either::Left(_) => (),
                Either::Right(((), _)) => unreachable!(),
            }
        });
        task.await.unwrap();
    });
}

#[test]
fn j03_timers_and_sockets_of_others_go_on_beside_branches_that_never_wait() {
    on_each_flavour(|| async {
        let (mut ours, mut theirs) = runtime::net::UnixStream::pair().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let reader = {
            let stop = Arc::clone(&stop);
            runtime::spawn(async move {
                ours.read_exact(&mut [0]).await.unwrap();
                stop.store(true, Ordering::Relaxed);
                ours
            })
        };
        let writer = runtime::spawn(async move {
            sleep(Duration::from_millis(5)).await;
            theirs.write_all(&[7]).await.unwrap();
            theirs
        });
        let busy = || async {
            while !stop.load(Ordering::Relaxed) {
                consume_budget().await;
            }
        };
        join3(busy(), busy(), busy()).await;
        reader.await.unwrap();
        writer.await.unwrap();
        // And a timeout around them fires, whatever they spend.
        let forever = async {
            loop {
                consume_budget().await;
            }
        };
        assert!(timeout(Duration::from_millis(5), forever).await.is_err());
    });
}

#[test]
fn j04_outside_a_task_there_is_no_budget() {
    each_flavour(|runtime, _| {
        let job = runtime.spawn_blocking(|| {
            futures::executor::block_on(async {
                for _ in 0..1_000 {
                    consume_budget().await;
                    assert!(has_budget_remaining());
                }
            });
            // Under another runtime's `block_on` nothing blocks.
            runtime::Handle::current().block_on(async {
                for _ in 0..1_000 {
                    consume_budget().await;
                }
            });
            has_budget_remaining()
        });
        assert!(runtime.block_on(job).unwrap());
        runtime.block_on(async {
            for _ in 0..100_000 {
                consume_budget().await;
            }
        });
        assert!(has_budget_remaining());
        // In a plain thread, with objects of the runtime.
        let task = runtime.spawn(async { 7 });
        assert!(has_budget_remaining());
        assert_eq!(runtime.block_on(task).unwrap(), 7);
    });
}

#[test]
fn j05_a_chain_of_run_next_tasks_shares_one_budget() {
    let _watchdog = watchdog("");
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(1)] {
        let runtime = flavour.build();
        let units = runtime.spawn(async {
            new_poll().await;
            for _ in 0..20 {
                consume_budget().await;
            }
            // Each spends ten and makes the next: 128 - 20, then 11 a link.
            let mut links = vec![];
            let last = runtime::spawn(async {
                for _ in 0..10 {
                    consume_budget().await;
                }
                runtime::spawn(async { units_left().await }).await.unwrap()
            });
            links.push(last.await.unwrap());
            links
        });
        let units = runtime.block_on(units).unwrap();
        assert_eq!(units, [128 - 20 - 1 - 10 - 1], "{flavour:?}");
    }
}

#[test]
fn j06_a_budget_is_full_after_a_panic_an_abort_and_an_enter() {
    each_flavour(|runtime, _| {
        let burn = || async {
            for _ in 0..100 {
                consume_budget().await;
            }
        };
        let panics = runtime.spawn(async move {
            burn().await;
            panic!("on purpose");
        });
        assert!(runtime.block_on(panics).is_err());
        assert_eq!(runtime.block_on(runtime.spawn(async { fresh().await })).unwrap(), 128);
        let aborted = runtime.spawn(async move {
            burn().await;
            pending::<()>().await
        });
        runtime.block_on(yield_now());
        aborted.abort();
        assert!(runtime.block_on(aborted).is_err());
        assert_eq!(runtime.block_on(runtime.spawn(async { fresh().await })).unwrap(), 128);
        // What happens in another runtime's guard, and while unconstrained, leaves it as it was.
        let other = Flavour::CurrentThread.build();
        let handle = other.handle().clone();
        let left = runtime.spawn(async move {
            new_poll().await;
            burn().await;
            {
                let _inside = handle.enter();
                assert!(has_budget_remaining());
            }
            unconstrained(async {
                for _ in 0..1_000 {
                    consume_budget().await;
                }
                assert!(has_budget_remaining());
            })
            .await;
            units_left().await
        });
        assert_eq!(runtime.block_on(left).unwrap(), 28);
        assert!(has_budget_remaining());
    });
}

async fn fresh() -> usize {
    new_poll().await;
    units_left().await
}

#[test]
fn j07_many_futures_in_one_task_are_not_polled_over_and_over() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let polls = Count::new();
        let counted = polls.clone();
        let task = runtime.spawn(async move {
            let mut all: FuturesUnordered<_> = (0..10_000)
                .map(|_| {
                    let polls = counted.clone();
                    let mut unit = Box::pin(consume_budget());
                    poll_fn(move |cx| {
                        polls.add();
                        unit.as_mut().poll(cx)
                    })
                })
                .collect();
            while all.next().await.is_some() {}
        });
        runtime.block_on(task).unwrap();
        assert!(polls.get() <= 40_000, "{flavour:?}: {} polls", polls.get());
    }
}

#[test]
fn j08_loops_that_compute_give_way_through_the_hatches() {
    each_flavour(|runtime, flavour| {
        for hatch in ["consume_budget", "yield_now", "cooperative"] {
            let neighbour_ran = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&neighbour_ran);
            let task = runtime.spawn(async move {
                let noted = Arc::clone(&seen);
                // Behind this one, on the same worker, or on another one.
                let neighbour = runtime::spawn(async move { noted.store(true, Ordering::Relaxed) });
                let mut steps = 0_u32;
                while !seen.load(Ordering::Relaxed) {
                    match hatch {
                        "consume_budget" => consume_budget().await,
                        "yield_now" => yield_now().await,
                        _ => runtime::task::coop::cooperative(async {}).await,
                    }
                    steps += 1;
                    assert!(steps < 10_000_000, "{flavour:?}: {hatch} never gives way");
                }
                for _ in 0..20_000 {
                    consume_budget().await;
                }
                neighbour.await.unwrap();
            });
            runtime.block_on(task).unwrap();
        }
    });
}
