//! A program whose `main` returns what its argument asks for; `suite/attributes.rs` runs it.

#[runtime::main(worker_threads = 1)]
async fn main() -> Result<(), String> {
    match std::env::args().nth(1).as_deref() {
        Some("err") => Err("as asked".to_owned()),
        Some("panic") => panic!("as asked"),
        _ => Ok(()),
    }
}
