//! Each case of the verdict, and what is said of it.

use super::facts::{Client, Facts, Media, Publisher, Refused};
use super::verdict::verdict;
use crate::hub::{Awaits, SubscriberStats};
use crate::media::Codec;
use crate::server::{Intent, RoleKind};
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A stream with which nothing is wrong.
fn well() -> Facts {
    Facts {
        stream: "live/x".into(),
        publisher: Some(Publisher {
            who: "192.0.2.1:5000 by rtmp".into(),
            age: secs(60),
            ..Publisher::default()
        }),
        media: Media {
            video: Some(Codec::Avc),
            audio_frames: 2_800,
            video_frames: 1_800,
            keyframes: 30,
            last_keyframe: Some(secs(1)),
            last_frame: Some(Duration::from_millis(140)),
            gop: Some(secs(2)),
            ..Media::default()
        },
        gop_bounds: "32 MiB".into(),
        players: 3,
        ..Facts::default()
    }
}

/// The same, without anybody who publishes.
fn unpublished() -> Facts {
    Facts {
        publisher: None,
        media: Media::default(),
        players: 0,
        ..well()
    }
}

/// The same as `well`, asked for a player.
fn watched(change: impl FnOnce(&mut Client)) -> Facts {
    let mut client = Client {
        number: 7,
        role: Some(RoleKind::Plays),
        last_write: Duration::from_millis(90),
        ..Client::default()
    };
    change(&mut client);
    Facts {
        asked_for: Some(7),
        client: Some(client),
        ..well()
    }
}

fn with_media(change: impl FnOnce(&mut Media)) -> Facts {
    let mut facts = well();
    change(&mut facts.media);
    facts
}

fn refused(intent: Intent, seconds: u64) -> Refused {
    Refused {
        ago: secs(seconds),
        who: "192.0.2.9:6000".into(),
        client: 7,
        intent,
        rule: "taken",
        reason: "the stream has a publisher".into(),
        is_of_stream: true,
    }
}

#[track_caller]
fn expect(facts: &Facts, case: &str, sentence: &str) {
    assert_eq!(verdict(facts), (case, sentence.to_string()));
}

#[test]
fn a_stream_and_a_player_are_well() {
    expect(
        &well(),
        "well",
        "all is well here: the last frame of live/x came 0.1 s ago, and 3 players get it",
    );
    expect(
        &watched(|_| {}),
        "well",
        "all is well here: frames of live/x went out to connection 7 0.0 s ago",
    );
}

#[test]
fn a_ban_of_the_name_comes_first() {
    let facts = Facts {
        ban: Some(secs(42)),
        grace: Some((secs(1), secs(9))),
        ..unpublished()
    };
    expect(
        &facts,
        "banned",
        "an operator keeps everybody from live/x for 42.0 s more",
    );
}

#[test]
fn a_ban_of_an_address_is_of_its_client() {
    expect(
        &watched(|client| client.ban = Some(secs(42))),
        "client_banned",
        "an operator keeps the address of connection 7 from live/x for 42.0 s more",
    );
}

#[test]
fn a_refused_client_is_told_by_which_rule() {
    let facts = Facts {
        asked_for: Some(7),
        refusals: vec![refused(Intent::Play, 3)],
        ..well()
    };
    expect(
        &facts,
        "client_refused",
        "connection 7 may not play live/x: 3.0 s ago it was told that the stream has a publisher (taken)",
    );
    // One that has got in since is not.
    let facts = Facts {
        refusals: vec![refused(Intent::Play, 3)],
        ..watched(|_| {})
    };
    assert_eq!(verdict(&facts).0, "well");
}

#[test]
fn a_worker_that_is_missing_may_have_the_publisher() {
    let facts = Facts {
        missing: vec![1],
        ..unpublished()
    };
    expect(
        &facts,
        "worker_missing",
        "worker 1 does not answer, and no other has a publisher of live/x",
    );
    let facts = Facts {
        missing: vec![1],
        ..well()
    };
    assert_eq!(verdict(&facts).0, "well");
}

#[test]
fn a_publisher_that_left_may_come_back() {
    let facts = Facts {
        grace: Some((secs(3), secs(7))),
        ..unpublished()
    };
    expect(
        &facts,
        "in_grace",
        "the publisher of live/x left 3.0 s ago; its players wait 7.0 s more for it to come back",
    );
}

#[test]
fn a_publisher_that_was_refused_is_named() {
    let facts = Facts {
        refusals: vec![refused(Intent::Play, 1), refused(Intent::Publish, 3)],
        ..unpublished()
    };
    expect(
        &facts,
        "publisher_refused",
        "nobody publishes live/x: 3.0 s ago 192.0.2.9:6000 was told that the stream has a publisher (taken)",
    );
    for refusals in [vec![refused(Intent::Play, 3)], vec![refused(Intent::Publish, 60)]] {
        let facts = Facts {
            refusals,
            ..unpublished()
        };
        assert_eq!(verdict(&facts).0, "nobody_publishes");
    }
}

#[test]
fn a_publisher_that_sends_nothing_has_no_name_yet() {
    let facts = Facts {
        newcomer: Some(("192.0.2.9:6000".into(), secs(4))),
        ..unpublished()
    };
    expect(
        &facts,
        "publisher_waits",
        "192.0.2.9:6000 wants to publish live/x, has been connected for 4.0 s and has sent no media",
    );
}

#[test]
fn a_name_that_nobody_publishes_has_similar_ones() {
    expect(&unpublished(), "nobody_publishes", "nobody publishes live/x");
    let facts = Facts {
        similar: vec!["live/y".into(), "app/x".into()],
        ..unpublished()
    };
    expect(
        &facts,
        "nobody_publishes",
        "nobody publishes live/x; a similar name is published: live/y, app/x",
    );
}

