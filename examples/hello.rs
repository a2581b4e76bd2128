//! The smallest program: tasks that run side by side, and their results.
//!
//! ```text
//! cargo run --example hello
//! ```
//!
//! It prints one line for each task, in the order in which they finish, and then what they
//! returned, in the order in which they were asked.

#[runtime::main]
async fn main() {
    // `spawn` starts a task at once. What comes back is the way to its result.
    let tasks: Vec<_> = (1..=5).map(|number| runtime::spawn(greet(number))).collect();

    let mut lengths = Vec::new();
    for task in tasks {
        // An error would mean that the task panicked or was aborted: neither ends the program.
        lengths.push(task.await.expect("greeting does not panic"));
    }
    println!("lengths: {lengths:?}");
}

async fn greet(number: usize) -> usize {
    // Lets others run first. Real tasks wait for sockets, pipes and timers.
    for _ in 0..number % 3 {
        runtime::task::yield_now().await;
    }
    let greeting = format!("hello from task {number}");
    println!("{greeting}");
    greeting.len()
}
