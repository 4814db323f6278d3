//! Two network namespaces with a wire between them that delays packets and loses some: servers in one, peers in the other.
//!
//! Where the kernel has `netem`, that does it. Where it has not, a process of ours carries the packets from one virtual
//! Ethernet device to another, and they stay in order. Both need root, `ip` and `tc` of Debian's `iproute2`.

use crate::shared::media::Noise;
use crate::shared::process::{self, Process};
use clap::Args;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, bind, recvfrom};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Namespaces, which go when this is dropped.
pub(crate) struct Networks {
    name: String,
    _wire: Option<Process>,
}

/// Where servers listen, and the first two bytes of the addresses that peers come from.
pub(crate) const SERVERS: &str = "10.77.0.1";
pub(crate) const PEERS: [u8; 2] = [10, 76];

/// The wire, until it is killed.
#[derive(Debug, Args)]
pub(crate) struct WireRole {
    /// The devices, each the other end of one in a namespace
    #[arg(long)]
    devices: Vec<String>,
    /// As `tc-netem(8)` has it: `delay 40ms 10ms loss 1%`
    #[arg(long)]
    netem: String,
}

impl Networks {
    pub(crate) fn create(netem: &str) -> Result<Self> {
        let trouble = Trouble::parse(netem)?;
        let name = format!("hw{}", std::process::id());
        let mut networks = Networks { name, _wire: None };
        let (servers, peers) = (networks.servers(), networks.peers());
        run("ip", &format!("netns add {servers}"))?;
        run("ip", &format!("netns add {peers}"))?;
        let has_netem = run("tc", &format!("-n {peers} qdisc add dev lo root netem {netem}"));
        let ends = if has_netem.is_ok() {
            run("tc", &format!("-n {peers} qdisc del dev lo root"))?;
            run(
                "ip",
                &format!("-n {servers} link add end type veth peer name end netns {peers}"),
            )?;
            Vec::new()
        } else {
            println!("this kernel has no netem: a process of ours is the wire, {trouble:?}");
            for network in [&servers, &peers] {
                run(
                    "ip",
                    &format!("link add {network}w type veth peer name end netns {network}"),
                )?;
                // A packet as it is on a real wire, not dozens of them in one.
                run("ip", &format!("link set {network}w gso_max_segs 1 up"))?;
                run("ip", &format!("-n {network} link set end gso_max_segs 1"))?;
            }
            vec![format!("{servers}w"), format!("{peers}w")]
        };
        let [a, b] = PEERS;
        run("ip", &format!("-n {servers} addr add {SERVERS}/15 dev end"))?;
        run("ip", &format!("-n {peers} addr add {a}.{b}.255.1/15 dev end"))?;
        for network in [&servers, &peers] {
            run("ip", &format!("-n {network} link set lo up"))?;
            run("ip", &format!("-n {network} link set end up"))?;
        }
        // Any of these addresses is a peer's own.
        run("ip", &format!("-n {peers} route add local {a}.{b}.0.0/16 dev lo"))?;
        if ends.is_empty() {
            run("tc", &format!("-n {servers} qdisc add dev end root netem {netem}"))?;
            run("tc", &format!("-n {peers} qdisc add dev end root netem {netem}"))?;
        } else {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["wire", "--netem", netem]);
            for end in &ends {
                command.args(["--devices", end]);
            }
            let cpus = process::allowed_cpus()?;
            networks._wire = Some(Process::spawn(&command, &cpus, Stdio::inherit(), Stdio::inherit())?);
        }
        Ok(networks)
    }

    /// Runs this program again where the peers are.
    pub(crate) fn run_inside(&self) -> Result<ExitStatus> {
        let program = std::env::current_exe()?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.peers()]).arg(program);
        command.args(std::env::args_os().skip(1)).args(["--inside", &self.name]);
        command.status()
    }

    fn servers(&self) -> String {
        servers(&self.name)
    }

    fn peers(&self) -> String {
        format!("{}p", self.name)
    }
}

/// The namespace of the servers.
pub(crate) fn servers(name: &str) -> String {
    format!("{name}s")
}

impl Drop for Networks {
    fn drop(&mut self) {
        for network in [self.servers(), self.peers()] {
            // It may not have come that far. A namespace is there for as long as a socket in it, the devices are not.
            let _ = run("ip", &format!("-n {network} link del end"));
            let _ = run("ip", &format!("netns del {network}"));
        }
    }
}

fn run(program: &str, arguments: &str) -> Result<()> {
    let output = Command::new(program).args(arguments.split_whitespace()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(Error::other(format!("{program} {arguments}: {}", reason.trim())))
}

/// What the wire does to packets, in each direction.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Trouble {
    delay: Duration,
    /// The delay is up to this much longer or shorter.
    jitter: Duration,
    /// Of a million packets, so many are lost.
    lost: u64,
}

