//! The last expression has another type than the signature says.

#[runtime::main]
async fn main() -> Result<(), String> {
    let count = 1;
    count + 1
}

#[runtime::test]
async fn test() -> Result<(), String> {
    "text"
}
