//! The design that most Rust servers of this kind have: one tokio broadcast channel for each symbol, one task for each
//! subscription, `actix_ws::Session::text` for each event.

use std::{sync::Arc, thread, time::Duration};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use actix_ws::AggregatedMessage;
use futures_util::StreamExt as _;
use tokio::sync::broadcast::{self, Sender, error::RecvError};

use crate::{market::Market, run::asked};

type Channels = Arc<Vec<Sender<String>>>;

pub(crate) fn serve(mut market: Market) -> anyhow::Result<()> {
    let channels: Channels = Arc::new((0..market.symbols()).map(|_| broadcast::channel(1_024).0).collect());
    let feed = Arc::clone(&channels);
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_millis(1));
            market.release(|symbol, text| {
                // Without a listener it fails, which does not matter.
                let _nobody = feed[symbol].send(text.to_owned());
            });
        }
    });
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::new(Arc::clone(&channels))).route("/v1/ws", web::get().to(upgrade))
        })
        .workers(1)
        .backlog(4_096)
        .max_connections(30_000)
        .max_connection_rate(10_000)
        .on_connect(|stream, _| {
            if let Some(stream) = stream.downcast_ref::<actix_web::rt::net::TcpStream>() {
                let _nodelay = stream.set_nodelay(true);
            }
        })
        .bind("127.0.0.1:0")?;
        crate::process::ready(server.addrs()[0].port());
        server.run().await?;
        Ok(())
    })
}

async fn upgrade(
    request: HttpRequest,
    body: web::Payload,
    channels: web::Data<Channels>,
) -> actix_web::Result<HttpResponse> {
    let (response, session, messages) = actix_ws::handle(&request, body)?;
    let mut messages = messages.aggregate_continuations();
    actix_web::rt::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            if let AggregatedMessage::Text(text) = message {
                for symbol in asked(text.as_bytes()) {
                    let (mut events, mut session) = (channels[symbol].subscribe(), session.clone());
                    actix_web::rt::spawn(async move {
                        loop {
                            match events.recv().await {
                                Ok(text) => {
                                    if session.text(text).await.is_err() {
                                        break;
                                    }
                                }
                                Err(RecvError::Lagged(_)) => {}
                                Err(RecvError::Closed) => break,
                            }
                        }
                    });
                }
            }
        }
    });
    Ok(response)
}
