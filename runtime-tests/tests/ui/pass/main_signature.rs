//! Attributes and visibility stay; names in the body are the user's.

#![deny(warnings)]

struct Array<const N: usize>([u8; N]);

mod inner {
    use super::Array;

    /// Documented.
    #[allow(unused_variables)]
    #[runtime::main]
    #[must_use]
    pub(crate) async fn visible() -> Array<{ 2 + 1 }> {
        #![allow(unused_mut)]
        let mut unused = 1;
        let root = Array([0; 3]);
        let name = root;
        name
    }

    #[cfg(any())]
    #[runtime::main]
    async fn left_out() {
        does_not_exist()
    }
}

#[runtime::main]
async fn main() {
    let bytes = std::thread::spawn(inner::visible).join().unwrap();
    assert_eq!(bytes.0, [0; 3]);
    // Inside, the function is the async one.
    if bytes.0[0] == 1 {
        Box::pin(main()).await;
    }
}
