#[runtime::main(worker_thread = 2)]
async fn main() {}

#[runtime::main(current_thread)]
async fn flavor_alone() {}

#[runtime::main("current_thread")]
async fn value_alone() {}

#[runtime::main(tokio::flavor = "current_thread")]
async fn path() {}
