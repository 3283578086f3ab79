//! `git port range`

use serde_json::{Value, json};

use crate::support::{TestEnv, shape};

const IN_FORCE: &[(&str, &str)] = &[
    ("environment", "string?"),
    ("project", "string?"),
    ("start", "integer"),
    ("end", "integer"),
    ("origin", "string"),
];

fn of<'a>(answer: &'a Value, field: &str, name: &str) -> Vec<&'a Value> {
    let ranges = shape::lists(answer, &["ranges", "reserved", "warnings"]);
    ranges.iter().inspect(|range| shape::has(range, IN_FORCE)).filter(|range| range[field] == name).collect()
}

#[test]
fn what_is_built_in() {
    let mut env = TestEnv::new();
    for name in ["DEV", "TEST", "PRODUCTION"] {
        env.set(&format!("GIT_PORT_RANGES_{name}"), "");
    }
    let answer = env.json(&env.root(), "range list");
    for (name, start, end) in [("dev", 8000, 8999), ("production", 9000, 9999), ("test", 7000, 7999)] {
        let range = of(&answer, "environment", name)[0];
        let expected = (&json!(start), &json!(end), &json!("built in"));
        assert_eq!((&range["start"], &range["end"], &range["origin"]), expected, "{name}");
    }
    let reserved: Vec<u64> =
        answer["reserved"].as_array().unwrap().iter().map(|one| one["start"].as_u64().unwrap()).collect();
    assert_eq!(reserved, [3000, 5432, 8051, 8181, 3737]);
    let text = env.ok(&env.root(), "range ls");
    assert!(text.lines().any(|line| line.starts_with("test") && line.contains("7000-7999")), "{text}");
}

#[test]
fn a_projects_range_is_set_used_and_unset() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (a, b) = (format!("{}-{}", env.port(40), env.port(40)), format!("{}-{}", env.port(50), env.port(59)));
    let text = env.ok(&repo, &format!("range set shop {a},{b}"));
    assert_eq!(text, format!("Range of shop set to {}, {b}\n", env.port(40)));
    assert_eq!(env.one(&repo, "allocate web")["port"], env.port(40));
    assert_eq!(env.one(&repo, "allocate api")["port"], env.port(50), "the first is full");
    let answer = env.json(&repo, "range list");
    assert_eq!(of(&answer, "project", "shop").len(), 2);
    assert_eq!(of(&answer, "project", "shop")[0]["origin"], "the registry");

    let answer = env.json(&repo, &format!("range set shop {b}"));
    assert_eq!(of(&answer, "project", "shop").len(), 1, "it is replaced");
    assert_eq!(env.ok(&repo, "range unset shop"), "Range of shop unset\n");
    assert_eq!(env.one(&repo, "allocate db")["port"], env.port(0));
    assert_eq!(env.one(&repo, "get")["port"], env.port(40), "what is allocated stays");
}

#[test]
fn an_environment_of_ones_own() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (first, last) = (env.port(60), env.port(69));
    env.ok(&repo, &format!("range set --environment staging {first}-{last}"));
    let one = env.one(&repo, "allocate web staging");
    assert_eq!((&one["port"], &one["environment"]), (&json!(first), &json!("staging")));
    assert_eq!(env.json(&repo, "stats staging")["ranges"][0]["allocated"], 1);
    env.ok(&repo, "range unset staging");
    let _ = env.git_port(&repo, ["allocate", "api", "-e", "staging"]).exits_with(129);
}

#[test]
fn a_project_may_be_called_as_an_environment_is() {
    let env = TestEnv::new();
    let line = format!("range set test --project {}-{}", env.port(70), env.port(71));
    let answer = env.json(&env.root(), &line);
    assert_eq!(of(&answer, "project", "test").len(), 1);
}

#[test]
fn whatever_wins_over_the_registry_is_told() {
    let env = TestEnv::new();
    let root = env.root();
    let range = format!("{}-{}", env.port(0), env.port(9));
    let run = env.git_port(&root, ["range", "set", "dev", &range]).success();
    assert!(run.stderr.contains("'GIT_PORT_RANGES_DEV', which wins"), "{run:?}");
    let answer = env.json(&root, &format!("range set dev {range}"));
    assert!(answer["warnings"][0].as_str().unwrap().contains("which wins"), "{answer}");
}

#[test]
fn without_a_command_it_tells_which_there_are() {
    let env = TestEnv::new();
    let run = env.git_port(&env.root(), ["range"]).exits_with(129);
    assert!(run.stdout.is_empty() && run.stderr.contains("unset"), "{run:?}");
    for words in [["range", "--json"], ["--json", "range"]] {
        let run = env.git_port(&env.root(), words).exits_with(129);
        assert_eq!(shape::error(&run.object(), "usage"), "no command is named");
        assert!(run.stdout.contains("usage: git port range"), "{run:?}");
    }
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let root = env.root();
    let one = format!("{}-{}", env.port(0), env.port(9));
    let two = format!("{}-{}", env.port(9), env.port(12));
    let both = format!("{one},{two}");
    env.ok(&root, &format!("range set consilio {one}"));
    shape::refuses(
        &env,
        &root,
        &[
            (&["range", "show"], 129, "usage", "'show'"),
            (&["range", "set"], 129, "usage", "<environment or project>"),
            (&["range", "set", "shop"], 129, "usage", "<range>"),
            (&["range", "set", "shop", "9-8"], 129, "usage", "'9-8'"),
            (&["range", "set", "shop", "0-8"], 129, "usage", "'0-8'"),
            (&["range", "set", "shop", "1-65536"], 129, "usage", "'1-65536'"),
            (&["range", "set", "shop", "1-2-3"], 129, "usage", "'1-2-3'"),
            (&["range", "set", "shop", "x"], 129, "usage", "'x'"),
            (&["range", "set", "shop", ""], 129, "usage", "''"),
            (&["range", "set", "shop", "1-\u{1b}2"], 129, "usage", "'1-\u{1b}2'"),
            (&["range", "set", "shop", &both], 129, "usage", &two),
            (&["range", "set", "a b", &one], 129, "usage", "'a b'"),
            (&["range", "set", "--environment", "Stage", &one], 129, "usage", "'Stage'"),
            (&["range", "set", "-e", "-p", "x", &one], 129, "usage", "--project"),
            (&["range", "set", "shop", &two], 4, "conflict", "'consilio'"),
            (&["range", "unset", "nobody"], 1, "not_found", "'nobody'"),
            (&["range", "unset", "dev"], 1, "not_found", "'dev'"),
        ],
    );
}
