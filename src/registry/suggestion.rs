//! Suggests a port that people remember: one that ends as the usual one does.

use super::port::{Port, PortRange};

/// How many ports behind the one that ends alike still count as near.
const NEAR: u16 = 10;

/// Returns the first port of the ranges that ends in the same three digits as the usual one, else in the
/// same two; where that may not be used, one of those right behind it. None where none of them may.
pub fn near(usual: Port, ranges: &[PortRange], mut is_usable: impl FnMut(Port) -> bool) -> Option<Port> {
    for modulus in [1000, 100] {
        for range in ranges {
            let ends_alike = |port: &Port| port.number() % modulus == usual.number() % modulus;
            let Some(alike) = range.ports().find(ends_alike) else { continue };
            let last = alike.number().saturating_add(NEAR - 1).min(range.end().number());
            let run = PortRange::new(alike, Port::new(last)?)?;
            if let Some(port) = run.ports().find(|port| is_usable(*port)) {
                return Some(port);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggested(usual: u16, ranges: &[(u16, u16)], taken: &[u16]) -> Option<u16> {
        let port = |number| Port::new(number).unwrap();
        let range = |(start, end): &(u16, u16)| PortRange::new(port(*start), port(*end)).unwrap();
        let ranges: Vec<PortRange> = ranges.iter().map(range).collect();
        near(port(usual), &ranges, |port| !taken.contains(&port.number())).map(Port::number)
    }

    #[test]
    fn it_ends_as_the_usual_one() {
        for (usual, ranges, taken, expected) in [
            (5432, &[(8000, 8999)][..], &[][..], Some(8432)),
            (5432, &[(8000, 8999)], &[8432, 8433], Some(8434)),
            (6379, &[(3100, 3199)], &[], Some(3179)),
            (27017, &[(8000, 8999)], &[], Some(8017)),
            (
                5432,
                &[(8000, 8999), (20000, 29999)],
                &[8432, 8433, 8434, 8435, 8436, 8437, 8438, 8439, 8440, 8441],
                Some(20432),
            ),
            (5432, &[(8440, 8450)], &[], None),
            (5432, &[(65532, 65535)], &[], Some(65532)),
            (5432, &[], &[], None),
        ] {
            assert_eq!(suggested(usual, ranges, taken), expected, "{usual} in {ranges:?}");
        }
    }
}
