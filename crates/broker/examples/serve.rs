//! Serves until it is ended: `cargo run --release --example serve [HOST:PORT]`.

use fleetstorm_broker::{Broker, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = Settings::new();
    if let Some(listen) = std::env::args().nth(1) {
        settings.listen = listen.parse()?;
    }
    let broker = Broker::start(settings)?;
    println!("{}", broker.bootstrap());
    loop {
        std::thread::park();
    }
}
