//! A value where the signature promises none.

#[runtime::main]
async fn main() {
    Ok::<(), String>(())
}
