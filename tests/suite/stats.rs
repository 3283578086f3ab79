//! `git port stats` and `git port summary`

use serde_json::{Value, json};

use crate::support::{TestEnv, shape};

#[test]
fn the_object_has_every_promised_field() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, &format!("range set shop {}-{}", env.port(90), env.port(99)));
    let answer = env.json(&repo, "stats");
    let ranges = shape::lists(&answer, &["ranges", "warnings"]);
    for one in ranges {
        shape::has(one, shape::RANGE);
    }
    let of: Vec<(&Value, &Value)> =
        ranges.iter().map(|range| (&range["environment"], &range["project"])).collect();
    let null = &Value::Null;
    let expected =
        [(&json!("dev"), null), (&json!("production"), null), (&json!("test"), null), (null, &json!("shop"))];
    assert_eq!(of, expected);
}

#[test]
fn numbers_add_up() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate a b c");
    env.ok(&repo, "allocate u --protocol udp");
    env.ok(&repo, "release c");
    env.ok(&repo, &format!("reserve {}-{}", env.port(10), env.port(13)));
    env.ok(&repo, &format!("allocate outside dev {}", env.port(110)));
    let answer = env.json(&repo, "stats dev");
    let range = &answer["ranges"][0];
    let numbers =
        ["total", "allocated", "active", "reserved", "available"].map(|name| range[name].as_u64().unwrap());
    assert_eq!(numbers, [100, 2, 0, 4, 94], "a port with a TCP and a UDP owner is one port");
    assert_eq!(range["utilization"], 2.0);
    assert_eq!(env.json(&repo, "stats test")["ranges"][0]["allocated"], 1, "it counts where it lies");
    let text = env.ok(&repo, "stats dev");
    let spans = format!("Range: {}-{}", env.port(0), env.port(99));
    for line in [&*spans, "Reserved: 4", "Active: 0", "Utilization: 2.0%"] {
        assert!(text.lines().any(|has| has == line), "{line}: {text}");
    }
}

#[test]
fn a_table_of_all() {
    let env = TestEnv::new();
    let text = env.ok(&env.root(), "stats");
    let first: Vec<_> = text.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(first, ["RANGE", "dev", "production", "test"]);
    let dev: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().skip(2).collect();
    assert_eq!(dev, ["100", "0", "0", "0", "100", "0.0%"]);
}

#[test]
fn every_range_of_an_environment_is_counted() {
    let mut env = TestEnv::new();
    let (a, b) = (format!("{}-{}", env.port(0), env.port(1)), format!("{}-{}", env.port(5), env.port(9)));
    env.set("GIT_PORT_RANGES_DEV", format!("{a},{b}"));
    let repo = env.repo("shop");
    for service in ["a", "b", "c"] {
        env.ok(&repo, &format!("allocate {service}"));
    }
    let answer = env.json(&repo, "stats dev");
    let of = |index: usize| {
        ["total", "allocated", "available"].map(|name| answer["ranges"][index][name].as_u64().unwrap())
    };
    assert_eq!((of(0), of(1)), ([2, 2, 0], [5, 1, 4]));
    assert_eq!(answer["warnings"], json!([format!("dev port range {a} is 100% full")]));
    assert_eq!(env.ok(&repo, "stats dev").matches("Port Range Statistics (dev):").count(), 2);
}

#[test]
fn from_eighty_percent_on_there_is_a_warning() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_RANGES_DEV", format!("{}-{}", env.port(0), env.port(4)));
    let repo = env.repo("shop");
    env.ok(&repo, "allocate a b c");
    assert_eq!(env.json(&repo, "stats")["warnings"], json!([]));
    env.ok(&repo, "allocate d");
    assert!(env.json(&repo, "stats")["warnings"][0].as_str().unwrap().ends_with(" is 80% full"));
    let run = env.git_port(&repo, ["stats"]).success();
    assert!(run.stderr.starts_with("warning: dev port range"), "{run:?}");
}

#[test]
fn summary_of_a_project() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    env.ok(&env.root(), "allocate web --project other");
    for line in ["summary", "summary shop"] {
        let answer = env.json(&repo, line);
        assert_eq!((&answer["project"], &answer["ranges"]), (&json!("shop"), &json!([])));
        let allocations = shape::lists(&answer, &["allocations", "ranges", "warnings"]);
        assert_eq!(allocations.len(), 1);
        shape::has(&allocations[0], shape::ALLOCATION);
    }
    let text = env.ok(&repo, "summary");
    assert!(text.starts_with("Project shop\nIt has no range of its own;"), "{text}");
    env.ok(&repo, &format!("range set shop {}-{}", env.port(0), env.port(9)));
    let answer = env.json(&env.root(), "summary shop");
    shape::has(&answer["ranges"][0], shape::RANGE);
    assert_eq!(answer["ranges"][0]["utilization"], 20.0, "the other project's port lies in it too");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    shape::refuses(
        &env,
        &repo,
        &[
            (&["stats", "staging"], 129, "usage", "'staging'"),
            (&["stats", "Dev"], 129, "usage", "'Dev'"),
            (&["stats", "d\u{7}v"], 129, "usage", "'d\u{7}v'"),
            (&["stats", "dev", "test"], 129, "usage", "'test'"),
            (&["summary", "nobody"], 1, "not_found", "'nobody'"),
            (&["summary", "a b"], 129, "usage", "'a b'"),
        ],
    );
    shape::refuses(&env, &env.root(), &[(&["summary"], 128, "not_a_repository", "no project is named")]);
}
