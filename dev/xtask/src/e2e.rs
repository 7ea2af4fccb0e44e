//! `cargo xtask e2e`: the end-to-end scenarios alone, in Chromium or Firefox, with one server or three of one chat.

use anyhow::Result;
use clap::ValueEnum;

use crate::browser::Firefox;
use crate::command::{Program, cargo};
use crate::page;
use crate::step::{Steps, note};
use crate::test;

/// The browsers.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Choice {
    Chromium,
    Firefox,
}

/// The files of scenarios that run in Firefox: those that depend most on the browser. Others use more of the DevTools protocol.
const IN_FIREFOX: [&str; 5] = ["connection::", "tabs::", "identity::", "network::", "start::"];
/// Those of the short form, in the tests.
const SHORT_FORM: [&str; 3] = ["connection::", "identity::a_browser_without_cookies", "tabs::the_sixth_tab"];

/// Scenarios that Firefox leaves out, with the reason.
const LEFT_OUT_OF_FIREFOX: [(&str, &str); 2] = [
    (
        "start::the_shell_is_replaced_without_a_shift",
        "it needs a view of 320 pixels, and a window of Firefox is at least 500 wide",
    ),
    ("start::a_slow_line_shows_the_shell_and_that_it_loads", "the driver of Firefox cannot slow the network"),
];

/// The files of scenarios that run with three servers of one chat: those of the chat.
const IN_CLUSTER: [&str; 13] = [
    "chat::",
    "composer::",
    "connection::",
    "history::",
    "identity::",
    "keyboard::",
    "load::",
    "message_looks::",
    "network::",
    "offline::",
    "reading::",
    "rooms::",
    "tabs::",
];

/// Scenarios that cannot hold there, with the reason.
const LEFT_OUT_OF_CLUSTER: [(&str, &str); 1] = [(
    "identity::the_settings_make_a_new_code_and_end_another_session",
    "a server says of a session that it is in use now only while it has a stream of it",
)];

pub(crate) fn run(browser: Choice, cluster: bool, names: &[String]) -> Result<()> {
    let mut steps = Steps::new(2);
    let (setup, firefox) = steps.step("Tools and browser", || {
        let firefox = matches!(browser, Choice::Firefox).then(Firefox::set_up).transpose()?;
        Ok((test::set_up()?, firefox))
    })?;
    steps.step("Page and server", || {
        page::build(&setup.tools.wasm)?;
        cargo(["build", "--package", "backend", "--features", "backend/cluster"]).run()
    })?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let program = match &firefox {
        Some(firefox) if names.is_empty() => in_firefox(&IN_FIREFOX, firefox),
        Some(firefox) => in_firefox(&names, firefox),
        None if cluster && names.is_empty() => in_cluster(&IN_CLUSTER),
        None if cluster => in_cluster(&names),
        None => scenarios(&names),
    };
    test::end_to_end_environment(program, &setup).run_visibly()
}

/// The short form in Firefox.
pub(crate) fn short_form_in_firefox(firefox: &Firefox) -> Program {
    in_firefox(&SHORT_FORM, firefox)
}

/// The tests whose names contain one of `names`; all of them when there is none.
fn scenarios(names: &[&str]) -> Program {
    cargo(["test", "--package", "e2e", "--test", "e2e", "--"]).arguments(names)
}

fn in_cluster(names: &[&str]) -> Program {
    scenarios(names).arguments(skipped(&LEFT_OUT_OF_CLUSTER)).env(harness::CLUSTER_VARIABLE, "1")
}

/// The words that leave scenarios out.
fn skipped(left_out: &[(&'static str, &str)]) -> Vec<&'static str> {
    let words = left_out.iter().flat_map(|(name, reason)| {
        note(&format!("{name} is left out: {reason}"));
        ["--skip", *name]
    });
    words.collect()
}

fn in_firefox(names: &[&str], Firefox { firefox, driver }: &Firefox) -> Program {
    let variable = harness::browser::Kind::VARIABLE;
    let program = scenarios(names).arguments(skipped(&LEFT_OUT_OF_FIREFOX));
    program.env(variable, "firefox").env("FIREFOX", firefox).env("GECKODRIVER", driver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_that_is_left_out_exists() {
        for (name, _) in LEFT_OUT_OF_FIREFOX.into_iter().chain(LEFT_OUT_OF_CLUSTER) {
            let (file, test) = name.split_once("::").unwrap();
            let source = crate::root().join(format!("dev/e2e/tests/it/{file}.rs"));
            let source = std::fs::read_to_string(source).unwrap();
            assert!(source.contains(&format!("async fn {test}(")), "{name}");
        }
    }
}
