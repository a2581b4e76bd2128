use std::process::ExitCode;

#[runtime::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ExitCode::SUCCESS
}
