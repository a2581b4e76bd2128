//! The root future stays on its thread.

use std::rc::Rc;

#[runtime::main]
async fn main() {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    assert_eq!(*shared, 1);
}
