//! What is the first thing wrong with a stream or its player: a table of cases over plain facts.

use super::facts::{Facts, Refused, seconds};
use crate::hub::Awaits;
use crate::media::Codec;
use crate::server::{Intent, PUBLISHER_SILENCE};
use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

/// The longest time from one keyframe to the next that nobody complains of. 10 s: encoders are set to 1 to 4 s, and a player that
/// needs a keyframe sees nothing for so long.
pub(super) const MAX_KEYFRAME_GAP: Duration = Duration::from_secs(10);

/// How long a player may take nothing of what waits for it. 5 s: longer than a network pauses.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How far a player may be behind its stream. 3 s: as long as most hold back themselves.
pub(super) const MAX_LAG: Duration = Duration::from_secs(3);

/// How old a refusal may be to be the reason. A minute: encoders try again within seconds, and people soon.
const REFUSAL_COUNTS_FOR: Duration = Duration::from_secs(60);

/// What is said, if the case is given.
type Rule = fn(&Facts) -> Option<String>;

/// The cases in the order in which they are looked for, by names that stay. The first that is given is the verdict.
const CASES: [(&str, Rule); 19] = [
    ("banned", banned),
    ("client_banned", client_banned),
    ("client_refused", client_refused),
    ("worker_missing", worker_missing),
    ("in_grace", in_grace),
    ("publisher_refused", publisher_refused),
    ("publisher_waits", publisher_waits),
    ("nobody_publishes", nobody_publishes),
    ("client_elsewhere", client_elsewhere),
    ("no_media", no_media),
    ("silent", silent),
    ("without_header", without_header),
    ("sound_only", sound_only),
    ("no_keyframe", no_keyframe),
    ("keyframes_too_far_apart", keyframes_too_far_apart),
    ("player_waits", player_waits),
    ("player_takes_nothing", player_takes_nothing),
    ("player_too_slow", player_too_slow),
    ("rare_codec", rare_codec),
];

/// The case if nothing is wrong.
pub(super) const WELL: &str = "well";

/// Which case it is, and a sentence that says so.
pub(super) fn verdict(facts: &Facts) -> (&'static str, String) {
    let mut cases = CASES.iter();
    let given = cases.find_map(|(case, rule)| Some((*case, rule(facts)?)));
    given.unwrap_or_else(|| (WELL, well(facts)))
}

fn banned(facts: &Facts) -> Option<String> {
    let left = facts.ban?;
    Some(format!(
        "an operator keeps everybody from {} for {} more",
        facts.stream,
        seconds(left)
    ))
}

fn client_banned(facts: &Facts) -> Option<String> {
    let client = facts.client.as_ref()?;
    let left = seconds(client.ban?);
    Some(format!(
        "an operator keeps the address of {} from {} for {left} more",
        client.name(),
        facts.stream
    ))
}

fn client_refused(facts: &Facts) -> Option<String> {
    let number = facts.asked_for?;
    let has_role = facts.client.as_ref().is_some_and(|client| client.role.is_some());
    let refused = facts.refusals.iter().find(|it| it.client == number);
    let Refused {
        ago,
        intent,
        rule,
        reason,
        ..
    } = refused.filter(|_| !has_role)?;
    Some(format!(
        "connection {number} may not {} {}: {} ago it was told that {reason} ({rule})",
        intent.as_str(),
        facts.stream,
        seconds(*ago)
    ))
}

fn worker_missing(facts: &Facts) -> Option<String> {
    let worker = facts.missing.first().filter(|_| facts.publisher.is_none())?;
    Some(format!(
        "worker {worker} does not answer, and no other has a publisher of {}",
        facts.stream
    ))
}

fn in_grace(facts: &Facts) -> Option<String> {
    let (since, left) = facts.grace.filter(|_| facts.publisher.is_none())?;
    Some(format!(
        "the publisher of {} left {} ago; its players wait {} more for it to come back",
        facts.stream,
        seconds(since),
        seconds(left)
    ))
}

fn publisher_refused(facts: &Facts) -> Option<String> {
    let mut refusals = facts.refusals.iter().filter(|_| facts.publisher.is_none());
    let refused = refusals.find(|it| it.intent == Intent::Publish && it.ago < REFUSAL_COUNTS_FOR && it.is_of_stream)?;
    let Refused {
        ago, who, rule, reason, ..
    } = refused;
    Some(format!(
        "nobody publishes {}: {} ago {who} was told that {reason} ({rule})",
        facts.stream,
        seconds(*ago)
    ))
}

fn publisher_waits(facts: &Facts) -> Option<String> {
    let (who, age) = facts.newcomer.as_ref().filter(|_| facts.publisher.is_none())?;
    Some(format!(
        "{who} wants to publish {}, has been connected for {} and has sent no media",
        facts.stream,
        seconds(*age)
    ))
}

fn nobody_publishes(facts: &Facts) -> Option<String> {
    if facts.publisher.is_some() {
        return None;
    }
    Some(match &facts.similar[..] {
        [] => format!("nobody publishes {}", facts.stream),
        names => format!(
            "nobody publishes {}; a similar name is published: {}",
            facts.stream,
            names.join(", ")
        ),
    })
}

