//! An early return has another type than the signature says.

#[runtime::main]
async fn main() -> Result<(), String> {
    if std::env::args().count() > 7 {
        return Err(5);
    }
    Ok(())
}
