//! A semicolon too much.

#[runtime::main]
async fn main() -> Result<(), String> {
    Ok(());
}
