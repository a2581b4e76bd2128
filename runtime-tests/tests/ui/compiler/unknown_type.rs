//! A return type that does not exist.

#[runtime::main]
async fn main() -> Outcome {
    Ok(())
}
