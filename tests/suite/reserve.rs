//! `git port reserve` and `git port unreserve`

use serde_json::json;

use crate::support::{TestEnv, shape};

#[test]
fn reserved_ports_are_passed_over_until_they_are_not() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (first, last) = (env.port(0), env.port(2));
    let text = env.ok(&repo, &format!("reserve {first}-{last} --reason printers"));
    assert_eq!(text, format!("Reserved {first}-{last}\n"));
    assert_eq!(env.one(&repo, "allocate web")["port"], env.port(3));
    let run = env.git_port(&repo, ["allocate", "api", "dev", &last.to_string()]).exits_with(5);
    assert!(
        run.stderr.contains("(printers)") && run.stderr.contains(&format!("unreserve {first}-{last}")),
        "{run:?}"
    );
    assert_eq!(
        env.one(&repo, &format!("allocate api --prefer {last}"))["port"],
        env.port(4),
        "a wish is no order"
    );
    assert_eq!(env.one(&repo, &format!("allocate db dev {last} --force"))["port"], last);

    let text = env.ok(&repo, &format!("unreserve {first}-{last}"));
    assert_eq!(text, format!("{first}-{last} is no longer reserved\n"));
    assert_eq!(env.one(&repo, "allocate queue")["port"], first);
}

#[test]
fn the_object_has_what_was_reserved() {
    let env = TestEnv::new();
    let root = env.root();
    let (first, last) = (env.port(0), env.port(2));
    let answer = env.json(&root, &format!("reserve --reason why {first}-{last}"));
    let reserved = shape::lists(&answer, &["reserved", "ranges", "warnings"]);
    assert_eq!(*reserved, [json!({"start": first, "end": last, "reason": "why"})]);
    let answer = env.json(&root, &format!("reserve {}", env.port(9)));
    assert_eq!(answer["reserved"][0], json!({"start": env.port(9), "end": env.port(9), "reason": null}));
    let all = env.json(&root, "range list")["reserved"].clone();
    assert!(
        all.as_array().unwrap().contains(&json!({"start": first, "end": last, "reason": "why"})),
        "{all}"
    );
    let answer = env.json(&root, &format!("unreserve {}", env.port(9)));
    assert!(shape::lists(&answer, &["reserved", "ranges", "warnings"]).is_empty());
}

#[test]
fn whoever_has_a_port_keeps_it() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let port = env.port(0);
    let run = env.git_port(&repo, ["reserve", &port.to_string()]).success();
    assert!(run.stderr.contains(&format!("port {port} stays with shop/web")), "{run:?}");
    let answer = env.json(&repo, &format!("reserve {port}"));
    assert!(answer["warnings"][0].as_str().unwrap().contains("stays with shop/web"), "{answer}");
    assert_eq!(env.ok(&repo, "get"), format!("{port}\n"));
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let free = env.port(0).to_string();
    shape::refuses(
        &env,
        &env.root(),
        &[
            (&["reserve"], 129, "usage", "<port or range>"),
            (&["reserve", "web"], 129, "usage", "'web'"),
            (&["reserve", "0"], 129, "usage", "'0'"),
            (&["reserve", "9-8"], 129, "usage", "'9-8'"),
            (&["reserve", "70000"], 129, "usage", "'70000'"),
            (&["reserve", "1,2"], 129, "usage", "'1,2'"),
            (&["reserve", "1", "2"], 129, "usage", "'2'"),
            (&["unreserve"], 129, "usage", "<port or range>"),
            (&["unreserve", "x"], 129, "usage", "'x'"),
            (&["unreserve", &free], 1, "not_found", &free),
            (&["unreserve", "3000"], 1, "not_found", "'3000'"),
        ],
    );
    let run = env.git_port(&env.root(), ["unreserve", "3000"]).exits_with(1);
    assert!(run.stderr.contains("'allocation.reserved' (built in)"), "{run:?}");
}
