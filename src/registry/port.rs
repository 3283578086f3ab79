//! A port, a protocol, and an inclusive range of ports.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

/// One port number, 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(NonZeroU16);

/// What is wrong with a port or a range as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPort {
    /// Not a number from 1 to 65535.
    #[error("'{0}' is not a port (a port is a number from 1 to 65535)")]
    Port(String),
    /// Neither `8000-8999` nor a single port.
    #[error("'{0}' is not a range of ports (write '8000-8999', or one port)")]
    Range(String),
    /// The second number is smaller than the first.
    #[error("'{0}' is not a range of ports: it ends before it begins")]
    Backwards(String),
    /// Neither `tcp` nor `udp`.
    #[error("'{0}' is not a protocol (write 'tcp' or 'udp')")]
    Protocol(String),
}

impl Port {
    /// Returns the port with this number; none for 0.
    pub fn new(number: u16) -> Option<Self> {
        NonZeroU16::new(number).map(Self)
    }

    /// Returns the number.
    pub fn number(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = InvalidPort;

    fn from_str(text: &str) -> Result<Self, InvalidPort> {
        let invalid = || InvalidPort::Port(text.to_owned());
        // `u16::from_str` would also take '+80'.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        text.parse().ok().and_then(Self::new).ok_or_else(invalid)
    }
}

/// The transport a port belongs to. TCP and UDP ports are numbered apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP, unless said otherwise.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Returns the name as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Protocol {
    type Err = InvalidPort;

    fn from_str(text: &str) -> Result<Self, InvalidPort> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            _ => Err(InvalidPort::Protocol(text.to_owned())),
        }
    }
}

/// An inclusive run of ports, `8000-8999`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    start: Port,
    end: Port,
}

impl PortRange {
    /// Returns the range from `start` to `end`, both included; none if it ends before it begins.
    pub fn new(start: Port, end: Port) -> Option<Self> {
        (start <= end).then_some(Self { start, end })
    }

    /// Returns the range that holds this port alone.
    pub fn single(port: Port) -> Self {
        Self { start: port, end: port }
    }

    /// Returns the first port.
    pub fn start(self) -> Port {
        self.start
    }

    /// Returns the last port.
    pub fn end(self) -> Port {
        self.end
    }

    /// Returns how many ports there are in it.
    pub fn size(self) -> u32 {
        u32::from(self.end.number()) - u32::from(self.start.number()) + 1
    }

    /// Says whether the port lies in it.
    pub fn contains(self, port: Port) -> bool {
        (self.start..=self.end).contains(&port)
    }

    /// Says whether the two share a port.
    pub fn overlaps(self, other: Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// Returns its ports in ascending order.
    pub fn ports(self) -> impl DoubleEndedIterator<Item = Port> {
        (self.start.number()..=self.end.number()).filter_map(Port::new)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start == self.end {
            write!(f, "{}", self.start)
        } else {
            write!(f, "{}-{}", self.start, self.end)
        }
    }
}

impl FromStr for PortRange {
    type Err = InvalidPort;

    fn from_str(text: &str) -> Result<Self, InvalidPort> {
        let invalid = |_| InvalidPort::Range(text.to_owned());
        let (start, end) = match text.split_once('-') {
            Some((start, end)) => (start.trim(), end.trim()),
            None => (text, text),
        };
        let start = start.parse().map_err(invalid)?;
        let end = end.parse().map_err(invalid)?;
        Self::new(start, end).ok_or_else(|| InvalidPort::Backwards(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_in_bounds_are_ports() {
        for text in ["0", "65536", "-1", "+80", "80a", "", " 80", "8 0", "٣"] {
            assert_eq!(text.parse::<Port>(), Err(InvalidPort::Port(text.to_owned())), "{text:?}");
        }
        assert_eq!("65535".parse::<Port>().map(Port::number), Ok(65535));
    }

    #[test]
    fn a_range_is_inclusive_and_prints_as_it_is_read() {
        let range: PortRange = "8000-8002".parse().unwrap();
        assert_eq!(range.size(), 3);
        assert_eq!(range.ports().map(Port::number).collect::<Vec<_>>(), [8000, 8001, 8002]);
        assert_eq!(range.to_string(), "8000-8002");
        assert_eq!("443".parse::<PortRange>().unwrap().to_string(), "443");
        assert_eq!("1-65535".parse::<PortRange>().unwrap().size(), 65535);
        assert!(matches!("9-8".parse::<PortRange>(), Err(InvalidPort::Backwards(_))));
        assert!(matches!("8000-".parse::<PortRange>(), Err(InvalidPort::Range(_))));
        assert!(matches!("8000-8999-9".parse::<PortRange>(), Err(InvalidPort::Range(_))));
    }
}
