//! What it costs to bring a stream to many players. Linux only: it reads `/proc`.
//!
//! ```text
//! cargo bench --bench fanout -- --scene one-stream --players 500 --proto rtmp --runtime tokio --secs 10
//! cargo bench --bench fanout -- --help
//! ```
//!
//! It starts the release server on one core, loads it from another, and prints what a delivered gigabit costs; beside it
//! a bare loop that writes the same frames to as many sockets, which is the floor, and nginx-rtmp where Debian's
//! `libnginx-mod-rtmp` is installed. All of them take turns, and the table has the medians of the rounds.
//!
//! Server, floor and load generator are processes of their own; all traffic stays on this machine, and everything ends
//! after a known time.
//!
//! | Column | Meaning |
//! |--|--|
//! | user, system, s/Gb | processor seconds of the server per gigabit that its players received, or took in if there are none |
//! | x floor | the same, as a multiple of the bare loop |
//! | core % | processor time over time |
//! | deliv % | bytes received over bytes published for these players; above 100 by the protocol's own bytes |
//! | lost % | frames missing between the first and the last of the players that are followed |
//! | delay | from the publisher's write of a frame until a followed player has its last byte |
//! | join | from `connect` to a player's first picture |
//! | failed | players that got no picture, or were cut off |
//! | KiB/player | growth of resident memory from before the first player came; kernel buffers are not in it |

mod floor;
mod load;
mod nginx;
mod options;
mod outcome;
mod progress;
mod report;
mod scenes;
mod scrape;
#[path = "../shared/mod.rs"]
mod shared;
mod subject;

use clap::Parser;
use options::{Cli, Load, Options, Role};
use outcome::Outcome;
use process::{Process, shell};
use scenes::{Case, Row};
use scrape::Scraper;
use shared::{conversation, media, process};
use std::io::{Error, Result};
use std::process::{ExitCode, Stdio};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.role {
        Some(Role::Launch(launch)) => Err(process::launch(&launch)),
        Some(Role::Load(options)) => load::run(&options),
        Some(Role::Floor) => floor::run(),
        None if cli.options.bench => measure(&cli.options),
        None => measure(&cli.options.shortened()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fanout: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<()> {
    process::raise_file_limit()?;
    let cores = Cores::pick(options)?;
    println!(
        "server on core {:?}, load on core {:?}, medians of {} rounds",
        cores.server, cores.load, options.rounds
    );
    for case in options.scene.cases(options) {
        println!("\n## {}", case.title);
        measure_case(options, &cores, &case)?;
    }
    Ok(())
}

/// Which cores run what.
struct Cores {
    server: Vec<usize>,
    load: Vec<usize>,
}

impl Cores {
    /// The last cores for the server, because the first one usually has the interrupts; the first for the load.
    fn pick(options: &Options) -> Result<Self> {
        let cpus = process::allowed_cpus()?;
        let workers = usize::from(options.workers.get());
        let server = cpus[cpus.len().saturating_sub(workers)..].to_vec();
        if workers >= cpus.len() {
            println!("not enough cores: server and load share one, figures are not comparable");
        }
        Ok(Cores {
            server,
            load: cpus[..1].to_vec(),
        })
    }
}

/// Runs every row once a round, so that what else the machine does falls on all of them alike.
fn measure_case(options: &Options, cores: &Cores, case: &Case) -> Result<()> {
    let mut outcomes = Vec::new();
    for row in &case.rows {
        match row.subject.absence() {
            Some(reason) => println!("left out: {reason}"),
            None => {
                row.subject.build()?;
                outcomes.push((row, Vec::new()));
            }
        }
    }
    for round in 0..options.rounds {
        for (row, runs) in &mut outcomes {
            runs.push(run(options, cores, case, row, round == 0)?);
        }
    }
    let rows: Vec<_> = outcomes
        .into_iter()
        .map(|(row, runs)| (row.subject.label(row.proto.name()), row.subject, runs))
        .collect();
    report::print(case, &rows);
    Ok(())
}

fn run(options: &Options, cores: &Cores, case: &Case, row: &Row, is_first: bool) -> Result<Outcome> {
    let server = row.subject.start(options, &cores.server)?;
    let mut load = Load {
        server: 0,
        rtmp: None,
        http: None,
        floor: None,
        proto: row.proto,
        workload: case.workload.clone(),
        secs: options
            .secs
            .next_multiple_of(media::GOP.as_secs())
            .max(media::GOP.as_secs()),
        samples: options.samples,
    };
    server.introduce(&mut load);
    let command = load.command()?;
    if is_first {
        println!("$ {}\n$ {}", server.command, shell(&command));
    }
    let mut process = Process::spawn(&command, &cores.load, Stdio::piped(), Stdio::inherit())?;
    let scraper = server.admin.map(Scraper::start);
    let outcome = Outcome::parse(process.lines());
    if let Some(scraper) = scraper {
        println!("{}", scraper.finish()?);
    }
    if !process.succeeded() {
        return Err(Error::other(format!("no outcome: {}", shell(&command))));
    }
    Ok(outcome)
}
