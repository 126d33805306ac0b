//! Registers an instance and keeps it registered, whatever happens to the nodes, until Ctrl-C:
//!
//! ```text
//! cargo run --example register -- 127.0.0.1:8848,127.0.0.2:8848 orders 10.1.1.7:80
//! ```

use std::error::Error;

use distro_node::client::{Client, Event, Instance};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [servers, service, place] = arguments.as_slice() else {
        return Err("usage: register SERVER,.. SERVICE IP:PORT".into());
    };
    let (ip, port) = place.rsplit_once(':').ok_or("an instance is IP:PORT")?;

    let client = Client::builder()
        .servers(servers.split(','))
        .app("example-register")
        .connect()
        .await?;
    let mut events = client.events();
    client
        .register(service, Instance::new(ip, port.parse()?))
        .await?;
    println!("{place} is registered as {service} until Ctrl-C");

    // Nothing has to be done about a lost node: this only tells what the client does by itself.
    loop {
        tokio::select! {
            biased;
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                break;
            }
            event = events.next() => match event {
                Some(Event::Connected { server }) => println!("connected to {server}"),
                Some(Event::Disconnected { server }) => println!("lost {server}"),
                Some(Event::Registered { service, redo: true }) => {
                    println!("{place} is registered as {service} again");
                }
                Some(Event::Registered { .. } | Event::Missed(_)) => {}
                None => return Err("the client ended".into()),
            },
        }
    }
    client.close().await?;
    println!("{place} is withdrawn");
    Ok(())
}
