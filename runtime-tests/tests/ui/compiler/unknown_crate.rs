//! A path that leads nowhere is reported at the path.

#[runtime::main(crate = "nowhere::runtime")]
async fn main() {}
