//! `?` in a function that returns nothing.

#[runtime::main]
async fn main() {
    std::fs::read("file")?;
}
