//! Which addresses are this host's: of an interface that is up, or in `moreipme`, and not in `notipme`.

use std::net::IpAddr;

use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

use crate::control::Setup;
use crate::control::load::read_list;
use crate::control::text::entries;
use crate::errno::words;
use crate::policy::verdict::LookupFailed;

/// Whether an address is one of this host.
///
/// # Errors
///
/// [`LookupFailed`] when a file or the interfaces cannot be read.
pub fn is_own_address(setup: &Setup, address: IpAddr) -> Result<bool, LookupFailed> {
    let address = address.to_canonical();
    if is_listed(setup, "notipme", address)? {
        return Ok(false);
    }
    Ok(address.is_unspecified() || is_listed(setup, "moreipme", address)? || is_of_an_interface(address)?)
}

fn is_listed(setup: &Setup, file: &'static str, address: IpAddr) -> Result<bool, LookupFailed> {
    let path = setup.control.directory.join(file);
    let is_it = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) == Some(address);
    match read_list(&path) {
        Ok(text) => Ok(text.is_some_and(|text| entries(&text).any(|entry| is_it(entry.text)))),
        Err(error) => Err(LookupFailed::Unreadable { file: file.into(), path, error: words(&error).into_owned() }),
    }
}

fn is_of_an_interface(address: IpAddr) -> Result<bool, LookupFailed> {
    let interfaces =
        nix::ifaddrs::getifaddrs().map_err(|error| LookupFailed::OwnAddresses(words(&error.into()).into_owned()))?;
    Ok(interfaces
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
        .filter_map(|interface| interface.address.as_ref().and_then(ip))
        .any(|own| own == address))
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let ip4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    ip4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()).to_canonical()))
}
