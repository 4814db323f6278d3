//! A monitoring system that takes everything, again and again, while a server is measured.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two of its requests. A real one lets 15 s pass.
const INTERVAL: Duration = Duration::from_millis(250);

/// It asks until it is told to stop.
pub(crate) struct Scraper {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Scrapes>>,
}

/// What it got.
#[derive(Debug, Default)]
struct Scrapes {
    times: Vec<Duration>,
    bytes: usize,
}

impl Scraper {
    pub(crate) fn start(admin: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let until = is_over.clone();
        let thread = thread::spawn(move || {
            let mut scrapes = Scrapes::default();
            while !until.load(Ordering::Relaxed) {
                let began = Instant::now();
                scrapes.bytes = scrape(admin)?;
                scrapes.times.push(began.elapsed());
                thread::sleep(INTERVAL);
            }
            Ok(scrapes)
        });
        Scraper { is_over, thread }
    }

    /// Stops it, and says how long its requests took.
    pub(crate) fn finish(self) -> Result<String> {
        self.is_over.store(true, Ordering::Relaxed);
        let Scrapes { mut times, bytes } = self.thread.join().unwrap_or_else(|_| Ok(Scrapes::default()))?;
        times.sort();
        let at = |share: usize| {
            times
                .get((times.len().saturating_sub(1)) * share / 100)
                .copied()
                .unwrap_or_default()
        };
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let (median, most) = (millis(at(50)), millis(at(100)));
        Ok(format!(
            "{} scrapes of {bytes} bytes, in ms: {median:.2} p50, {most:.2} at most",
            times.len()
        ))
    }
}

/// How many bytes there are in everything.
fn scrape(admin: SocketAddr) -> Result<usize> {
    let mut stream = TcpStream::connect(admin)?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    stream.read_to_end(&mut Vec::new())
}
