//! `cargo xtask test`: every test there is, and one line that counts them.

pub(crate) mod browser;
mod count;
mod faulty_server;
mod smoke;

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::{Result, bail};

use self::count::Count;
use crate::browser::{Browser, Firefox};
use crate::chaos;
use crate::clients::Clients;
use crate::command::{Program, cargo, interrupted};
use crate::conformance::{self, Programs, Transport};
use crate::e2e;
use crate::examples;
use crate::page;
use crate::server::binary;
use crate::step::{Steps, note, say};
use crate::tools::{Suite, Tools, axe, can_trace, nats_server, pebble, postgres, route_guide};

/// The features that no package has by default. One list for lints, documentation and tests: each other one would build its own
/// variants of shared dependencies.
pub(crate) const ALL_FEATURES: &str = "xtask/codegen,proto/server,grpc-inspect/client,backend/acme,backend/cluster,backend/otlp,backend/postgres";

/// Programs and files that the tests need.
pub(crate) struct Setup {
    path: OsString,
    pub(crate) tools: Tools,
    browser: Browser,
    axe: Option<PathBuf>,
    /// The script with the gRPC-Web clients in JavaScript.
    js_clients: Option<PathBuf>,
    suite: Option<Suite>,
    /// The certificate authority for tests.
    pebble: Option<PathBuf>,
    /// The server of NATS.
    nats_server: Option<PathBuf>,
    postgres: Option<PathBuf>,
    /// The folder with the server of gRPC's route guide, in Go.
    route_guide: Option<PathBuf>,
    /// Whether strace may follow another process.
    traces: bool,
}

pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new(9);
    let (setup, firefox) = steps
        .step("Tools and browsers", || Ok((set_up()?, optional(Firefox::set_up, "scenarios in Firefox")?)))?;
    let mut count = Count::default();
    steps.step("Page, optimised", || {
        let built = page::build(&setup.tools.wasm);
        stop_if_interrupted()?;
        count.check("commands", "the optimised page is built", built);
        Ok(())
    })?;
    steps.step("Tests on the host, and end to end", || on_the_host(&mut count, &setup))?;
    steps
        .step("Scenarios in Firefox, the short form", || in_firefox(&mut count, &setup, firefox.as_ref()))?;
    steps.step("The public conformance suite", || conformant(&mut count, &setup))?;
    steps.step("Tests in the browser", || in_the_browser(&mut count, &setup))?;
    steps.step("Chaos, the short form", || {
        count.check("chaos", "faults and attacks lose nothing, and other clients are served", chaos::short());
        stop_if_interrupted()?;
        if let Some(nats) = &setup.nats_server {
            let name = "faults of several servers of one chat and of their network lose nothing";
            count.check("chaos", name, chaos::short_cluster(nats));
        }
        stop_if_interrupted()
    })?;
    steps.step("The commands that the README names", || {
        smoke::run(&mut count, &setup.path)?;
        stop_if_interrupted()
    })?;
    steps.step("The applications in examples/", || check_examples(&mut count, &setup))?;

    for (kind, (passed, failed)) in &count.kinds {
        println!("{kind}: {passed} passed, {failed} failed");
    }
    println!("\nin {}", steps.elapsed());
    print_failures(&count);
    print_left_out(&setup, firefox.is_some());
    println!("{} passed, {} failed", count.passed, count.failed);
    if count.failed > 0 {
        // Readers of the output expect the line above at its end.
        std::process::exit(1);
    }
    Ok(())
}

/// Prints the failures again, as the steps' own lines may be far above.
fn print_failures(count: &Count) {
    for line in &count.explanations {
        println!("    {line}");
    }
    for failure in &count.failures {
        println!("FAILED: {failure}");
    }
}

