//! A TCP proxy between the program and a broker, which cuts, slows and resets connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the network does.
#[derive(Default)]
struct Weather {
    target: AtomicU16,
    /// Nothing passes; connections stand.
    cut: AtomicBool,
    latency_ms: AtomicU64,
    /// Bytes a second in each connection's direction; 0: all.
    bytes_per_second: AtomicU64,
    /// How much later clients see times than the broker tells them.
    skew_ms: AtomicI64,
    connections: Mutex<Vec<TcpStream>>,
}

/// A proxy on a port of its own; it lives as long as the test.
pub struct Proxy {
    pub port: u16,
    weather: Arc<Weather>,
}

impl Proxy {
    /// Takes connections, and holds them until a target is set.
    pub fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let weather = Arc::new(Weather::default());
        let shared = Arc::clone(&weather);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let weather = Arc::clone(&shared);
                thread::spawn(move || connect(client, &weather));
            }
        });
        Proxy { port, weather }
    }

    /// Where connections lead.
    pub fn lead_to(&self, port: u16) {
        self.weather.target.store(port, Ordering::Relaxed);
    }

    /// Lets nothing pass, or all again.
    pub fn cut(&self, cut: bool) {
        self.weather.cut.store(cut, Ordering::Relaxed);
    }

    /// Delays what passes.
    pub fn delay(&self, latency: Duration) {
        self.weather.latency_ms.store(latency.as_millis() as u64, Ordering::Relaxed);
    }

    /// Lets so many bytes a second pass in each direction of a connection; 0: all.
    pub fn throttle(&self, bytes_per_second: u64) {
        self.weather.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }

    /// Changes the times that the broker tells, to the millisecond and about those of now.
    pub fn skew(&self, by_ms: i64) {
        self.weather.skew_ms.store(by_ms, Ordering::Relaxed);
    }

    /// Ends all connections in the midst of whatever they carry.
    pub fn reset(&self) {
        for connection in self.weather.connections.lock().unwrap().drain(..) {
            let _gone_already = connection.shutdown(Shutdown::Both);
        }
    }
}

fn connect(client: TcpStream, weather: &Arc<Weather>) {
    while weather.cut.load(Ordering::Relaxed) || weather.target.load(Ordering::Relaxed) == 0 {
        thread::sleep(Duration::from_millis(10));
    }
    let target = weather.target.load(Ordering::Relaxed);
    let Ok(broker) = TcpStream::connect(("127.0.0.1", target)) else { return };
    let copies = (client.try_clone(), broker.try_clone());
    let (Ok(client_too), Ok(broker_too)) = copies else { return };
    let _fast = (client.set_nodelay(true), broker.set_nodelay(true));
    if let (Ok(a), Ok(b)) = (client.try_clone(), broker.try_clone()) {
        weather.connections.lock().unwrap().extend([a, b]);
    }
    let upwards = Arc::clone(weather);
    thread::spawn(move || pass(client_too, broker, &upwards, |_| ()));
    pass(broker_too, client, weather, |answer| skew(answer, weather));
}

/// Changes what looks like a time of today: eight bytes that would be some minute of now.
fn skew(answer: &mut [u8], weather: &Weather) {
    let by_ms = weather.skew_ms.load(Ordering::Relaxed);
    if by_ms == 0 {
        return;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let now_ms = now.as_millis() as i64;
    for at in 0..answer.len().saturating_sub(7) {
        let bytes = &mut answer[at..at + 8];
        let told_ms = i64::from_be_bytes((&*bytes).try_into().expect("these are eight"));
        if told_ms.abs_diff(now_ms) < 60_000 {
            bytes.copy_from_slice(&(told_ms + by_ms).to_be_bytes());
        }
    }
}

/// Copies bytes until either end is gone, as `change` leaves them.
fn pass(mut from: TcpStream, mut to: TcpStream, weather: &Weather, change: impl Fn(&mut [u8])) {
    let mut buffer = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        thread::sleep(Duration::from_millis(weather.latency_ms.load(Ordering::Relaxed)));
        let most = weather.bytes_per_second.load(Ordering::Relaxed);
        if most > 0 {
            thread::sleep(Duration::from_secs_f64(read as f64 / most as f64));
        }
        while weather.cut.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
        change(&mut buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _gone_already = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
