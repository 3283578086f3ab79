//! The page in a browser: what one sees, with and without a mouse, scripts, light and width.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::dev_servers::lab;
use crate::support::TestEnv;
use crate::support::browser::Browser;
use crate::support::page::Page;
use crate::support::server::Server;

/// A branch with everything in it that a page could fall for.
const HOSTILE: &str = "<img/src=x/onerror=alert(1)>\u{202e}\u{200b}'\"`${IFS}";

/// Three projects in which there is something of everything: a server, one that does not belong, a
/// worktree that is gone, a pinned port.
pub struct Scene {
    pub env: TestEnv,
    pub shop: PathBuf,
    _servers: Vec<Server>,
}

impl Scene {
    fn new() -> Self {
        let env = TestEnv::new();
        let shop = env.repo("shop");
        fs::write(shop.join(".git-port.toml"), "[services.web]\n[services.api]\n[services.db]\n").unwrap();
        env.git(&shop, ["add", "."]);
        env.git(&shop, ["commit", "--quiet", "-m", "services"]);
        env.ok(&shop, "allocate web api db");
        env.ok(&shop, "worktree create feature/checkout");
        env.ok(&shop, "worktree create old-fix");
        let blog = env.repo("blog");
        env.git(&blog, ["checkout", "--quiet", "-b", HOSTILE]);
        env.ok(&blog, "allocate site");
        env.ok(&blog, &format!("update {} --pin --type web", env.listed(&blog, "")[0]));
        env.ok(&env.root(), "allocate metrics production --project edge");
        env.ok(&env.root(), &format!("reserve {}-{}", env.port(40), env.port(44)));
        fs::remove_dir_all(env.root().join("shop-old-fix")).unwrap();
        let ports: Vec<u64> = env.listed(&shop, "");
        let serve = |folder: &Path, port: u64| Server::start(folder, &format!("127.0.0.1:{port}"));
        let servers = vec![serve(&shop, ports[0]), serve(&blog, ports[4])];
        Self { env, shop, _servers: servers }
    }
}

fn open(env: &TestEnv) -> Option<(Browser, Page)> {
    let browser = Browser::start()?;
    let page = Page::start(env, &env.root());
    enter(&browser, &page);
    Some((browser, page))
}

fn enter(browser: &Browser, page: &Page) {
    browser.go(&page.invitation);
    browser.wait(
        "document.querySelector('#main') && !document.querySelector('#main').hasAttribute('aria-busy')",
    );
}

/// But that the door is answered with 401, and that a dashboard that has ended does not answer.
fn complains_of_nothing(browser: &Browser) {
    let mut complaints = browser.complaints();
    complaints.retain(|line| !line.contains("Failed to load resource") && !line.contains("ERR_"));
    assert_eq!(complaints, Vec::<String>::new());
}

fn text(browser: &Browser, css: &str) -> String {
    let script =
        format!("return [...document.querySelectorAll('{css}')].map((one) => one.innerText).join('|')");
    browser.run(&script).as_str().unwrap().to_owned()
}

fn has(css: &str, words: &str) -> String {
    format!("[...document.querySelectorAll('{css}')].some((one) => one.innerText.includes({}))", json!(words))
}

