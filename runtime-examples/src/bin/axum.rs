//! An axum `Router` without `axum::serve`, which wants tokio: a router is a `tower` service, and hyper
//! serves any.
//!
//! ```text
//! cargo run -p runtime-examples --bin axum 127.0.0.1:8081   # then look at it with a browser
//! cargo run -p runtime-examples --bin axum                  # serves and tests itself
//! ```

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::channel::oneshot;
use futures::stream;
use http_body_util::BodyExt;
use hyper::{Version, header};
use hyper_util::service::TowerToHyperService;
use runtime::net::TcpListener;
use runtime::time::sleep;
use runtime_examples::Error;
use runtime_examples::client::{Client, full, request};
use runtime_examples::serve::{Limits, serve};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Numbers {
    numbers: Vec<f64>,
}

#[derive(Serialize)]
struct Sum {
    sum: f64,
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route(
            "/hello/{name}",
            get(|Path(name): Path<String>| async move { format!("hello {name}\n") }),
        )
        .route("/sum", post(sum))
        .route("/ticks/{count}", get(ticks))
}

async fn sum(Json(Numbers { numbers }): Json<Numbers>) -> Json<Sum> {
    Json(Sum { sum: numbers.iter().sum() })
}

/// A line now and then, each sent when it is made.
async fn ticks(Path(count): Path<u32>) -> impl IntoResponse {
    let ticks = stream::unfold(0, move |at| async move {
        if at == count {
            return None;
        }
        sleep(Duration::from_millis(100)).await;
        Some((Ok::<_, Infallible>(Bytes::from(format!("tick {at}\n"))), at + 1))
    });
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(ticks))
}

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<title>axum on runtime</title>
<style>body { font: 16px sans-serif; margin: 3em } pre { background: #eee; padding: 1em }</style>
<h1>axum on runtime</h1>
<p>1 + 2 + 39 = <b id="sum">?</b>
<pre id="ticks"></pre>
<script>
fetch('/sum', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ numbers: [1, 2, 39] })
}).then(answer => answer.json()).then(({ sum }) => document.querySelector('#sum').textContent = sum)
fetch('/ticks/5').then(async answer => {
    const text = answer.body.pipeThrough(new TextDecoderStream())
    for await (const chunk of text) document.querySelector('#ticks').textContent += chunk
    document.title = 'done'
})
</script>
"#;

#[runtime::main]
async fn main() -> Result<(), Error> {
    let Some(address) = std::env::args().nth(1) else { return test().await };
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    let stop = async {
        let _ = runtime::signal::ctrl_c().await;
    };
    Ok(serve(listener, TowerToHyperService::new(router()), Limits::default(), stop).await?)
}

async fn test() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let service = TowerToHyperService::new(router());
    let server = runtime::spawn(serve(listener, service, Limits::default(), async {
        let _ = stopped.await;
    }));
    let url = |path: &str| format!("http://{address}{path}");

    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut client = Client::connect(&address, version).await?;
        assert_eq!(client.get(&url("/hello/w%C3%B6rld")).await?, (200, "hello wörld\n".into()));
        assert!(client.get(&url("/")).await?.1.starts_with(b"<!doctype html>"));
        assert_eq!(client.get(&url("/nowhere")).await?.0, 404);

        let json = |text: &'static str| -> Result<_, Error> {
            let mut request = request(&url("/sum"), full(text))?;
            let json = header::HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
            Ok(request)
        };
        let response = client.send(json(r#"{ "numbers": [1, 2, 39] }"#)?).await?;
        assert_eq!(response.collect().await?.to_bytes(), r#"{"sum":42.0}"#);
        assert_eq!(client.send(json("{ nonsense")?).await?.status(), 400);

        // The first tick is here long before the last is made.
        let response = client.send(request(&url("/ticks/3"), full(""))?).await?;
        let mut body = response.into_body();
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            // HTTP/2 may end with an empty one.
            frames.extend(frame?.into_data().ok().filter(|data| !data.is_empty()));
        }
        assert_eq!(frames, ["tick 0\n", "tick 1\n", "tick 2\n"]);
        println!("{version:?}: JSON, path parameters, a page, a stream");
    }
    drop(stop);
    Ok(server.await??)
}
