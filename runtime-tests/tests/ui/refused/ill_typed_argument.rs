#[runtime::main(flavor = multi_thread)]
async fn flavor_without_quotes() {}

#[runtime::main(flavor = "threaded")]
async fn flavor_unknown() {}

#[runtime::main(worker_threads = "2")]
async fn workers_in_quotes() {}

#[runtime::main(worker_threads = -1)]
async fn workers_negative() {}

#[runtime::main(worker_threads = 1.5)]
async fn workers_broken() {}

#[runtime::main(worker_threads = 99999999999999999999)]
async fn workers_absurd() {}

#[runtime::test(start_paused = 1)]
async fn paused_number() {}

#[runtime::main(crate = crate::rt)]
async fn path_without_quotes() {}

#[runtime::main(crate = "not a path")]
async fn no_path() {}

#[runtime::main(crate = "")]
async fn empty_path() {}

#[runtime::main(flavor)]
async fn no_value() {}

#[runtime::main(flavor =)]
async fn no_value_either() {}

#[runtime::main(flavor: "multi_thread")]
async fn wrong_sign() {}

#[runtime::main(worker_threads = 2 start_paused = true)]
async fn no_comma() {}

fn main() {}
