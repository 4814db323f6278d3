//! Servers under a load of every kind, for as long as one likes. Linux only: it reads `/proc`.
//!
//! ```text
//! cargo bench --all-features --bench soak -- --runtime all --minutes 30
//! cargo bench --all-features --bench soak -- --minutes 5 --netem 'delay 40ms 10ms loss 1%'
//! cargo bench --all-features --bench soak -- --help
//! ```
//!
//! The release binaries of the runtimes run at the same time, each with default flags and with peers of its own: two good
//! publishers, by RTMP and by HTTP, and their players by RTMP, HTTP-FLV and WebSocket, of whom some stay and some come and
//! go; publishers that leave without a word, come back, and contend for a name; players that stall, crawl and vanish; and
//! senders of garbage. A good player checks every frame, by its number and its checksum, and its timeline.
//!
//! At the end all peers leave. Then these must be true of each server: no good player has missed anything; its own counters
//! are those of its peers; its descriptors are back, its memory has not grown after the first minutes (the median of the
//! last third of the time is at most 2 % and 1 MiB above that of the second fifth, with an allocator that gives back what is
//! free), and it ends with 0 at SIGTERM. The program says so, and its exit code is 0 if all of it is true.
//!
//! The peers are one thread of one process.

mod netem;
mod options;
#[path = "../shared/mod.rs"]
mod shared;
mod verdict;
mod world;

use clap::Parser;
use netem::Networks;
use options::{Cli, Options, Role};
use shared::media;
use shared::process::{self, Process, ProcessorTime};
use shared::server::{Sample, Server};
use std::cell::RefCell;
use std::fs::File;
use std::io::{Error, Result, Write};
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::time::Duration;
use tokio::task::spawn_local;
use tokio::time::sleep;
use world::World;

/// Has glibc give back what is free, so that what a server keeps can be seen: each large block that is freed raises the size from
/// which blocks go back at once, and each thread has an arena of its own, in which frames that are freed by another stay holes.
/// It does not make memory flat in every run: resident MiB in the second fifth and in the last third were 23.9 and 24.3 in one of 24
/// minutes, and 26.5 and 30.4 (tokio), 28.7 and 30.0 (smol), 28.0 and 30.6 (mio) in one of 30. With jemalloc, by `LD_PRELOAD`, they
/// were 24.1 and 23.9 in one of 11.
const ALLOCATOR: [(&str, &str); 3] = [
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
    ("MALLOC_ARENA_MAX", "1"),
];

/// Between two lines that say how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.role {
        Some(Role::Launch(launch)) => Err(process::launch(&launch)),
        Some(Role::Wire(role)) => netem::be_wire(&role).map(|()| true),
        None => match &cli.options.netem {
            Some(netem) if cli.options.inside.is_none() => soak_in_networks(netem),
            _ => soak(&cli.options),
        },
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The same, in namespaces.
fn soak_in_networks(netem: &str) -> Result<bool> {
    let networks = Networks::create(netem)?;
    Ok(networks.run_inside()?.success())
}

/// Returns whether all servers were up to it.
fn soak(options: &Options) -> Result<bool> {
    process::raise_file_limit()?;
    let plan = options.plan();
    let mut servers = Vec::new();
    for (name, binary) in options.runtime.binaries() {
        let (mut command, address) = match &options.inside {
            Some(networks) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &netem::servers(networks), binary]);
                (command, netem::SERVERS)
            }
            None => (Command::new(binary), "127.0.0.1"),
        };
        command.envs(ALLOCATOR);
        let server = Server::start(name, &mut command, address, Process::spawn_server)?;
        println!("{name}: {binary} on {} and {}", server.rtmp, server.http);
        servers.push(server);
    }
    let samples = options.samples.as_ref().map(File::create).transpose()?;
    let samples = Rc::new(RefCell::new(samples));
    let began = media::now();
    println!("{:.1} min, seed {}", plan.time.as_secs_f64() / 60.0, plan.seed);
    let verdicts = shared::block_on(async {
        let worlds: Vec<_> = servers.iter().map(|server| World::new(server, plan.clone())).collect();
        let progress = spawn_local(report_progress(worlds.clone()));
        let runs: Vec<_> = servers
            .into_iter()
            .zip(worlds)
            .map(|(mut server, world)| {
                let samples = samples.clone();
                spawn_local(async move {
                    let name = server.name;
                    let on_sample = |sample: &Sample| {
                        if let Some(file) = samples.borrow_mut().as_mut() {
                            // A full disk is no reason to stop.
                            let _ = write_sample(file, name, began, sample);
                        }
                    };
                    let verdict = world.run(&mut server, on_sample).await;
                    (name, verdict)
                })
            })
            .collect();
        let mut verdicts = Vec::new();
        for run in runs {
            verdicts.push(run.await.map_err(Error::other)?);
        }
        progress.abort();
        Ok::<_, Error>(verdicts)
    })??;
    let mut is_good = true;
    for (name, verdict) in verdicts {
        let verdict = verdict?;
        println!(
            "\n{name}: {}\n{verdict}",
            if verdict.is_good() { "good" } else { "NOT GOOD" }
        );
        is_good &= verdict.is_good();
    }
    let time = ProcessorTime::of(std::process::id())?;
    let share = (time.user + time.system) / (media::now() - began).as_secs_f64();
    println!("the peers took {:.1} % of a core", share * 100.0);
    println!("{}", if is_good { "all good" } else { "NOT GOOD" });
    Ok(is_good)
}

async fn report_progress(worlds: Vec<Rc<World>>) {
    let began = media::now();
    loop {
        sleep(PROGRESS).await;
        let tallies = worlds.iter().map(|world| world.tally.borrow());
        let (mut plays, mut frames, mut deeds, mut faults) = (0, 0, 0, 0);
        for tally in tallies {
            plays += tally.plays.len();
            frames += tally.frames;
            deeds += tally.counts.values().sum::<u64>();
            faults += tally.fault_count;
        }
        let seconds = (media::now() - began).as_secs();
        println!(
            "{seconds:>5} s: {plays} good plays over, {frames} frames in them; {deeds} other deeds; {faults} faults"
        );
    }
}

fn write_sample(file: &mut File, name: &str, began: Duration, sample: &Sample) -> Result<()> {
    writeln!(
        file,
        "{name},{:.1},{},{},{},{:.2}",
        (sample.at - began).as_secs_f64(),
        sample.memory,
        sample.files,
        sample.threads,
        sample.processor
    )
}
