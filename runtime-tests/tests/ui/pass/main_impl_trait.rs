use std::process::{ExitCode, Termination};

#[runtime::main]
async fn main() -> impl Termination {
    ExitCode::SUCCESS
}
