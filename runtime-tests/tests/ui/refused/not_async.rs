#[runtime::main]
fn main() {
    async {}.await;
}

#[runtime::test]
pub fn test() {}
