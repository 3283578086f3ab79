//! Who may ask: every mixture of host, origin, credentials, method and path.

use std::time::{Duration, SystemTime};

use crate::support::TestEnv;
use crate::support::page::Page;

/// What one can show.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shown {
    Nothing,
    WrongToken,
    Token,
    WrongCookie,
    Cookie,
    CookieAndWrongKey,
    CookieAndKey,
    KeyAlone,
}

/// The cookie and the key that one gets for an invitation.
fn let_in(page: &Page, code: &str) -> (String, String) {
    let entered = page.enter(code);
    assert_eq!(entered.status, 200, "{entered:?}");
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    (cookie, entered.object()["key"].as_str().unwrap().to_owned())
}

#[test]
fn only_the_right_ones_are_answered() {
    use Shown::{Cookie, CookieAndKey, CookieAndWrongKey, KeyAlone, Nothing, Token, WrongCookie, WrongToken};
    let env = TestEnv::new();
    let page = Page::start(&env, &env.root());
    let (cookie, key) = let_in(&page, page.code());
    let port = page.port;
    let wrong = "0".repeat(64);
    let credentials = |shown| match shown {
        Nothing => String::new(),
        WrongToken => format!("Authorization: Bearer {wrong}\r\n"),
        Token => format!("Authorization: Bearer {}\r\n", page.token),
        WrongCookie => format!("Cookie: git-port-{port}={wrong}\r\nX-Git-Port-Key: {key}\r\n"),
        Cookie => format!("Cookie: a=b; {cookie}\r\n"),
        CookieAndWrongKey => format!("Cookie: {cookie}\r\nX-Git-Port-Key: {wrong}\r\n"),
        CookieAndKey => format!("Cookie: {cookie}\r\nX-Git-Port-Key: {key}\r\n"),
        KeyAlone => format!("X-Git-Port-Key: {key}\r\n"),
    };
    let hosts = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        "127.0.0.1".to_owned(),
        format!("127.0.0.1:{}", port + 1),
        format!("rebound.example:{port}"),
        format!("localhost.rebound.example:{port}"),
        format!("user@127.0.0.1:{port}"),
        format!("0.0.0.0:{port}"),
    ];
    let own = format!("http://127.0.0.1:{port}");
    let origins = ["", "own", "null", "http://evil.example", "https-own", own.as_str()];
    let routes = [
        ("GET", "/api/history?limit=1"),
        ("GET", "/api/nothing"),
        ("POST", "/api/update"),
        ("PUT", "/api/update"),
        ("GET", "/"),
        ("GET", "/main.js"),
        ("GET", "/style.css"),
        ("POST", "/"),
        ("DELETE", "/style.css"),
    ];
    let shown = [Nothing, WrongToken, Token, WrongCookie, Cookie, CookieAndWrongKey, CookieAndKey, KeyAlone];
    let mut asked = 0;
    let mut answered = 0;
    for (index, host) in hosts.iter().enumerate() {
        for origin in origins {
            let own_origin = format!("http://{host}");
            let origin = match origin {
                "own" => own_origin.clone(),
                "https-own" => format!("https://{host}"),
                other => other.to_owned(),
            };
            for (method, path) in routes {
                for shown in shown {
                    // What is refused for its host is refused whatever it shows; two samples will do.
                    if index > 2 && !matches!(shown, Token | CookieAndKey) {
                        continue;
                    }
                    let mut headers = format!("Host: {host}\r\n{}", credentials(shown));
                    if !origin.is_empty() {
                        headers.push_str(&format!("Origin: {origin}\r\n"));
                    }
                    if method != "GET" {
                        headers.push_str("Content-Type: application/json\r\n");
                    }
                    let body = if method == "GET" { "" } else { "{}" };
                    let answer = page.ask(method, path, &headers, body);
                    let insider = matches!(shown, Token | CookieAndKey);
                    let browser = insider || matches!(shown, Cookie | CookieAndWrongKey);
                    let wanted = if index > 2 {
                        421
                    } else if !origin.is_empty() && origin != own_origin {
                        403
                    } else {
                        match (method, path) {
                            ("GET", "/style.css") => 200,
                            ("GET", "/" | "/main.js") if browser => 200,
                            ("GET", "/api/history?limit=1") if insider => 200,
                            ("GET", "/api/nothing") if insider => 404,
                            ("POST", "/api/update") if insider => 400,
                            ("PUT" | "POST" | "DELETE", _) if insider => 405,
                            _ => 401,
                        }
                    };
                    let what = format!("{method} {path} {headers}: {answer:?}");
                    assert_eq!(answer.status, wanted, "{what}");
                    assert!(answer.header("content-security-policy").is_some(), "{what}");
                    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
                    assert_eq!(answer.header("access-control-allow-origin"), None, "{what}");
                    asked += 1;
                    answered += u32::from(answer.status == 200);
                }
            }
        }
    }
    assert!(asked > 1000 && answered > 50, "{asked} {answered}");
}

