#[runtime::main(worker_threads = 2, flavor = "current_thread")]
async fn main() {}

// The default of a test is the current thread.
#[runtime::test(worker_threads = 2)]
async fn test() {}
