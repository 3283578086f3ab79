//! The power fails at any moment: what was acknowledged is there afterwards, and the registry is whole.
//!
//! Real commands are traced; from the trace, the disk is rebuilt as it may be at any of its moments.

mod disk;
mod trace;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::herd::{Dice, ignored_for_want_of, size};
use crate::support::{Run, TestEnv, program};

use disk::{Act, Disk};

/// Which service has which port.
type Ports = BTreeMap<String, u64>;

struct Recorded {
    env: TestEnv,
    acts: Vec<Act>,
    /// What was true before the first command, and after each.
    states: Vec<Ports>,
}

fn ports_of(object: &Value) -> impl Iterator<Item = (String, u64)> + '_ {
    let one = |one: &Value| (one["service"].as_str().unwrap().to_owned(), one["port"].as_u64().unwrap());
    object["allocations"].as_array().unwrap().iter().map(one)
}

impl Recorded {
    /// Traces this many commands, one after the other.
    fn new(commands: usize, dice: &mut Dice) -> Self {
        let env = TestEnv::new();
        let state = env.registry().parent().unwrap().to_owned();
        let mut reader = trace::Reader::new(&state);
        let mut recorded = Self { env, acts: Vec::new(), states: vec![Ports::new()] };
        let output = recorded.env.root().join("trace");
        for number in 0..commands {
            let mut now = recorded.states.last().unwrap().clone();
            let services: Vec<String> = now.keys().cloned().collect();
            let words = match dice.below(10) {
                0..2 if !services.is_empty() => format!("release {} --project p", dice.pick(&services)),
                // As many as there are ports for.
                _ if services.len() > 60 => format!("release {} --project p", dice.pick(&services)),
                2 if !services.is_empty() => {
                    format!("allocate {} --project p --new", dice.pick(&services))
                }
                3 => "cleanup --older-than 0s".to_owned(),
                4 => format!("allocate a{number} b{number} c{number} --project p"),
                _ => format!("allocate s{number} --project p"),
            };
            let mut traced: Command = recorded.env.command("strace", &recorded.env.root());
            traced.args(trace::OPTIONS).arg("-o").arg(&output);
            traced.arg(program()).arg("--json").args(words.split(' '));
            let object = Run::of(traced.output().unwrap()).success().object();
            match words.split(' ').next().unwrap() {
                "allocate" => now.extend(ports_of(&object)),
                "release" => drop(now.remove(words.split(' ').nth(1).unwrap())),
                _ => {}
            }
            recorded.acts.extend(reader.read(&fs::read_to_string(&output).unwrap()));
            recorded.acts.push(Act::Answered);
            recorded.states.push(now);
        }
        recorded
    }

    /// Lets the power fail before an act, and says what is wrong afterwards.
    fn fail_before(&self, act: usize, with_syncs: bool, dice: &mut Dice) -> Result<(), String> {
        let done = &self.acts[..act];
        let answered = done.iter().filter(|act| matches!(act, Act::Answered)).count();
        let later = TestEnv::new();
        let (from, to) = (self.env.registry(), later.registry());
        let (from, to) = (from.parent().unwrap(), to.parent().unwrap());
        fs::create_dir_all(to).unwrap();
        Disk::after(done, with_syncs).fail(dice, from, to);
        private(to);

        let run = later.git_port(&later.root(), ["--json", "list", "--all"]);
        if run.status != 0 {
            return Err(format!("{run:#?}"));
        }
        let found: Ports = ports_of(&run.object()).collect();
        let known = &self.states[answered..self.states.len().min(answered + 2)];
        if !known.contains(&found) {
            return Err(format!("found {found:?}, and neither of {known:?}\n{run:#?}"));
        }
        // Whole, and not only rebuilt: what no copy has would be gone.
        let aside: Vec<_> = fs::read_dir(to).unwrap().map(|one| one.unwrap().file_name()).collect();
        if aside.iter().any(|name| name.to_string_lossy().contains("quarantine")) {
            return Err(format!("{aside:?}"));
        }
        let next = later.git_port(&later.root(), ["--json", "allocate", "next", "--project", "p"]);
        if next.status == 0 { Ok(()) } else { Err(format!("{next:#?}")) }
    }
}

/// A disk keeps who may read a file; the image was written by a test.
fn private(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    for one in fs::read_dir(folder).unwrap() {
        let path = one.unwrap().path();
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn the_power_fails_at_any_moment() {
    if Command::new("strace").arg("-V").output().is_err() {
        return ignored_for_want_of("strace");
    }
    let mut dice = Dice::new();
    let recorded = Recorded::new(size(12, 200), &mut dice);
    let images = size(60, 3_000);
    for number in 0..images {
        let act = dice.below(recorded.acts.len() + 1);
        if let Err(wrong) = recorded.fail_before(act, true, &mut dice) {
            let around = &recorded.acts[act.saturating_sub(3)..act];
            panic!("image {number}, before act {act} of {}, after {around:?}: {wrong}", recorded.acts.len());
        }
    }
    // The same disks without one sync: were these whole too, the images would show nothing.
    let whole = (0..size(12, 100))
        .filter(|_| recorded.fail_before(recorded.acts.len(), false, &mut dice).is_ok())
        .count();
    assert_eq!(whole, 0, "without a sync, all was lost");
    println!("{images} images of {} acts", recorded.acts.len());
}
