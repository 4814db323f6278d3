//! Peers whose connections are reset after each thing that they can say.

use crate::good::{Good, flv_head, sound, tag};
use crate::peers::{KINDS, Kind, reset};
use crate::support::http;
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long descriptors may stay taken. smol looks for resets of some connections once a second.
const BACK_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn a_reset_in_any_state_leaves_nothing_behind() {
    crate::on_every_runtime(&[1, 2], |runtime| {
        let server = runtime.start(&["--grace", "1"]);
        let good = Good::start(&server);
        let files = server.files();
        let mut names = vec![];
        for kind in KINDS {
            for steps in 0..=kind.steps("").len() {
                // Each alone, and players also where there is something to play.
                let name = format!("{kind:?}{steps}");
                reset(kind.connect(&server, &name, steps));
                names.push(name);
                if !matches!(kind, Kind::RtmpPublisher | Kind::HttpPublisher) {
                    reset(kind.connect(&server, "good", steps));
                }
            }
        }
        server.wait_for_files(files, BACK_WITHIN);
        // Every name is free, also for a stranger.
        let content = [flv_head(), tag(&sound(0))].concat();
        for name in names {
            let source = Ipv4Addr::new(127, 0, 0, 2);
            let response = http::post_from(source, server.http, &format!("/live/{name}"), &content);
            assert_eq!(response.status, 200, "{name}");
        }
        good.finish();
        server.wait_for_files(files - 2, BACK_WITHIN);
        for (begin, end) in [("publish started", "publish ended"), ("play started", "play ended")] {
            let begun = server.count_lines(begin);
            // Its socket may be closed before the last line has come here.
            server.wait_for_lines(&[end], begun);
            assert_eq!(server.count_lines(end), begun, "{begin}");
        }
    });
}
