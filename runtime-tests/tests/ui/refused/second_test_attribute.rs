#[runtime::test]
#[test]
async fn std_test() {}

#[runtime::test]
#[runtime::test]
async fn twice() {}

#[runtime::test]
#[::core::prelude::v1::test]
async fn long_name() {}

fn main() {}