#[test]
fn an_ambiguous_request_is_refused() {
    let env = TestEnv::new();
    let page = Page::start(&env, &env.root());
    let (cookie, key) = let_in(&page, page.code());
    let (host, good) = (format!("Host: 127.0.0.1:{}\r\n", page.port), page.credentials());
    let status = |path: &str, headers: &str| page.ask("GET", path, headers, "").status;
    assert_eq!(status("/api/ranges", &good), 200);
    assert_eq!(status("/api/ranges", &format!("{good}Host: evil.example\r\n")), 421);
    assert_eq!(status("/api/ranges", &format!("{good}{host}")), 421);
    assert_eq!(status("/api/ranges", &format!("{good}Origin: http://evil.example\r\nOrigin: \r\n")), 403);
    assert_eq!(status("http://evil.example/api/ranges", &good), 421);
    assert_eq!(status(&format!("http://127.0.0.1:{}/api/ranges", page.port), &good), 200);
    assert_eq!(status("//api/ranges", &format!("{host}Cookie: {cookie}\r\n")), 404);
    assert_eq!(status("/api/../api/ranges", &format!("{host}Cookie: {cookie}\r\n")), 401);
    for site in ["same-site", "cross-site", "anything"] {
        let site = format!("Sec-Fetch-Site: {site}\r\n");
        assert_eq!(status("/api/ranges", &format!("{good}{site}")), 403);
        assert_eq!(status("/", &format!("{good}{site}")), 403);
        // One who follows a link comes to the page, and to nothing else.
        let link = format!("{host}{site}Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n");
        assert_eq!(status("/", &link), 401);
        assert_eq!(
            status("/api/ranges", &format!("{link}Cookie: {cookie}\r\nX-Git-Port-Key: {key}\r\n")),
            403
        );
        assert_eq!(
            status("/", &format!("{host}{site}Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n")),
            403
        );
    }
    for site in ["same-origin", "none"] {
        assert_eq!(status("/api/ranges", &format!("{good}Sec-Fetch-Site: {site}\r\n")), 200);
    }
    // The server lives on after what is no HTTP at all.
    for noise in
        ["\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\0\0\0\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n"]
    {
        page.noise(noise);
    }
    assert_eq!(status("/api/ranges", &good), 200);
}

#[test]
fn one_who_says_nothing_is_shown_the_door() {
    let env = TestEnv::new();
    let page = Page::start(&env, &env.root());
    let silent: Vec<_> = (0..20).map(|_| page.dawdle("GET / HTTP/1.1\r\nHost: ")).collect();
    assert_eq!(page.get("/api/ranges").status, 200);
    for took in silent.into_iter().map(|one| one.join().unwrap()) {
        assert!(took > Duration::from_secs(4) && took < Duration::from_secs(20), "{took:?}");
    }
    assert_eq!(page.get("/api/ranges").status, 200);
}

#[test]
fn an_invitation_serves_once_and_soon() {
    let env = TestEnv::new();
    let page = Page::start(&env, &env.root());
    for code in
        ["", "x", "../../token", &"0".repeat(80), &page.code()[..79], &format!("{}0", &page.code()[..79])]
    {
        assert_eq!(page.enter(code).status, 401, "{code}");
    }
    assert_eq!(page.enter(page.code()).status, 200);
    assert_eq!(page.enter(page.code()).status, 401);

    let late = env.json(&env.root(), "dashboard --no-open");
    let code = late["invitation"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let file = std::fs::File::open(page.folder.join(format!("invitation-{}", &code[..16]))).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_mins(11)).unwrap();
    assert_eq!(page.enter(&code).status, 401);
}

#[test]
fn without_scripts_there_is_a_plain_page_and_nothing_else() {
    let env = TestEnv::new();
    let shop = env.repo("shop");
    env.git(&shop, ["checkout", "--quiet", "-b", "<script>alert(1)</script>"]);
    env.ok(&shop, "allocate web");
    let page = Page::start(&env, &env.root());
    let host = format!("Host: 127.0.0.1:{}\r\n", page.port);
    let form = format!("{host}Content-Type: application/x-www-form-urlencoded\r\n");
    let wrong = page.ask("POST", "/session", &form, "code=abc");
    assert!(wrong.status == 401 && wrong.body.contains("git port dashboard"), "{wrong:?}");
    // Somebody pastes the whole address.
    let pasted = format!("code=http%3A%2F%2F127.0.0.1%3A{}%2F%23{}", page.port, page.code());
    let entered = page.ask("POST", "/session", &form, &pasted);
    assert_eq!((entered.status, entered.header("location")), (303, Some("/")), "{entered:?}");
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap();
    let headers = format!("{host}Cookie: {cookie}\r\n");
    let table = page.ask("GET", "/", &headers, "");
    assert_eq!(table.status, 200);
    for part in [&env.port(0).to_string(), "allocated", "shop", "&lt;script&gt;alert(1)&lt;/script&gt;"] {
        assert!(table.body.contains(part), "{part}: {}", table.body);
    }
    assert!(!table.body.contains("<script"), "{}", table.body);
    for path in ["/api/allocations", "/api/live", "/main.js"] {
        assert_eq!(page.ask("GET", path, &headers, "").status, 401, "{path}");
    }
}
