//! Whose share something counts for.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What one peer, or one household, has to itself: an IPv4 address, or an IPv6 network of 64 bits, in which a host can have
/// as many addresses as it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address(IpAddr);

impl From<SocketAddr> for Address {
    fn from(peer: SocketAddr) -> Self {
        Address(match peer.ip().to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
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
        }
    }
}
