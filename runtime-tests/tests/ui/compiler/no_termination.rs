//! A type that cannot leave `main`.

#[runtime::main]
async fn main() -> u32 {
    4
}
