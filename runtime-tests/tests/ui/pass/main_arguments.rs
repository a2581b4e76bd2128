//! Every argument, in any order, with and without a comma at the end.

#[runtime::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // Not from in here: a runtime does not start inside a runtime.
    std::thread::spawn(|| {
        assert_eq!(current_thread(), 1);
        assert_eq!(nothing_but_a_comma(), 2);
        paused();
        assert_eq!(path(), 3);
        assert_eq!(from_a_macro(), 4);
    })
    .join()
    .unwrap();
}

#[runtime::main(flavor = "current_thread")]
async fn current_thread() -> u32 {
    1
}

#[runtime::main(worker_threads = 1_usize, )]
async fn nothing_but_a_comma() -> u32 {
    2
}

#[runtime::main(start_paused = true, flavor = "current_thread")]
async fn paused() {}

mod renamed {
    pub use runtime as rt;
}

#[runtime::main(crate = "crate::renamed::rt", worker_threads = 0x1)]
async fn path() -> u32 {
    3
}

macro_rules! entry {
    ($name:ident, $workers:literal, $output:ty, $body:block) => {
        #[runtime::main(worker_threads = $workers)]
        async fn $name() -> $output $body
    };
}

entry!(from_a_macro, 1, u32, { 4 });
