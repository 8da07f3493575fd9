//! Which addresses are one customer's.

use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that one customer is given; the others are theirs to change.
const IPV6_NETWORK_BITS: u32 = 64;

/// The address that stands for all of a customer's: an IPv4 address itself, also as IPv6 writes it.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let kept = u128::MAX << (128 - IPV6_NETWORK_BITS);
            Ipv6Addr::from_bits(address.to_bits() & kept).into()
        }
        address => address,
    }
}
