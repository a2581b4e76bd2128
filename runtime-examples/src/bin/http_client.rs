//! An HTTP client with hyper: the body goes to standard output as it comes.
//!
//! ```text
//! cargo run -p runtime-examples --bin http_client http://127.0.0.1:8080/lines/10
//! cargo run -p runtime-examples --bin http_client -- --http2 --data hello http://127.0.0.1:8080/echo
//! ```

use std::io::Write;

use http_body_util::BodyExt;
use hyper::{Uri, Version};
use lexopt::prelude::*;
use runtime_examples::Error;
use runtime_examples::client::{Client, empty, full, request};

#[runtime::main]
async fn main() -> Result<(), Error> {
    let (mut version, mut data, mut url) = (Version::HTTP_11, None, None);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("http2") => version = Version::HTTP_2,
            Long("data") => data = Some(args.value()?.string()?),
            Value(value) => url = Some(value.string()?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let url = url.ok_or("a URL is needed")?;
    let uri: Uri = url.parse()?;
    let host = uri.host().ok_or("a URL with a host is needed")?;
    let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));

    let mut client = Client::connect(&address, version).await?;
    let response = client.send(request(&url, data.map_or_else(empty, full))?).await?;
    eprintln!("{:?} {}", response.version(), response.status());
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            std::io::stdout().write_all(data)?;
        }
    }
    Ok(())
}
