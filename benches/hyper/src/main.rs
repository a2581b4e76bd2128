//! One HTTP/1.1 server of hyper's, the same but for what it runs on; `scripts/hyper` measures it.
//!
//! ```text
//! hyper-hello runtime|tokio BYTES    # two workers; prints the port
//! ```
//!
//! Both have the options that their documentation recommends, and answer each request with the same
//! body of so many bytes. hyper gets no timer on either.

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use std::convert::Infallible;
use std::net::TcpListener;

type Answer = Result<Response<Full<Bytes>>, Infallible>;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let peer = arguments.next().unwrap_or_default();
    let size = arguments.next().and_then(|size| size.parse().ok()).unwrap_or(12);
    let body = Bytes::from(vec![b'x'; size]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.set_nonblocking(true).expect("a listener may be made so");
    println!("{}", listener.local_addr().expect("it is bound").port());
    match peer.as_str() {
        "runtime" => on_runtime(listener, body),
        "tokio" => on_tokio(listener, body),
        other => eprintln!("`{other}` is neither `runtime` nor `tokio`"),
    }
}

fn on_runtime(listener: TcpListener, body: Bytes) {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).build();
    runtime.expect("a runtime").block_on(async {
        let serve = async move {
            let listener = runtime::net::TcpListener::from_std(listener).expect("it listens");
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                runtime::spawn(connection(stream, body.clone()));
            }
        };
        let _ = runtime::spawn(serve).await;
    });
}

fn on_tokio(listener: TcpListener, body: Bytes) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build();
    runtime.expect("a runtime").block_on(async {
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection(hyper_util::rt::TokioIo::new(stream), body.clone()));
            }
        };
        let _ = tokio::spawn(serve).await;
    });
}

async fn connection<S>(stream: S, body: Bytes)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let answer = service_fn(|_: Request<Incoming>| {
        let body = body.clone();
        async move { Answer::Ok(Response::new(Full::new(body))) }
    });
    // A client that goes away in the middle is no news.
    let _ = http1::Builder::new().serve_connection(stream, answer).await;
}