/// Prints the tests that were left out, because something is not there.
fn print_left_out(setup: &Setup, has_firefox: bool) {
    if setup.axe.is_none() {
        println!("NOT RUN: the accessibility checks, for which npm has to be there");
    }
    if setup.js_clients.is_none() {
        println!("NOT RUN: calls by other gRPC-Web clients, for which npm has to be there");
    }
    if !has_firefox {
        println!("NOT RUN: scenarios in Firefox, for which firefox-esr and geckodriver have to be there");
    }
    if setup.suite.is_none() {
        println!("NOT RUN: conformance, for which Go has to be there and to reach its modules");
    }
    if setup.pebble.is_none() {
        println!(
            "NOT RUN: certificates from an authority, for which Go has to be there and to reach its modules"
        );
    }
    if setup.nats_server.is_none() {
        println!(
            "NOT RUN: several servers of one chat, for which Go has to be there and to reach its modules"
        );
    }
    if setup.postgres.is_none() {
        println!("NOT RUN: several servers of one chat on PostgreSQL, which has to be there");
    }
    if setup.route_guide.is_none() {
        println!(
            "NOT RUN: calls of the route guide's server, for which Go has to be there and to reach its modules"
        );
    }
    if !setup.traces {
        println!("NOT RUN: the test of syncs, for which strace has to be there and to be allowed");
    }
}

/// An error when this program was told to end: the failures that this causes do not count.
fn stop_if_interrupted() -> Result<()> {
    if interrupted() { bail!("stopped") } else { Ok(()) }
}

/// `cargo xtask shots`: pictures of the pages.
pub(crate) fn shots(folder: &str) -> Result<()> {
    let mut steps = Steps::new(3);
    let setup = steps.step("Tools and browser", set_up)?;
    steps.step("Page and server", || {
        page::build(&setup.tools.wasm)?;
        cargo(["build", "--package", "backend"]).run()
    })?;
    steps.step("Pictures", || {
        let arguments = ["run", "--package", "e2e", "--bin", "shots", "--", folder];
        end_to_end_environment(cargo(arguments), &setup).run()
    })
}

pub(crate) fn set_up() -> Result<Setup> {
    let tools = Tools::set_up()?;
    let browser = Browser::set_up()?;
    let axe = axe()?;
    if axe.is_none() {
        say("axe-core: npm is not there to fetch it; the accessibility checks WILL NOT RUN");
    }
    let js_clients = Clients::set_up()?.map(|clients| clients.interop()).transpose()?;
    if js_clients.is_none() {
        say("connect-web, grpc-web: npm is not there to fetch them; calls by them WILL NOT RUN");
    }
    let suite = optional(Suite::set_up, "conformance")?;
    let pebble = optional(pebble, "certificates from an authority")?;
    let nats_server = optional(nats_server, "several servers of one chat")?;
    let postgres = optional(postgres, "several servers of one chat on PostgreSQL")?;
    let route_guide = optional(route_guide, "calls of the route guide's server")?;
    let traces = can_trace();
    if !traces {
        say("strace: it is not there, or may follow no process; the test of syncs WILL NOT RUN");
    }
    Ok(Setup {
        path: tools.path()?,
        tools,
        browser,
        axe,
        js_clients,
        suite,
        pebble,
        nats_server,
        postgres,
        route_guide,
        traces,
    })
}

/// `None` where it is not there and cannot be installed: a machine without Go or network, or with an old Go. `tests` are not run then.
fn optional<T>(set_up: impl FnOnce() -> Result<T>, tests: &str) -> Result<Option<T>> {
    let found = set_up();
    stop_if_interrupted()?;
    Ok(found.inspect_err(|error| say(&format!("{error:#}; {tests} WILL NOT RUN"))).ok())
}