fn client_elsewhere(facts: &Facts) -> Option<String> {
    let client = facts.client.as_ref().filter(|client| client.role.is_none())?;
    Some(match &client.elsewhere {
        Some(other) => format!("{} has to do with {other}, not with {}", client.name(), facts.stream),
        None => format!("{} has asked for no stream, or waits to be allowed to", client.name()),
    })
}

fn no_media(facts: &Facts) -> Option<String> {
    let publisher = facts.publisher.as_ref()?;
    (facts.media.audio_frames + facts.media.video_frames == 0).then(|| {
        format!(
            "{} publishes {} since {} and has sent no media yet",
            publisher.who,
            facts.stream,
            seconds(publisher.age)
        )
    })
}

fn silent(facts: &Facts) -> Option<String> {
    let ago = facts.media.last_frame.filter(|ago| *ago >= PUBLISHER_SILENCE)?;
    Some(format!(
        "the last frame of {} came {} ago, though its publisher is connected",
        facts.stream,
        seconds(ago)
    ))
}

fn without_header(facts: &Facts) -> Option<String> {
    let media = &facts.media;
    (media.without_header > 0 && media.video_frames > 0 && media.video.is_none()).then(|| {
        format!(
            "the video frames of {} come without a sequence header, and no decoder can do without: {} were left out",
            facts.stream, media.without_header
        )
    })
}

fn sound_only(facts: &Facts) -> Option<String> {
    let age = facts.publisher.as_ref()?.age;
    (facts.media.video_frames == 0).then(|| {
        format!(
            "{} has sound only: no video frame has come in {}",
            facts.stream,
            seconds(age)
        )
    })
}

fn no_keyframe(facts: &Facts) -> Option<String> {
    let age = facts.publisher.as_ref()?.age;
    (facts.media.keyframes == 0).then(|| {
        format!(
            "no keyframe of {} has come yet since {}, and players begin with one",
            facts.stream,
            seconds(age)
        )
    })
}

fn keyframes_too_far_apart(facts: &Facts) -> Option<String> {
    let (media, stream) = (&facts.media, &facts.stream);
    if media.gop_overflows > 0 {
        let bounds = &facts.gop_bounds;
        return Some(format!(
            "the keyframes of {stream} are too far apart: from one to the next it is more than the GOP cache holds ({bounds}), \
             and players that join wait for the next"
        ));
    }
    let bound = seconds(MAX_KEYFRAME_GAP);
    let last = media.last_keyframe.filter(|ago| *ago > MAX_KEYFRAME_GAP);
    let gop = media.gop.filter(|gop| *gop > MAX_KEYFRAME_GAP);
    let what = match (gop, last) {
        (Some(gop), _) => format!("one comes every {}", seconds(gop)),
        (None, Some(ago)) => format!("the last came {} ago", seconds(ago)),
        (None, None) => return None,
    };
    Some(format!(
        "the keyframes of {stream} are too far apart: {what}, and more than {bound} is long for a player that needs one"
    ))
}

fn player_waits(facts: &Facts) -> Option<String> {
    let client = facts.client.as_ref()?;
    let what = match client.awaits? {
        Awaits::Resume => "it has paused",
        Awaits::Tracks => "it waits until the stream is known to have sound and video, which its FLV header names",
        Awaits::Keyframe => "it waits for a keyframe",
    };
    Some(format!("{} gets no video of {}: {what}", client.name(), facts.stream))
}

fn player_takes_nothing(facts: &Facts) -> Option<String> {
    let client = facts.client.as_ref().filter(|client| client.queued > 0)?;
    (client.last_write >= MAX_PAUSE).then(|| {
        format!(
            "{} has taken nothing for {}: {} bytes wait for it",
            client.name(),
            seconds(client.last_write),
            client.queued
        )
    })
}

fn player_too_slow(facts: &Facts) -> Option<String> {
    let client = facts.client.as_ref()?;
    let (missed, behind) = (client.frames.missed(), client.lag.age);
    let what = match () {
        () if missed > 0 => format!("has missed {missed} frames so far"),
        () if behind >= MAX_LAG => format!("is {} behind", seconds(behind)),
        () => return None,
    };
    Some(format!("{} is too slow for {}: it {what}", client.name(), facts.stream))
}

fn rare_codec(facts: &Facts) -> Option<String> {
    let codec = facts.media.video.filter(|codec| *codec != Codec::Avc)?;
    Some(format!(
        "{} is {codec}, which many players cannot decode; H.264 they all can",
        facts.stream
    ))
}

fn well(facts: &Facts) -> String {
    let stream = &facts.stream;
    if let Some(client) = facts.client.as_ref().filter(|client| client.plays()) {
        let ago = seconds(client.last_write);
        return format!(
            "all is well here: frames of {stream} went out to {} {ago} ago",
            client.name()
        );
    }
    let ago = seconds(facts.media.last_frame.unwrap_or_default());
    let players = match facts.players {
        1 => "1 player gets it".to_string(),
        players => format!("{players} players get it"),
    };
    format!("all is well here: the last frame of {stream} came {ago} ago, and {players}")
}
