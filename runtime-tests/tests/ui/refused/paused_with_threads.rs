#[runtime::main(start_paused = true)]
async fn main() {}

#[runtime::test(start_paused = true, flavor = "multi_thread")]
async fn test() {}

// Nothing is wrong with saying what is so anyway.
#[runtime::main(start_paused = false)]
async fn not_paused() {}
