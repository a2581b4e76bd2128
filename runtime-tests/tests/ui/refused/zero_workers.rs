#[runtime::main(worker_threads = 0)]
async fn main() {}

#[runtime::main(worker_threads = 0x0_0usize)]
async fn other_zero() {}
