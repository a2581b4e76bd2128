#[runtime::main]
async fn main(count: u32, name: &str) {
    println!("{count} {name}");
}

#[runtime::test]
async fn test(count: u32) {
    println!("{count}");
}
