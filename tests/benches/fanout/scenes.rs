//! The scenes: who publishes, who plays, and which servers are compared.

use crate::options::{Options, Proto, Workload};
use crate::subject::Subject;
use clap::ValueEnum;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scene {
    /// One stream, 500 players
    OneStream,
    /// 50 streams, 10 players each
    ManyStreams,
    /// 100 publishers, no player
    Publishers,
    /// 1,000 players come within 200 ms, to 100 that are there
    Joins,
    /// 200 players that read nothing, beside 50 that do
    Stalled,
    /// 5,000 players of a stream that is silent
    Idle,
    /// One stream by RTMP, by HTTP-FLV, and by both
    Protocols,
    /// One stream with frames that wait 0, 20 and 100 ms for others
    Merging,
    /// One stream, 1,500 players, then 3,000: more than one core can serve
    Overload,
    /// All of them, one after the other
    All,
}

/// One table: the same workload for each of its rows.
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) workload: Workload,
    pub(crate) rows: Vec<Row>,
}

/// One line of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) proto: Proto,
}

impl Scene {
    /// What to measure.
    pub(crate) fn cases(self, options: &Options) -> Vec<Case> {
        let players = |default| options.players.unwrap_or(default);
        let own = Workload {
            streams: 1,
            players: 0,
            stalled: 0,
            crowd: 0,
            silent: false,
        };
        let case = |title: String, workload, others: &[Subject], protos: &[Proto]| Case {
            title,
            workload,
            rows: rows(options, others, protos, &[options.merge.unwrap_or(0)]),
        };
        const BOTH: &[Proto] = &[Proto::Rtmp, Proto::Flv];
        const RTMP: &[Proto] = &[Proto::Rtmp];
        const ALL: &[Subject] = &[Subject::Floor, Subject::Nginx];
        // The bare loop knows neither publishers nor a cache.
        const SERVERS: &[Subject] = &[Subject::Nginx];
        match self {
            Scene::OneStream => {
                let players = players(500);
                let title = format!("one stream, {players} players");
                vec![case(title, Workload { players, ..own }, ALL, BOTH)]
            }
            Scene::ManyStreams => {
                let players = players(500);
                let title = format!("50 streams, {players} players");
                let workload = Workload {
                    streams: 50,
                    players,
                    ..own
                };
                vec![case(title, workload, ALL, BOTH)]
            }
            Scene::Publishers => {
                let title = "100 publishers, no player".to_owned();
                vec![case(title, Workload { streams: 100, ..own }, SERVERS, RTMP)]
            }
            Scene::Joins => {
                let crowd = players(1_000);
                let title = format!("{crowd} players come within 200 ms, beside 100");
                let workload = Workload {
                    players: 100,
                    crowd,
                    ..own
                };
                vec![case(title, workload, SERVERS, BOTH)]
            }
            Scene::Stalled => {
                let stalled = players(200);
                let title = format!("{stalled} players that read nothing, beside 50 that do");
                let workload = Workload {
                    players: 50,
                    stalled,
                    ..own
                };
                vec![case(title, workload, SERVERS, BOTH)]
            }
            Scene::Idle => {
                let players = players(5_000);
                let title = format!("{players} players of a silent stream");
                let workload = Workload {
                    players,
                    silent: true,
                    ..own
                };
                vec![case(title, workload, SERVERS, BOTH)]
            }
            Scene::Protocols => {
                let players = players(500);
                let title = format!("one stream, {players} players of either protocol and both");
                let protos = [Proto::Rtmp, Proto::Flv, Proto::Mixed];
                vec![case(title, Workload { players, ..own }, ALL, &protos)]
            }
            Scene::Merging => {
                let players = players(500);
                let merges = options.merge.map_or(vec![0, 20, 100], |merge| vec![merge]);
                vec![Case {
                    title: format!("one stream, {players} players, frames wait for others"),
                    workload: Workload { players, ..own },
                    rows: rows(options, ALL, BOTH, &merges),
                }]
            }
            Scene::Overload => {
                let counts = options.players.map_or(vec![1_500, 3_000], |players| vec![players]);
                let overload = |players| {
                    let title = format!("one stream, {players} players");
                    case(title, Workload { players, ..own }, ALL, RTMP)
                };
                counts.into_iter().map(overload).collect()
            }
            Scene::All => Scene::value_variants()
                .iter()
                .filter(|scene| **scene != Scene::All)
                .flat_map(|scene| scene.cases(options))
                .collect(),
        }
    }
}

/// The others first, then each runtime with each protocol and write merging.
fn rows(options: &Options, others: &[Subject], protos: &[Proto], merges: &[u64]) -> Vec<Row> {
    let asked = options.proto.as_ref().map(std::slice::from_ref);
    let other = |subject: &Subject| Row {
        subject: *subject,
        proto: Proto::Rtmp,
    };
    let mut rows: Vec<_> = others.iter().map(other).collect();
    for runtime in options.runtime.names() {
        for &proto in asked.unwrap_or(protos) {
            for &is_other in if options.beside.is_some() {
                &[false, true][..]
            } else {
                &[false]
            } {
                rows.extend(merges.iter().map(|&merge| Row {
                    subject: Subject::Headwater {
                        runtime,
                        merge,
                        is_other,
                    },
                    proto,
                }));
            }
        }
    }
    rows
}
