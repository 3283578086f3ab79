//! A thousand ports, fifty open pages, and ten changes a second: nobody is to be behind, and nothing is to
//! grow. It takes five minutes, so `GIT_PORT_TESTS_LONG=1` runs it, with the release build.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::TestEnv;
use crate::support::browser::Browser;
use crate::support::page::Page;

const PORTS: u16 = 1000;
const FIRST: u16 = 33_000;
const PAGES: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Allocates a thousand ports, of twenty projects, in one go.
pub fn fill(env: &TestEnv) {
    let rows = (0..PORTS).map(|index| {
        let (project, service) = (index % 20, index / 20);
        format!("{},tcp,project{project:02},service{service:02},dev\n", FIRST + index)
    });
    let file = env.root().join("many.csv");
    fs::write(&file, format!("port,protocol,project,service,environment\n{}", rows.collect::<String>()))
        .unwrap();
    env.ok(&env.root(), &format!("import {}", file.display()));
}

/// How much memory a process has, in KiB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How much of a processor a process has used, in hundredths of a second.
fn processor(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let words: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap()
}

#[test]
fn many_pages_are_told_in_time_and_nothing_grows() {
    if std::env::var_os("GIT_PORT_TESTS_LONG").is_none_or(|set| set != "1") {
        println!("ignored: it takes minutes; GIT_PORT_TESTS_LONG=1 runs it");
        return;
    }
    let length = Duration::from_mins(5);
    let env = TestEnv::new();
    fill(&env);
    let page = Page::start(&env, &env.root());
    let pid = page.running.pid();
    // When each change was done, by its number.
    let done: Mutex<Vec<Instant>> = Mutex::default();
    let over = AtomicBool::new(false);
    let mut sizes = Vec::new();
    let before = processor(pid);
    let (mut lags, heard) = thread::scope(|scope| {
        let followers: Vec<_> = (0..PAGES)
            .map(|_| {
                let mut follower = page.follow();
                let (done, over) = (&done, &over);
                scope.spawn(move || {
                    let mut lags = Vec::new();
                    while let Some((_, message)) = follower.next() {
                        let now = Instant::now();
                        for row in message["set"].as_array().into_iter().flatten() {
                            let number =
                                row["description"].as_str().and_then(|text| text.parse::<usize>().ok());
                            let known = done.lock().unwrap().get(number.unwrap_or(usize::MAX)).copied();
                            // Some are told before the command that did it has ended.
                            lags.extend(known.map(|done| now.saturating_duration_since(done)));
                        }
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    lags
                })
            })
            .collect();
        let started = Instant::now();
        let mut number = 0;
        while started.elapsed() < length {
            let next = started + PAUSE * u32::try_from(number).unwrap();
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let port = FIRST + u16::try_from(number % usize::from(PORTS)).unwrap();
            env.ok(&env.root(), &format!("update {port} --description {number}"));
            done.lock().unwrap().push(Instant::now());
            number += 1;
            if number % 10 == 0 {
                sizes.push(memory(pid));
            }
        }
        thread::sleep(Duration::from_secs(2));
        over.store(true, Ordering::Relaxed);
        let all: Vec<Vec<Duration>> = followers.into_iter().map(|one| one.join().unwrap()).collect();
        (all.concat(), number)
    });
    let used = processor(pid) - before;
    lags.sort_unstable();
    let at = |share: f64| {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let index = ((lags.len() - 1) as f64 * share) as usize;
        lags[index]
    };
    println!(
        "{heard} changes in {length:?} to {PAGES} pages: {} times told; behind by {:?} in the middle, {:?} for 99 of 100, {:?} at most; \
         memory {sizes:?} KiB; {} ms of a processor for each second",
        lags.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        used * 10 / length.as_secs().max(1)
    );
    assert!(lags.len() > heard * PAGES / 2, "{} of {heard}", lags.len());
    let (early, late) = (sizes[sizes.len() / 4], sizes[sizes.len() - 1]);
    assert!(late < early + early / 10 + 4096, "{sizes:?}");
    assert!(at(1.0) < Duration::from_secs(1), "{:?}", at(1.0));
}

#[test]
fn a_thousand_ports_are_painted_soon() {
    let env = TestEnv::new();
    fill(&env);
    let Some(browser) = Browser::start() else { return };
    let page = Page::start(&env, &env.root());
    browser.go(&page.invitation);
    let shown =
        "document.querySelector('#main') && !document.querySelector('#main').hasAttribute('aria-busy')";
    browser.wait(shown);
    browser.go(&page.invitation[..page.invitation.find('#').unwrap()]);
    browser.wait(shown);
    let times = browser.run(
        "const paint = performance.getEntriesByName('first-contentful-paint')[0].startTime;
         return [paint, performance.getEntriesByName('ports')[0].startTime].map(Math.round)",
    );
    let search = browser.run(
        "const input = document.querySelector('#search'); const start = performance.now();
         input.value = 'project07 service'; input.dispatchEvent(new Event('input'));
         document.body.offsetHeight; return Math.round(performance.now() - start)",
    );
    println!("first paint and all ports: {times} ms; a search: {search} ms");
    assert!(times[1].as_u64().unwrap() < 10_000 && search.as_u64().unwrap() < 2_000, "{times} {search}");
}
