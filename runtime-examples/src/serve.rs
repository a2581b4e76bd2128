//! An HTTP/1.1 and HTTP/2 server around any service: the loop that `axum::serve` would be.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{Either, select};
use hyper::body::{Body, Incoming};
use hyper::service::{HttpService, service_fn};
use hyper::{Request, Response};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use runtime::compat::{HyperExecutor, HyperTimer};
use runtime::net::{TcpListener, TcpStream};
use runtime::time::timeout;

use crate::Error;

/// How patient a server is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long the header of a request may take, and how long a connection may say nothing at all.
    pub header: Duration,
    /// How long requests may go on after the server was told to stop.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { header: Duration::from_secs(10), shutdown: Duration::from_secs(5) }
    }
}

/// Serves until `stop`, then lets the requests that are under way end.
///
/// # Errors
///
/// `TimedOut` if not all of them did within the limit.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: HttpService<Incoming, ResBody = B> + Clone + Send + 'static,
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error: Into<Error>>,
    S: hyper::service::Service<Request<Incoming>, Future: Send + 'static>,
    B: Body<Data: Send, Error: Into<Error>> + Send + 'static,
{
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        match select(pin!(listener.accept()), stop.as_mut()).await {
            Either::Left((Ok((stream, _)), _)) => {
                let connection = connection(stream, service.clone(), limits, &connections);
                runtime::spawn(connection);
            }
            // Too many open files, say. The next `accept` waits until it makes sense.
            Either::Left((Err(error), _)) => eprintln!("cannot accept: {error}"),
            Either::Right(_) => break,
        }
    }
    drop(listener);
    timeout(limits.shutdown, connections.shutdown()).await.map_err(io::Error::from)
}

/// One connection, to its end. Errors are the peer's affair and end nothing else.
fn connection<S, B>(
    stream: TcpStream,
    service: S,
    limits: Limits,
    connections: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<S, B>
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error: Into<Error>>,
    S: hyper::service::Service<Request<Incoming>, Future: Send + 'static> + Send + 'static,
    B: Body<Data: Send, Error: Into<Error>> + Send + 'static,
{
    let watcher = connections.watcher();
    async move {
        let _ = stream.set_nodelay(true);
        let mut builder = auto::Builder::new(HyperExecutor::current());
        // Without a timer the limit on headers is silently off.
        builder.http1().timer(HyperTimer).header_read_timeout(limits.header);
        builder.http2().timer(HyperTimer).keep_alive_interval(Duration::from_secs(20));

        // What hyper-util does to tell the two versions apart has no limit, so it gets ours.
        let has_begun = Arc::new(AtomicBool::new(false));
        let begun = Arc::clone(&has_begun);
        let service = service_fn(move |request| {
            // Ordering: Relaxed: a flag of one task.
            begun.store(true, Ordering::Relaxed);
            service.call(request)
        });
        let connection = builder.serve_connection_with_upgrades(stream, service).into_owned();
        let mut connection = pin!(watcher.watch(connection));
        let is_over = timeout(limits.header, connection.as_mut()).await.is_ok();
        // Ordering: as above.
        if !is_over && has_begun.load(Ordering::Relaxed) {
            let _ = connection.await;
        }
    }
}
