#[runtime::main]
async unsafe fn main() {}

#[runtime::main]
async extern "C" fn foreign() {}

#[runtime::main]
const async fn constant() {}