#[test]
fn what_there_is_is_seen_and_found_and_changes_as_it_does() {
    let scene = Scene::new();
    let env = &scene.env;
    let Some((browser, page)) = open(env) else { return };
    browser.wait(&has("#attention", "old-fix"));
    // What was in the address is not there any more.
    assert_eq!(browser.run("return location.href"), format!("http://127.0.0.1:{}/", page.port));
    let attention = text(&browser, "#attention");
    assert!(
        attention.contains("blog") || attention.contains("foreign") || attention.contains("taken by"),
        "{attention}"
    );
    for css in [".map .glyph.active", ".map .glyph.foreign", ".map .glyph.orphaned", ".map .glyph.reserved"] {
        assert_ne!(browser.run(&format!("return document.querySelectorAll('{css}').length")), 0, "{css}");
    }
    // A name is text, and says where it would turn the line around.
    browser.wait(&has(".tree", "<img/src=x/onerror=alert(1)>\\u{202e}\\u{200b}"));
    assert_eq!(browser.run("return document.querySelectorAll('.tree img').length"), 0);

    browser.press(&["/"]);
    browser.write("#search", "checkout api");
    browser.wait("document.querySelectorAll('.tree .level3').length === 1");
    assert!(text(&browser, ".tree .level3").contains("api"));
    browser.press(&["x", "y"]);
    browser.wait(&has("#tree", "Nothing is called that"));
    browser.press(&["Escape"]);
    browser.wait("document.querySelectorAll('.tree .level3').length > 8");

    // Another process does something, and it is seen within a second: at least twice of three times, for
    // the other tests are busy, too. `load` looks at each of thousands.
    let root = env.root();
    let mut took = Vec::new();
    let mut port = Value::Null;
    for round in 0..3 {
        port = env.one(&root, &format!("allocate fresh --project elsewhere{round}"))["port"].clone();
        took.push(browser.wait(&has(".tree .level1", &format!("elsewhere{round}"))));
    }
    assert!(took.iter().filter(|took| **took < Duration::from_secs(1)).count() > 1, "{took:?}");
    browser.wait(&has("#activity", &port.to_string()));
    drop(page);
    browser.wait(&has("#status", "trying again"));
    let page = Page::start(env, &env.root());
    // Another start is another secret: the page asks for an invitation.
    browser.wait(&has("body.door", "git port dashboard"));
    enter(&browser, &page);
    assert_eq!(page.port, env.port(99));
    let complaints = browser.complaints();
    assert!(
        complaints.iter().all(|line| line.contains("Failed to load resource") || line.contains("ERR_")),
        "{complaints:#?}"
    );
}

#[test]
fn all_of_it_can_be_done_by_keyboard() {
    let scene = Scene::new();
    let env = &scene.env;
    let Some((browser, _page)) = open(env) else { return };
    let focused = || {
        browser
            .run("return document.activeElement.closest('tr')?.innerText ?? ''")
            .as_str()
            .unwrap()
            .to_owned()
    };
    browser.press(&["/"]);
    let port = env.listed(&scene.shop, "--worktree .")[2];
    browser.write("#search", &format!("main {port}"));
    browser.wait("document.querySelectorAll('.tree .level3').length === 1");
    browser.press(&["Down"]);
    assert!(focused().contains("shop"), "{}", focused());
    browser.press(&["Down", "j"]);
    assert!(focused().contains("db"), "{}", focused());
    let live = || env.listed(&scene.shop, "--worktree .").contains(&port);
    browser.press(&["r"]);
    browser.wait(&has(".toast", &format!("git port release {port}")));
    assert!(!live());
    browser.press(&["u"]);
    browser.wait(&has(".toast", "again"));
    assert!(live());
    // Its details, its notes, and the command for them.
    browser.wait("document.querySelectorAll('.tree .level3').length === 1");
    browser.run("document.querySelector('.tree .level3').focus()");
    browser.press(&["p"]);
    browser.wait(&has(".tree .level3", "pinned"));
    browser.press(&["Enter"]);
    browser.wait("document.querySelector('dialog[open].drawer')");
    browser.wait(&has("dialog .activity", "its release was taken back"));
    browser.write("dialog [name=description]", "it's $HOME");
    browser
        .wait(&has("dialog .notes code", &format!("git port update {port} --description 'it'\\''s $HOME'")));
    browser.press(&["Enter"]);
    browser.wait(&has("dialog p", "it's $HOME"));
    assert_eq!(env.one(&scene.shop, &format!("check {port}"))["description"], "it's $HOME");
    browser.press(&["Escape"]);
    browser.wait("!document.querySelector('dialog[open]')");
    // The map, too.
    browser.run("document.querySelector('.map [tabindex=\"0\"]').focus()");
    browser.press(&["Right", "Down", "Left", "Enter"]);
    browser.wait("document.querySelector('dialog[open]')");
    browser.write("dialog [name=service]", "extra");
    browser.wait(&has("dialog code", "allocate extra"));
    browser.press(&["Enter"]);
    browser.wait(&has(".toast", "/extra"));
    browser.press(&["?"]);
    browser.wait(&has("dialog[open]", "undo"));
}

