//! The `git-port` program.

fn main() {}
