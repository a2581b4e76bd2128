//! An HTTP server with hyper: HTTP/1.1 and 2 on one port, keep-alive, bodies that stream both ways,
//! limits on time, and an end in good order at ctrl-c.
//!
//! ```text
//! cargo run -p runtime-examples --bin http 127.0.0.1:8080   # then: curl -d hello localhost:8080/echo
//! cargo run -p runtime-examples --bin http                  # serves and tests itself
//! ```

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use runtime::io::{Read, Write};
use runtime::net::{TcpListener, TcpStream};
use runtime::time::timeout;
use runtime_examples::Error;
use runtime_examples::client::{Client, full, request};
use runtime_examples::serve::{Limits, serve};

type Body = BoxBody<Bytes, Error>;

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let number = |prefix| path.strip_prefix(prefix).and_then(|rest: &str| rest.parse().ok());
    let body = match (request.method(), path.as_str()) {
        (&Method::GET, "/") => text("hello\n"),
        // As it comes in it goes out; who does not read gets no more to read.
        (&Method::POST, "/echo") => request.into_body().map_err(Error::from).boxed(),
        (&Method::POST, "/size") => match size(request.into_body()).await {
            Ok(size) => text(format!("{size}\n")),
            Err(error) => return Ok(status(StatusCode::BAD_REQUEST, error.to_string())),
        },
        (&Method::GET, _) => {
            if let Some(lines) = number("/lines/") {
                let line = |at: u64| Bytes::from(format!("line {at}\n"));
                stream_of(lines, line)
            } else if let Some(blocks) = number("/blocks/") {
                stream_of(blocks, |_| Bytes::from_static(&[b'x'; 64 << 10]))
            } else {
                return Ok(status(StatusCode::NOT_FOUND, "not here\n".into()));
            }
        }
        _ => return Ok(status(StatusCode::METHOD_NOT_ALLOWED, "not so\n".into())),
    };
    Ok(Response::new(body))
}

fn text(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}

fn status(status: StatusCode, why: String) -> Response<Body> {
    let mut response = Response::new(text(why));
    *response.status_mut() = status;
    response
}

/// A body that is made while it is sent, and no faster.
fn stream_of(count: u64, chunk: impl Fn(u64) -> Bytes + Send + Sync + 'static) -> Body {
    let chunks = (0..count).map(move |at| Ok(Frame::data(chunk(at))));
    BodyExt::boxed(StreamBody::new(stream::iter(chunks)))
}

async fn size(mut body: Incoming) -> Result<u64, hyper::Error> {
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        size += frame?.data_ref().map_or(0, Bytes::len) as u64;
    }
    Ok(size)
}

#[runtime::main]
async fn main() -> Result<(), Error> {
    let Some(address) = std::env::args().nth(1) else { return test().await };
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    let stop = async {
        let _ = runtime::signal::ctrl_c().await;
        println!("stopping");
    };
    serve(listener, service_fn(answer), Limits::default(), stop).await?;
    println!("every request was answered");
    Ok(())
}

// ---------------------------------------------------------------- the test

async fn test() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let limits = Limits { header: Duration::from_millis(300), ..Limits::default() };
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = stopped.await;
    };
    let server = runtime::spawn(serve(listener, service_fn(answer), limits, stopped));
    let url = |path: &str| format!("http://{address}{path}");

    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut client = Client::connect(&address, version).await?;
        for _ in 0..3 {
            assert_eq!(client.get(&url("/")).await?, (200, "hello\n".into()));
        }
        assert_eq!(client.get(&url("/nowhere")).await?.0, 404);
        let (_, lines) = client.get(&url("/lines/1000")).await?;
        assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 1000);
        let (_, blocks) = client.get(&url("/blocks/100")).await?;
        assert_eq!(blocks.len(), 100 << 16);
        let large = Bytes::from(vec![7; 3 << 20]);
        let echoed = client.send(request(&url("/echo"), full(large.clone()))?).await?;
        assert!(echoed.collect().await?.to_bytes() == large);
        let sized = client.send(request(&url("/size"), full(large))?).await?;
        assert_eq!(sized.collect().await?.to_bytes(), "3145728\n");
        println!("{version:?}: requests on one connection, streams both ways");
    }

    // One who says nothing, one who never ends, one who speaks no HTTP, one who asks and then keeps
    // the connection: it ends.
    let asks = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for said in ["", "P", "GET / HTTP/1.1\r\nHost: x\r\n", "\0\x01 nonsense\r\n\r\n", asks] {
        let mut stream = TcpStream::connect(&*address).await?;
        stream.write_all(said.as_bytes()).await?;
        let mut answer = Vec::new();
        let end = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        assert!(end.is_ok(), "{said:?} is waited for"); // a reset is an end, too
        assert_eq!(answer.starts_with(b"HTTP/1.1 200"), said == asks, "{said:?}");
    }
    println!("silent, slow, malformed and idle: ended within the limit");

    // What is under way when the server stops is answered in full; nobody new is let in.
    let mut client = Client::connect(&address, Version::HTTP_11).await?;
    let response = client.send(request(&url("/blocks/100"), full(""))?).await?;
    drop(stop);
    assert_eq!(response.collect().await?.to_bytes().len(), 100 << 16);
    server.await??;
    assert!(TcpStream::connect(&*address).await.is_err());
    println!("stopped after the last answer");
    Ok(())
}