impl Trouble {
    fn parse(netem: &str) -> Result<Self> {
        let unknown = || Error::new(ErrorKind::InvalidInput, format!("not understood: {netem:?}"));
        let mut trouble = Trouble::default();
        let mut words = netem.split_whitespace().peekable();
        let millis = |word: &str| {
            let millis: f64 = word.strip_suffix("ms")?.parse().ok()?;
            Duration::try_from_secs_f64(millis / 1e3).ok()
        };
        while let Some(word) = words.next() {
            match word {
                "delay" => {
                    trouble.delay = words.next().and_then(millis).ok_or_else(unknown)?;
                    if let Some(jitter) = words.peek().and_then(|word| millis(word)) {
                        trouble.jitter = jitter.min(trouble.delay);
                        words.next();
                    }
                }
                "loss" => {
                    let share = words
                        .next()
                        .and_then(|word| word.strip_suffix('%')?.parse::<f64>().ok());
                    let share = share
                        .filter(|share| (0.0..=100.0).contains(share))
                        .ok_or_else(unknown)?;
                    trouble.lost = (share * 1e4) as u64;
                }
                _ => return Err(unknown()),
            }
        }
        Ok(trouble)
    }
}

/// Every protocol, as packet(7) has it.
const ETH_P_ALL: u16 = 3;
/// What we sent ourselves, as packet(7) has it.
const PACKET_OUTGOING: u8 = 4;
/// Packets on their way; more are lost.
const MAX_QUEUE: usize = 20_000;
/// Between two lines that say what the wire did.
const REPORT: Duration = Duration::from_secs(30);
/// How late a packet may be.
const TICK: Duration = Duration::from_millis(1);

/// Is the wire.
pub(crate) fn be_wire(role: &WireRole) -> Result<()> {
    let trouble = Trouble::parse(&role.netem)?;
    let [one, other] = &role.devices[..] else {
        return Err(Error::other("a wire has two ends"));
    };
    let (one, other) = (open(one)?, open(other)?);
    let (back_one, back_other) = (one.try_clone()?, other.try_clone()?);
    thread::spawn(move || carry(&back_other, &back_one, trouble, 2));
    Err(carry(&one, &other, trouble, 1))
}

/// Carries packets in one direction. Returns only if that fails.
fn carry(from: &Socket, to: &Socket, trouble: Trouble, seed: u64) -> Error {
    let mut noise = Noise::new(seed);
    let mut queue: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut scratch = vec![0; 66_000];
    let (mut carried, mut lost) = (0_u64, 0_u64);
    let mut report = Instant::now() + REPORT;
    loop {
        if Instant::now() >= report {
            report += REPORT;
            println!("wire {seed}: {carried} packets carried, {lost} lost");
        }
        match recvfrom::<LinkAddr>(from.as_raw_fd(), &mut scratch) {
            Ok((_, Some(origin))) if origin.pkttype() == PACKET_OUTGOING => {}
            Ok(_) if noise.next() % 1_000_000 < trouble.lost || queue.len() >= MAX_QUEUE => lost += 1,
            Ok((len, _)) => {
                carried += 1;
                let mut packet = scratch[..len].to_vec();
                complete_checksum(&mut packet);
                let delay = trouble.delay - trouble.jitter + noise.time(Duration::ZERO, 2 * trouble.jitter);
                // None overtakes another.
                let due = Instant::now() + delay;
                let due = queue.back().map_or(due, |last| due.max(last.0));
                queue.push_back((due, packet));
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => return error.into(),
        }
        let now = Instant::now();
        while queue.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, packet)) = queue.pop_front() {
                // A full device loses packets, as devices do.
                let _ = to.send(&packet);
            }
        }
    }
}

/// All packets that come to a device.
fn open(device: &str) -> Result<Socket> {
    let protocol = Protocol::from(i32::from(ETH_P_ALL.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
    socket.set_read_timeout(Some(TICK))?;
    socket.set_recv_buffer_size(8 << 20)?;
    let mut addresses = getifaddrs()?.filter(|address| address.interface_name == device);
    let link = addresses.find_map(|address| address.address?.as_link_addr().copied());
    let link = link.ok_or_else(|| Error::other(format!("no device {device:?}")))?;
    bind(socket.as_raw_fd(), &link)?;
    Ok(socket)
}

/// Computes the checksum of TCP over IPv4, which a virtual device leaves to the hardware that it has not.
fn complete_checksum(packet: &mut [u8]) {
    let Some((ethernet, ip)) = packet.split_at_mut_checked(14) else {
        return;
    };
    if ethernet[12..] != [8, 0] || ip.len() < 40 || ip[9] != 6 {
        return;
    }
    let head = usize::from(ip[0] & 15) * 4;
    let end = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    let Some(tcp) = ip.get(head..end).filter(|tcp| tcp.len() >= 20) else {
        return;
    };
    // RFC 9293 §3.1: addresses, protocol and length; then the segment, with zeros in place of the checksum.
    let pseudo = sum(&ip[12..20]) + 6 + tcp.len() as u32;
    let mut sum = pseudo + sum(&tcp[..16]) + sum(&tcp[18..]);
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    let [.., high, low] = (!sum).to_be_bytes();
    ip[head + 16..head + 18].copy_from_slice(&[high, low]);
}

/// Of 16-bit words. 64 KiB of them fit.
fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2);
    words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)))
        .sum()
}
