//! `cargo xtask e2e`: the end-to-end scenarios alone, in Chromium or Firefox.

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

/// The scenarios of the short form, in the tests: those that depend most on the browser.
const SHORT_FORM: [&str; 3] = ["connection::", "tabs::", "identity::"];

/// Scenarios that Firefox leaves out, with the reason.
const LEFT_OUT_OF_FIREFOX: [(&str, &str); 1] = [(
    "start::the_shell_is_replaced_without_a_shift",
    "it needs a view of 320 pixels, and a window of Firefox is at least 500 wide",
)];

pub(crate) fn run(browser: Choice, names: &[String]) -> Result<()> {
    let mut steps = Steps::new(2);
    let (setup, firefox) = steps.step("Tools and browser", || {
        let firefox = matches!(browser, Choice::Firefox).then(Firefox::set_up).transpose()?;
        Ok((test::set_up()?, firefox))
    })?;
    steps.step("Page and server", || {
        page::build(&setup.tools.wasm)?;
        cargo(["build", "--package", "backend"]).run()
    })?;
    let names = names.iter().map(String::as_str);
    let scenarios = test::end_to_end_environment(scenarios(names, firefox.is_some()), &setup);
    match &firefox {
        Some(firefox) => in_firefox(scenarios, firefox),
        None => scenarios,
    }
    .run_visibly()
}

/// The tests whose names contain one of `names`; all of them when there is none.
fn scenarios<'a>(names: impl Iterator<Item = &'a str>, is_firefox: bool) -> Program {
    let left_out = LEFT_OUT_OF_FIREFOX.iter().filter(|_| is_firefox);
    let skipped = left_out.flat_map(|(name, reason)| {
        note(&format!("{name} is left out: {reason}"));
        ["--skip", name]
    });
    cargo(["test", "--package", "e2e", "--test", "e2e", "--"]).arguments(names).arguments(skipped)
}

/// The short form in Firefox.
pub(crate) fn short_form_in_firefox(firefox: &Firefox) -> Program {
    in_firefox(scenarios(SHORT_FORM.into_iter(), true), firefox)
}

fn in_firefox(program: Program, Firefox { firefox, driver }: &Firefox) -> Program {
    let name = harness::browser::Kind::VARIABLE;
    program.env(name, "firefox").env("FIREFOX", firefox).env("GECKODRIVER", driver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_that_firefox_leaves_out_exists() {
        for (name, _) in LEFT_OUT_OF_FIREFOX {
            let (file, test) = name.split_once("::").unwrap();
            let source = crate::root().join(format!("dev/e2e/tests/it/{file}.rs"));
            let source = std::fs::read_to_string(source).unwrap();
            assert!(source.contains(&format!("async fn {test}(")), "{name}");
        }
    }
}
