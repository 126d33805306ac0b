//! Shows the instances of a service and each change of them until Ctrl-C:
//!
//! ```text
//! cargo run --example watch -- 127.0.0.1:8848,127.0.0.2:8848 orders
//! ```

use std::error::Error;

use distro_node::client::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [servers, service] = arguments.as_slice() else {
        return Err("usage: watch SERVER,.. SERVICE".into());
    };
    let client = Client::builder()
        .servers(servers.split(','))
        .app("example-watch")
        .connect()
        .await?;
    let mut watched = client.subscribe(service).await?;
    loop {
        let update = tokio::select! {
            biased;
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                return Ok(client.close().await?);
            }
            update = watched.next() => update.ok_or("the client ended")?,
        };
        println!("{service}: {} instances", update.instances.len());
        for (sign, instances) in [
            ('+', &update.added),
            ('-', &update.removed),
            ('~', &update.changed),
        ] {
            for instance in instances {
                println!("  {sign} {}:{}", instance.ip, instance.port);
            }
        }
    }
}
