//! The attributes `#[runtime::main]` and `#[runtime::test]`.
