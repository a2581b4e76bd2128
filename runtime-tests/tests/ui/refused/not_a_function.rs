#[runtime::main]
struct Main;

#[runtime::main]
mod inner {}

trait Trait {
    #[runtime::main]
    async fn without_a_body();
}

fn main() {}
