//! Two thousand hostile conversations, many at the same time.

use crate::good::{STREAM, beside_a_good_stream};
use crate::inputs::{self, Input, Port, Reaction, on_one_port};
use crate::is_raw;
use crate::support::http;
use crate::support::server::{Runtime, Server};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const CONVERSATIONS: usize = 2_000;
/// Conversations at the same time.
const PEERS: usize = 32;
/// Conversations before memory is measured: what a server keeps for good, it has then.
const WARM_UP: usize = 400;

/// Memory that may stay behind. 12 MiB: the counters of shares, whose tables are bounded, and what the allocator keeps of messages
/// of megabytes. 1,600 conversations that leave one buffer each would keep 25 MiB.
const MEMORY_LEFT: usize = 12 << 20;

/// How long a peer waits for the end of its conversation before it leaves, and how long if the server is to end it.
const TIMEOUT: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);

/// Lines that a conversation may put into the log, on average. A few make a hundred requests in a second.
const LINES: usize = 8;

/// How long descriptors may stay taken: half-closed connections are given some 10 s.
const DESCRIPTORS_BACK_WITHIN: Duration = Duration::from_secs(40);

fn hostile_peers_harm_no_stream(runtime: Runtime) {
    let inputs = inputs::all();
    assert!(inputs.len() + OTHERS.len() <= WARM_UP);
    let server = runtime.start(&["--grace", "1", "--log-level", "info"]);
    beside_a_good_stream(&server, || {
        let files = server.files();
        converse(&server, &inputs, WARM_UP);
        let memory = server.memory();
        converse(&server, &inputs, CONVERSATIONS - WARM_UP);

        server.wait_for_files(files, DESCRIPTORS_BACK_WITHIN);
        let grown = server.memory().saturating_sub(memory);
        assert!(grown <= MEMORY_LEFT, "{grown} bytes of memory stayed behind");
        assert_told(&server, &inputs);
    });
}

/// Holds `count` conversations with the server, some at a time.
fn converse(server: &Server, inputs: &[Input], count: usize) {
    thread::scope(|scope| {
        for peer in 0..PEERS {
            scope.spawn(move || {
                for number in (peer..count).step_by(PEERS) {
                    // From six addresses, the stream's own among them.
                    let source = Ipv4Addr::new(127, 0, 0, 1 + (number % 6) as u8);
                    // A server that closes while its peer speaks does right.
                    let _ = match inputs.get(number % (inputs.len() + OTHERS.len())) {
                        Some(input) => say(server, source, input),
                        None => OTHERS[number % OTHERS.len()](server, source),
                    };
                }
            });
        }
    });
}

/// Says what an input has, and the end, reads a while, and leaves.
fn say(server: &Server, source: Ipv4Addr, input: &Input) -> io::Result<()> {
    let to = match input.to {
        Port::Rtmp => server.rtmp,
        Port::Http => server.http,
    };
    let ends = match input.reaction {
        Reaction::Ends(reason) => on_one_port(reason).is_some(),
        Reaction::Leaves => true,
        _ => false,
    };
    raw(to, source, &input.bytes, if ends { PATIENCE } else { TIMEOUT })
}

/// What a hostile peer does that is more than bytes, from an address of its own.
type Conversation = fn(&Server, Ipv4Addr) -> io::Result<()>;

const OTHERS: [Conversation; 3] = [
    // Row 38: it reads nothing, and is gone in an instant.
    |server, source| {
        let mut socket = http::connect(server.http, source);
        write!(socket, "GET /{STREAM} HTTP/1.1\r\nHost: x\r\n\r\n")?;
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))
    },
    // Row 41: it plays the good stream, and says more.
    |server, source| {
        let request = format!("GET /{STREAM}.flv HTTP/1.1\r\nHost: x\r\n\r\n{}", "x".repeat(9_000));
        raw(server.http, source, request.as_bytes(), TIMEOUT)
    },
    // Row 41: a page of somebody else's pushes.
    |server, source| {
        let head = format!("POST /{STREAM} HTTP/1.1\r\nHost: x\r\nOrigin: http://elsewhere.example");
        let request = format!(
            "{head}\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            "1\r\nF\r\n".repeat(2_000)
        );
        raw(server.http, source, request.as_bytes(), TIMEOUT)
    },
];

/// Sends `bytes` and the end, reads until the server has said all or for so long, and leaves.
fn raw(server: SocketAddr, source: Ipv4Addr, bytes: &[u8], patience: Duration) -> io::Result<()> {
    let mut socket: TcpStream = http::connect(server, source);
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(bytes)?;
    // Some close their side before they leave, some do not.
    if bytes.len().is_multiple_of(2) {
        socket.shutdown(Shutdown::Write)?;
    }
    let until = Instant::now() + patience;
    let mut scratch = [0; 4 << 10];
    while Instant::now() < until && socket.read(&mut scratch)? > 0 {}
    Ok(())
}

/// The log says why of everything that failed or was refused, in lines that nobody has forged, and not too many.
fn assert_told(server: &Server, inputs: &[Input]) {
    for Input {
        row, what, reaction, ..
    } in inputs
    {
        if let Reaction::Ends(reason) | Reaction::Refused(reason) = reaction
            && let Some(reason) = on_one_port(reason)
        {
            println!("row {row}, {what}: {reason}");
            server.wait_for_line(reason);
        }
    }
    let log = server.log();
    for line in log.lines() {
        let level = line.split_whitespace().nth(1);
        assert!(matches!(level, Some("INFO" | "WARN")), "{line:?}");
        assert!(line.len() < 4_096, "{} bytes: {line}", line.len());
        assert!(!line.chars().any(is_raw), "not escaped: {line:?}");
    }
    let count = log.lines().count();
    assert!(count < LINES * CONVERSATIONS, "{count} lines");
}

on_each_binary!(2, [hostile_peers_harm_no_stream]);
