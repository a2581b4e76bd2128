#[runtime::main(flavor = "multi_thread", worker_threads = 1, flavor = "multi_thread")]
async fn main() {}

#[runtime::test(start_paused = true, start_paused = true)]
async fn test() {}