/// One command for all packages: each selection of packages would build its own variants of shared dependencies.
fn on_the_host(count: &mut Count, setup: &Setup) -> Result<()> {
    let mut arguments = vec!["test", "--workspace", "--no-fail-fast", "--features", ALL_FEATURES];
    let build = cargo(arguments.iter().copied().chain(["--no-run"]));
    let build = end_to_end_environment(build, setup).run();
    stop_if_interrupted()?;
    // The test command below counts packages that do not compile.
    build.ok();
    arguments.push("--");
    if setup.axe.is_none() {
        arguments.extend(["--skip", "accessibility::"]);
    }
    if setup.js_clients.is_none() {
        arguments.extend(["--skip", "interop::"]);
    }
    if setup.pebble.is_none() {
        arguments.extend(["--skip", "acme::"]);
    }
    if setup.nats_server.is_none() {
        arguments.extend(["--skip", "jetstream::", "--skip", "several_servers::"]);
    }
    if setup.postgres.is_none() {
        arguments.extend(["--skip", "postgres::"]);
    }
    if setup.route_guide.is_none() {
        arguments.extend(["--skip", "route_guide::"]);
    }
    if !setup.traces {
        arguments.extend(["--skip", "fsync::"]);
    }
    count.tests("on the host", end_to_end_environment(cargo(arguments), setup))?;
    // Without the feature, in the tests above, the channel refuses what it does here.
    let words = "test -p tonic-web-channel --features tls --test it -- tls::";
    count.tests("the channel with TLS", cargo(words.split(' ')))
}

/// The scenarios that depend most on the browser, with the programs that the tests on the host have built.
fn in_firefox(count: &mut Count, setup: &Setup, firefox: Option<&Firefox>) -> Result<()> {
    match firefox {
        Some(firefox) => {
            let scenarios = end_to_end_environment(e2e::short_form_in_firefox(firefox), setup);
            count.tests("in Firefox", scenarios)
        }
        None => {
            note("skipped: Firefox is not there");
            Ok(())
        }
    }
}

/// The conformance suite, with the programs that the tests on the host have built.
fn conformant(count: &mut Count, setup: &Setup) -> Result<()> {
    let Some(suite) = &setup.suite else {
        note("skipped: the suite is not there");
        return Ok(());
    };
    let browser = Some(setup.browser.chrome.clone());
    let programs = match Programs::build(suite, browser, Transport::Fetch) {
        Ok(programs) => programs,
        Err(error) => {
            count.check("conformance", "the page is built", Err(error));
            return stop_if_interrupted();
        }
    };
    for run in conformance::RUNS {
        count.check("conformance", run.name, programs.run(run));
        stop_if_interrupted()?;
    }
    Ok(())
}

/// As a person would type it; the runner in `.cargo/config.toml` is [`browser`].
fn in_the_browser(count: &mut Count, setup: &Setup) -> Result<()> {
    let arguments = "test --target wasm32-unknown-unknown -p frontend -p tonic-web-channel -p tonic-web-devtools --tests --no-fail-fast";
    let program = cargo(arguments.split(' '));
    count.tests("in the browser", program.env("CHINWAG_BACKEND", binary("debug")).env("PATH", &setup.path))
}

fn check_examples(count: &mut Count, setup: &Setup) -> Result<()> {
    for example in examples::all()? {
        count.check("examples", &example.name(), example.check(&setup.tools, &setup.browser));
        stop_if_interrupted()?;
    }
    Ok(())
}

pub(crate) fn end_to_end_environment(program: Program, setup: &Setup) -> Program {
    let program = program
        .env("CHINWAG_BACKEND", binary("debug"))
        .env("CHINWAG_DIST", page::dist())
        .env("CHROME", &setup.browser.chrome)
        .env("CHROMEDRIVER", &setup.browser.driver);
    let found = [
        ("CHINWAG_AXE", &setup.axe),
        ("CHINWAG_JS_CLIENTS", &setup.js_clients),
        ("CHINWAG_NATS", &setup.nats_server),
        ("CHINWAG_PEBBLE", &setup.pebble),
        ("CHINWAG_POSTGRES", &setup.postgres),
        ("CHINWAG_ROUTE_GUIDE", &setup.route_guide),
    ];
    let program = found.into_iter().fold(program, |program, (name, script)| match script {
        Some(file) => program.env(name, file),
        None => program,
    });
    match &setup.suite {
        Some(suite) => suite.contracts(program),
        None => program,
    }
}

/// A port that is free now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
