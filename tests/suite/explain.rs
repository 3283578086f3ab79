//! `git port explain`: an error code, and what to do about it.

use crate::support::TestEnv;

#[test]
fn a_code_is_explained_in_words_and_for_programs() {
    let env = TestEnv::new();
    let told = env.ok(&env.root(), "explain denied");
    assert!(told.starts_with("denied: the system does not allow it\n"), "{told}");
    assert!(told.contains("- an agent: call the tool get-port"), "{told}");
    assert!(told.ends_with("Exit status 128; it fails again as it is.\n"), "{told}");
    let object = env.json(&env.root(), "explain conflict");
    assert_eq!(object["codes"][0]["exit_statuses"], serde_json::json!([4, 5]));
    assert_eq!(env.json(&env.root(), "explain busy")["codes"][0]["retryable"], true);
}

#[test]
fn all_codes_are_listed_and_an_unknown_one_is_not_found() {
    let env = TestEnv::new();
    let listed = env.ok(&env.root(), "explain");
    let codes = env.json(&env.root(), "explain")["codes"].as_array().unwrap().len();
    assert_eq!(listed.lines().count(), codes);
    let run = env.git_port(&env.root(), ["explain", "oops"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{run:?}");
    assert!(run.stderr.contains("'oops'") && run.stderr.contains("git port explain"), "{run:?}");
}
