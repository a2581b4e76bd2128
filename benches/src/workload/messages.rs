//! Messages between tasks, and between a task and what is not one.

use crate::cli::Plan;
use crate::meter::{Meter, Sample};
use crate::peer::{Foreign, Peer};
use crate::workload::tasks::Open;
use futures_channel::oneshot;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

pub fn run<P: Peer>(workload: &str, plan: Plan) {
    let meter = Meter::new(plan);
    match workload {
        "pairs" => P::run(pairs::<P>(meter)),
        "bounce-root" => P::block_on(async { bounce_root::<P>(meter).await.say() }),
        _ => {}
    }
}

/// What needs a runtime that other threads can reach.
pub fn run_foreign<P: Foreign>(workload: &str, plan: Plan) {
    let meter = Meter::new(plan);
    match workload {
        "spawn-foreign" => P::run(spawn_foreign::<P>(meter)),
        "bounce-foreign" => run_bounce_foreign::<P>(workload, plan),
        _ => {}
    }
}

/// What needs only wakers that other threads can call.
pub fn run_bounce_foreign<P: Peer>(workload: &str, plan: Plan) {
    if workload == "bounce-foreign" {
        P::run(bounce_foreign(Meter::new(plan)));
    }
}

async fn pairs<P: Peer>(mut meter: Meter) -> Sample {
    let open = Arc::new(Open::new());
    while meter.goes_on() {
        open.expect(1000);
        for _ in 0..1000 {
            let open = open.clone();
            P::spawn_detached(async move {
                let (there, arrives) = oneshot::channel();
                let (back, returns) = oneshot::channel();
                P::spawn_detached(async move {
                    arrives.await.expect("the other one sends");
                    back.send(()).expect("the other one waits");
                });
                there.send(()).expect("the other one waits");
                returns.await.expect("the other one sends");
                open.done();
            });
        }
        open.all_done().await;
        meter.add(1000);
    }
    meter.sample()
}

async fn bounce_root<P: Peer>(mut meter: Meter) -> Sample {
    let (here, there) = court();
    let partner = P::spawn(async move { while there.bounce().await {} });
    while meter.goes_on() {
        for _ in 0..100 {
            here.send(true);
            here.receive().await;
        }
        meter.add(100);
    }
    let sample = meter.sample();
    here.send(false);
    partner.await;
    sample
}

async fn bounce_foreign(mut meter: Meter) -> Sample {
    let (here, there) = court();
    let partner = thread::spawn(move || while block_on(there.bounce()) {});
    while meter.goes_on() {
        for _ in 0..100 {
            here.send(true);
            here.receive().await;
        }
        meter.add(100);
    }
    let sample = meter.sample();
    here.send(false);
    partner.join().expect("it does not panic");
    sample
}

async fn spawn_foreign<P: Foreign>(mut meter: Meter) -> Sample {
    let handle = P::handle();
    let (finished, result) = oneshot::channel();
    thread::spawn(move || {
        let open = Arc::new(Open::new());
        while meter.goes_on() {
            open.expect(1000);
            for _ in 0..1000 {
                let open = open.clone();
                P::spawn_through(&handle, async move { open.done() });
            }
            block_on(open.all_done());
            meter.add(1000);
        }
        finished.send(meter.sample()).expect("the task waits");
    });
    result.await.expect("the thread sends")
}

/// The two sides that bounce a message.
fn court() -> (Side, Side) {
    let (one, other) = (Arc::new(Mailbox::default()), Arc::new(Mailbox::default()));
    (Side { mine: one.clone(), theirs: other.clone() }, Side { mine: other, theirs: one })
}

struct Side {
    mine: Arc<Mailbox>,
    theirs: Arc<Mailbox>,
}

/// Room for a message, and who waits for it.
#[derive(Default)]
struct Mailbox(Mutex<(Option<bool>, Option<Waker>)>);

impl Side {
    fn send(&self, message: bool) {
        let mut mailbox = self.theirs.0.lock().expect("no panic");
        mailbox.0 = Some(message);
        let waiter = mailbox.1.take();
        drop(mailbox);
        waiter.into_iter().for_each(Waker::wake);
    }

    async fn receive(&self) -> bool {
        poll_fn(|cx| {
            let mut mailbox = self.mine.0.lock().expect("no panic");
            match mailbox.0.take() {
                Some(message) => Poll::Ready(message),
                None => {
                    mailbox.1 = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Waits for a message and sends it back, unless it says that this was the last.
    async fn bounce(&self) -> bool {
        let goes_on = self.receive().await;
        if goes_on {
            self.send(true);
        }
        goes_on
    }
}

/// What a thread does that has no runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