#[test]
fn a_cleanup_is_shown_before_it_is_done() {
    let scene = Scene::new();
    let env = &scene.env;
    let Some((browser, _page)) = open(env) else { return };
    browser.wait(&has("#attention", "old-fix"));
    browser.click("#cleanup");
    browser.wait(&has("dialog[open]", "git port cleanup --dry-run"));
    let plan = env.json(&env.root(), "cleanup --dry-run");
    for one in plan["released"].as_array().unwrap() {
        assert!(text(&browser, "dialog .plan").contains(&one["port"].to_string()), "{one}");
    }
    browser.click("dialog .primary");
    browser.wait(&has(".toast", "Released 3"));
    browser.wait(&format!("!{}", has("#attention", "old-fix")));
    assert_eq!(env.json(&env.root(), "cleanup --dry-run")["released"], json!([]));
}

#[test]
fn everybody_can_read_it() {
    let scene = Scene::new();
    let Some((browser, page)) = open(&scene.env) else { return };
    let Some(axe) = lab::npm("axe") else { return };
    let axe = fs::read_to_string(axe.join("node_modules/axe-core/axe.min.js")).unwrap();
    let check = |what: &str| {
        browser.run(&axe);
        let found = browser.run_later(
            "const done = arguments[arguments.length - 1];
             axe.run(document, { resultTypes: ['violations'] }).then((result) => done(result.violations.map((one) =>
                 [one.id, ...one.nodes.map((node) => node.html + ' ' + node.failureSummary)])), (error) => done([String(error)]));",
        );
        assert_eq!(found, json!([]), "{what}");
    };
    browser.wait(&has("#attention", "old-fix"));
    for scheme in ["light", "dark"] {
        browser.prefer(&[("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]);
        for width in [1280, 320] {
            browser.size(width, 800);
            check(&format!("{scheme} {width}"));
            // Nothing is wider than the window.
            let over = browser
                .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert!(over.as_i64().unwrap() <= 0, "{scheme} {width}: {over}");
        }
        browser.run("document.querySelector('.tree .level3').click()");
        browser.wait(&has("dialog .activity", "allocated"));
        check(&format!("{scheme}, details"));
        browser.press(&["Escape"]);
        browser.run("document.querySelector('#allocate').click()");
        check(&format!("{scheme}, allocate"));
        browser.press(&["Escape"]);
        browser.run("document.querySelector('#cleanup').click()");
        browser.wait(&has("dialog[open]", "cleanup"));
        check(&format!("{scheme}, cleanup"));
        browser.press(&["Escape"]);
    }
    let still = browser.run(
        "document.querySelector('.tree .level3').click();
         return getComputedStyle(document.querySelector('dialog')).animationName",
    );
    assert_eq!(still, "none");
    browser.press(&["Escape"]);
    // One who chooses gets that, and keeps it.
    let back = || browser.run("return getComputedStyle(document.body).backgroundColor");
    let dark = back();
    browser.click("#theme");
    assert_ne!(back(), dark, "light, though dark is preferred");
    browser.go(&page.invitation[..page.invitation.find('#').unwrap()]);
    browser.wait("document.documentElement.dataset.theme === 'light'");
    // The door.
    browser.run("localStorage.clear()");
    browser.develop("Network.clearBrowserCookies", &json!({}));
    browser.go("about:blank");
    browser.go(&page.invitation);
    browser.wait(&has("#say", "was used"));
    check("the door");
}

#[test]
fn it_can_be_read_without_scripts() {
    let scene = Scene::new();
    let Some(browser) = Browser::start() else { return };
    let page = Page::start(&scene.env, &scene.env.root());
    browser.scripts(false);
    browser.size(320, 700);
    browser.go(&page.invitation);
    browser.write("#code", &page.invitation);
    browser.click("button");
    browser.shows("</table>");
    let source = browser.source();
    for word in ["shop", "feature/checkout", "orphaned", "&lt;img/src=x/onerror=alert(1)&gt;\\u{202e}"] {
        assert!(source.contains(word), "{word} in {source}");
    }
    browser.scripts(true);
    assert_eq!(browser.run("return document.documentElement.scrollWidth <= 320"), true);
}

#[test]
fn in_a_team_one_sees_whose_each_is() {
    let mut env = TestEnv::new();
    let shop = env.repo("shop");
    for (host, user) in [("there", "ada"), ("here", "grace")] {
        env.set("GIT_PORT_HOST", host);
        env.set("USER", user);
        env.ok(&shop, "allocate web --project team");
    }
    let Some((browser, _page)) = open(&env) else { return };
    for whose in ["ada@there", "grace@here"] {
        browser.wait(&has(".tree .level3", whose));
    }
    assert!(text(&browser, "#host").contains("grace@here"));
    browser.press(&["/"]);
    browser.write("#search", "ada");
    browser.wait("document.querySelectorAll('.tree .level3').length === 1");
    assert!(text(&browser, ".tree .level3").contains("ada@there"));
    complains_of_nothing(&browser);
}

#[test]
fn an_empty_page_says_what_to_run() {
    let env = TestEnv::new();
    let Some((browser, _page)) = open(&env) else { return };
    browser.wait(&has(".empty", "git port init"));
    assert!(text(&browser, ".empty").contains("git port worktree create my-feature"));
    complains_of_nothing(&browser);
}

/// Makes the pictures of the documentation, and others to look at: `GIT_PORT_PICTURES` names the folder.
#[test]
#[ignore = "makes the pictures in docs/"]
fn pictures() {
    let Some(folder) = std::env::var_os("GIT_PORT_PICTURES").map(PathBuf::from) else { return };
    let scene = Scene::new();
    let (browser, page) = open(&scene.env).expect("a browser");
    browser.wait(&has("#attention", "old-fix"));
    for _ in 0..24 {
        page.post("/api/health", &json!({}));
    }
    let shoot = |name: &str, width, height, scheme: &str| {
        browser.prefer(&[("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]);
        browser.size(width, height);
        thread::sleep(Duration::from_millis(300));
        browser.picture(&folder.join(name));
    };
    shoot("dashboard-light.webp", 1280, 860, "light");
    shoot("light.png", 1280, 860, "light");
    shoot("narrow.png", 320, 900, "light");
    browser.run("document.querySelector('.tree .level3.is-active').click()");
    browser.wait("document.querySelector('dialog .chart')");
    shoot("dashboard-dark.webp", 1280, 860, "dark");
    shoot("detail.png", 1280, 860, "dark");
    browser.press(&["Escape"]);
    shoot("dark.png", 1280, 860, "dark");
    browser.click("#cleanup");
    browser.wait(&has("dialog[open]", "cleanup"));
    shoot("cleanup.png", 1280, 860, "light");
    browser.press(&["Escape"]);
    super::load::fill(&scene.env);
    browser.wait("document.querySelector('.map').getAttribute('aria-label').includes('dev')");
    browser.wait(&has("#summary", "1012 ports"));
    shoot("many.png", 1280, 860, "light");
    let empty = TestEnv::new();
    let page = Page::start(&empty, &empty.root());
    enter(&browser, &page);
    browser.wait(&has(".empty", "git port init"));
    shoot("empty.png", 1280, 860, "light");
}
