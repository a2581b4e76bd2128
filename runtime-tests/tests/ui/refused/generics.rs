#[runtime::main]
async fn main<T: Default, const N: usize>() {
    let _ = T::default();
}

#[runtime::main]
async fn bounded() -> String
where
    String: Clone,
{
    String::new()
}
