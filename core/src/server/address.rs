//! Whose share something counts for.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What one peer, or one household, has to itself: an IPv4 address, or an IPv6 network of 64 bits, in which a host can have
/// as many addresses as it wants.
///
/// Eight bytes, since there are tables of them: the network, or the address behind [`IPV4`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address(u64);

/// What an IPv4 address has in place of the first half of a network: that of multicast, from where no peer comes.
const IPV4: u64 = 0xFFFF_FFFF << 32;

impl From<SocketAddr> for Address {
    fn from(peer: SocketAddr) -> Self {
        Address(match peer.ip().to_canonical() {
            IpAddr::V4(address) => IPV4 | u64::from(address.to_bits()),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        })
    }
}

impl Address {
    /// An address as it is displayed, or one of an IPv6 network.
    pub(super) fn parse(text: &str) -> Option<Address> {
        let ip = match text.strip_suffix("/64") {
            Some(network) => IpAddr::V6(network.parse().ok()?),
            None => text.parse().ok()?,
        };
        Some(SocketAddr::new(ip, 0).into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::try_from(self.0 ^ IPV4) {
            Ok(address) => Ipv4Addr::from_bits(address).fmt(f),
            Err(_) => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(self.0) << 64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_host_has_one_share_whatever_its_addresses() {
        let shares = [
            ("192.0.2.7:1", "192.0.2.7"),
            ("[::ffff:192.0.2.7]:2", "192.0.2.7"),
            ("[2001:db8:0:1:2:3:4:5]:1", "2001:db8:0:1::/64"),
            ("[2001:db8:0:1:ffff::]:9", "2001:db8:0:1::/64"),
        ];
        for (peer, share) in shares {
            let peer: SocketAddr = peer.parse().unwrap();
            assert_eq!(Address::from(peer).to_string(), share);
            assert_eq!(Address::parse(share), Some(peer.into()));
            assert_eq!(Address::parse(&peer.ip().to_string()), Some(peer.into()));
        }
        for other in [
            "",
            "192.0.2.7/64",
            "2001:db8::/63",
            "192.0.2",
            "2001:db8::/64/64",
            "localhost",
        ] {
            assert_eq!(Address::parse(other), None, "{other}");
        }
    }
}