#[test]
fn a_client_may_have_to_do_with_something_else() {
    let elsewhere = watched(|client| {
        client.role = None;
        client.elsewhere = Some("live/y".into());
    });
    expect(
        &elsewhere,
        "client_elsewhere",
        "connection 7 has to do with live/y, not with live/x",
    );
    expect(
        &watched(|client| client.role = None),
        "client_elsewhere",
        "connection 7 has asked for no stream, or waits to be allowed to",
    );
}

#[test]
fn a_publisher_may_have_sent_no_media() {
    let facts = Facts {
        media: Media::default(),
        ..well()
    };
    expect(
        &facts,
        "no_media",
        "192.0.2.1:5000 by rtmp publishes live/x since 60.0 s and has sent no media yet",
    );
}

#[test]
fn a_publisher_may_have_fallen_silent() {
    let last = |millis| with_media(|media| media.last_frame = Some(Duration::from_millis(millis)));
    assert_eq!(verdict(&last(4_999)).0, "well");
    expect(
        &last(5_000),
        "silent",
        "the last frame of live/x came 5.0 s ago, though its publisher is connected",
    );
}

#[test]
fn video_without_its_header_is_of_no_use() {
    let facts = with_media(|media| {
        media.video = None;
        media.without_header = 90;
        media.keyframes = 0;
    });
    expect(
        &facts,
        "without_header",
        "the video frames of live/x come without a sequence header, and no decoder can do without: 90 were left out",
    );
}

#[test]
fn a_stream_may_have_sound_only() {
    let facts = with_media(|media| {
        media.video_frames = 0;
        media.keyframes = 0;
    });
    expect(
        &facts,
        "sound_only",
        "live/x has sound only: no video frame has come in 60.0 s",
    );
}

#[test]
fn a_first_keyframe_may_not_have_come_yet() {
    expect(
        &with_media(|media| media.keyframes = 0),
        "no_keyframe",
        "no keyframe of live/x has come yet since 60.0 s, and players begin with one",
    );
}

#[test]
fn keyframes_may_be_too_far_apart() {
    expect(
        &with_media(|media| media.gop_overflows = 1),
        "keyframes_too_far_apart",
        "the keyframes of live/x are too far apart: from one to the next it is more than the GOP cache holds (32 MiB), and \
         players that join wait for the next",
    );
    for (gop, last, what) in [
        (Some(secs(20)), secs(1), "one comes every 20.0 s"),
        (None, secs(12), "the last came 12.0 s ago"),
    ] {
        let facts = with_media(|media| {
            media.gop = gop;
            media.last_keyframe = Some(last);
        });
        let (case, sentence) = verdict(&facts);
        assert_eq!(case, "keyframes_too_far_apart");
        assert!(
            sentence.contains(what) && sentence.contains("more than 10.0 s"),
            "{sentence}"
        );
        // What it goes by is marked.
        let list = facts.list().into_iter();
        let marked = list.filter(|fact| fact.what.contains("keyframes") && !fact.is_fine);
        let expected = if gop.is_some() {
            "time between keyframes"
        } else {
            "keyframes"
        };
        assert_eq!(marked.map(|fact| fact.what).collect::<Vec<_>>(), [expected]);
    }
    let facts = with_media(|media| {
        media.gop = Some(secs(10));
        media.last_keyframe = Some(secs(10));
    });
    assert_eq!(verdict(&facts).0, "well");
}

#[test]
fn a_player_may_wait_for_something() {
    for (awaits, what) in [
        (Awaits::Resume, "it has paused"),
        (
            Awaits::Tracks,
            "it waits until the stream is known to have sound and video, which its FLV header names",
        ),
        (Awaits::Keyframe, "it waits for a keyframe"),
    ] {
        let (case, sentence) = verdict(&watched(|client| client.awaits = Some(awaits)));
        assert_eq!(case, "player_waits");
        assert_eq!(sentence, alloc::format!("connection 7 gets no video of live/x: {what}"));
    }
}

#[test]
fn a_player_may_take_nothing() {
    let taking = |queued, seconds| {
        watched(|client| {
            client.queued = queued;
            client.last_write = secs(seconds);
        })
    };
    expect(
        &taking(900, 5),
        "player_takes_nothing",
        "connection 7 has taken nothing for 5.0 s: 900 bytes wait for it",
    );
    for facts in [taking(900, 4), taking(0, 5)] {
        assert_eq!(verdict(&facts).0, "well");
    }
}

#[test]
fn a_player_may_be_too_slow() {
    let facts = watched(|client| {
        client.frames = SubscriberStats {
            missed_inter: 40,
            missed_by_skip: 2,
            ..SubscriberStats::default()
        };
    });
    expect(
        &facts,
        "player_too_slow",
        "connection 7 is too slow for live/x: it has missed 42 frames so far",
    );
    let behind = |millis| watched(|client| client.lag.age = Duration::from_millis(millis));
    assert_eq!(verdict(&behind(2_999)).0, "well");
    expect(
        &behind(3_000),
        "player_too_slow",
        "connection 7 is too slow for live/x: it is 3.0 s behind",
    );
    let marks_lag = |facts: &Facts| facts.list().iter().any(|fact| fact.what == "lag" && !fact.is_fine);
    assert!(marks_lag(&behind(3_000)) && !marks_lag(&behind(2_999)));
}

#[test]
fn a_codec_may_be_one_that_few_players_know() {
    for codec in [Codec::Hevc, Codec::Av1] {
        let (case, sentence) = verdict(&with_media(|media| media.video = Some(codec)));
        assert_eq!(case, "rare_codec");
        assert!(
            sentence.starts_with(&alloc::format!("live/x is {codec},")),
            "{sentence}"
        );
    }
}
