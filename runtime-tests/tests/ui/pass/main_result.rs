use std::error::Error;

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let number: u32 = "42".parse()?;
    assert_eq!(number, 42);
    Ok(())
}
