//! The page for operators, in a browser, on each binary.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

#[path = "../core/tests/script/frames.rs"]
mod frames;
#[macro_use]
mod support;

use serde_json::Value;
use std::fs;
use std::process::Command;
use support::browser::Browser;
use support::clips::{MP3, TYPICAL};
use support::server::{Runtime, Server};
use support::{browser, ffmpeg, http};

/// What the picture on the page is like, in JSON.
const PICTURE: &str = "const video = document.querySelector('video');
    return { time: video.currentTime, width: video.videoWidth, height: video.videoHeight,
        frames: video.getVideoPlaybackQuality().totalVideoFrames, sound: video.webkitAudioDecodedByteCount };";

fn is_available() -> bool {
    ffmpeg::is_available() && browser::is_available()
}

fn start(runtime: Runtime, flags: &[&str]) -> (Server, String) {
    let server = runtime.start(&[&["--admin-address", "127.0.0.1:0"], flags].concat());
    let page = format!("http://{}/", server.admin.unwrap());
    (server, page)
}

/// The width, the height and the rate of the pictures of a file, as ffprobe says.
fn probed(file: &std::path::Path) -> (String, String) {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-of", "csv=p=0"]);
    command
        .args(["-show_entries", "stream=width,height,r_frame_rate"])
        .arg(file);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let fields: Vec<_> = text.trim().split(',').collect();
    (
        format!("{}×{}", fields[0], fields[1]),
        fields[2].split('/').next().unwrap().to_owned(),
    )
}

fn a_stream_appears_plays_and_is_ended(runtime: Runtime) {
    if !is_available() {
        return;
    }
    let (server, page) = start(runtime, &[]);
    let browser = Browser::start();
    browser.open(&page);
    browser.wait_for("return document.querySelector('.empty h1')?.textContent === 'No stream yet'");
    browser.wait_for(&format!(
        "return document.body.innerText.includes('rtmp://127.0.0.1:{}/live')",
        server.rtmp.port()
    ));

    let publisher = ffmpeg::publish_again_and_again(TYPICAL, &server.rtmp_url("live/studio-1"));
    browser.wait_for("return document.querySelector('.stream h2')?.textContent === 'live/studio-1'");
    let (size, rate) = probed(&TYPICAL.path());
    let about = format!("const about = document.querySelector('.stream .about').textContent; return about.includes('H264')
        && about.includes('{size}') && about.includes('AAC') && Math.round(parseFloat(about.split('{size} ')[1])) === {rate}");
    browser.wait_for(&about);

    browser.run("document.querySelector('.stream').click()");
    browser.wait_for("return document.querySelector('h1')?.textContent === 'live/studio-1'");
    browser.run("document.querySelector('.watch').click()");
    browser.wait_for("return document.querySelector('video').currentTime > 2");
    let picture = browser.run(PICTURE);
    assert_eq!(format!("{}×{}", picture["width"], picture["height"]), size);
    assert!(picture["frames"].as_u64() > Some(25), "{picture}");
    assert!(picture["sound"].as_u64() > Some(1_000), "{picture}");
    // The page is its player, near to the live edge.
    browser.wait_for("return document.querySelectorAll('tbody tr').length === 1");
    let ahead =
        browser.run("const video = document.querySelector('video'); return video.buffered.end(0) - video.currentTime");
    assert!(ahead.as_f64().is_some_and(|ahead| ahead < 3.0), "{ahead}");

    // Somebody thinks better of it, and then does it.
    for (answer, is_there) in [(0, true), (1, false)] {
        browser.run("document.querySelector('.head .danger').click()");
        browser.wait_for("return document.querySelector('dialog[open]') !== null");
        browser.run(&format!(
            "document.querySelectorAll('dialog .buttons button')[{answer}].click()"
        ));
        browser.wait_for("return document.querySelector('dialog') === null");
        if is_there {
            assert_eq!(
                browser.run("return document.querySelector('.lamp').dataset.state"),
                "live"
            );
        }
    }
    browser.wait_for("return document.querySelector('.lamp').dataset.state === 'vacant'");
    browser.wait_for("return document.querySelector('.cover p').textContent !== ''");
    drop(publisher);
}

fn sound_in_mp3_is_played(runtime: Runtime) {
    if !is_available() {
        return;
    }
    let (server, page) = start(runtime, &[]);
    let publisher = ffmpeg::publish_again_and_again(MP3, &server.http_url("live/mp3"));
    let browser = Browser::start();
    browser.open(&format!("{page}#/live%2Fmp3"));
    browser.wait_for("return document.querySelector('.watch') !== null");
    browser.run("document.querySelector('.watch').click()");
    browser.wait_for("return document.querySelector('video').currentTime > 1");
    let picture = browser.run(PICTURE);
    assert!(picture["sound"].as_u64() > Some(1_000), "{picture}");
    drop(publisher);
}

fn a_token_is_asked_for_and_kept_in_the_tab(runtime: Runtime) {
    if !is_available() {
        return;
    }
    let file = std::env::temp_dir().join(format!(
        "headwater-page-{}-{}",
        std::process::id(),
        runtime.binary.len()
    ));
    fs::write(&file, "s3cret\n").unwrap();
    let (_server, page) = start(runtime, &["--admin-token-file", file.to_str().unwrap()]);
    let _ = fs::remove_file(file);
    let browser = Browser::start();
    browser.open(&page);
    for (token, is_right) in [("wrong", false), ("s3cret", true)] {
        browser.wait_for("return document.querySelector('dialog.gate[open] input') !== null");
        browser.run(&format!(
            "document.querySelector('#token').value = '{token}'; document.querySelector('dialog.gate button').click()"
        ));
        let seen = if is_right {
            ".empty:not([hidden])"
        } else {
            "dialog.gate .complaint"
        };
        browser.wait_for(&format!("return document.querySelector('{seen}') !== null"));
    }
    assert_eq!(browser.run("return localStorage.length"), Value::from(0));
    assert_eq!(browser.run("return document.cookie"), "");
}

/// An operator sees whom it has kept away, and lets them back in.
fn bans_are_shown_and_lifted(runtime: Runtime) {
    if !browser::is_available() {
        return;
    }
    let (_server, page) = start(runtime, &[]);
    let browser = Browser::start();
    browser.open(&page);
    browser.wait_for("return document.querySelector('.bans')?.hidden === true");
    browser.run(
        "fetch('/api/v1/streams/live/x?ban=600', { method: 'DELETE', headers: { 'Content-Type': 'application/json' } })",
    );
    browser.wait_for("return document.querySelectorAll('.bans tbody tr').length === 1");
    let row = browser.run("return document.querySelector('.bans tbody tr').innerText");
    let row = row.as_str().unwrap();
    assert!(
        row.contains("live/x") && row.contains("everybody") && row.contains("127.0.0.1"),
        "{row}"
    );
    // On the stream's own page, too.
    browser.run("location.hash = '#/live%2Fx'");
    browser.wait_for("return document.querySelector('article .bans:not([hidden]) button') !== null");
    browser.run("document.querySelector('.bans tbody button').click()");
    browser.wait_for("return document.querySelector('article .bans').hidden === true");
    browser.wait_for("return document.activeElement === document.querySelector('article')");
    browser.run("location.hash = '#/'");
    browser.wait_for("return document.querySelector('main > div > .bans')?.hidden === true");
}

/// A hundred streams are on a page, and one can be looked for.
fn a_long_list_has_pages_and_a_search(runtime: Runtime) {
    if !browser::is_available() {
        return;
    }
    let (server, page) = start(runtime, &[]);
    let publishers: Vec<_> = (0..101)
        .map(|number| {
            let mut push = http::Push::start(server.http, &format!("/live/camera-{number:03}"));
            push.send(&frames::flv("V A K0 a5"));
            push
        })
        .collect();
    let browser = Browser::start();
    browser.open(&page);
    let shows = |count: usize, where_: &str| {
        browser.wait_for(&format!(
            "return document.querySelectorAll('.stream').length === {count}
                && document.querySelector('main > div > .pages span').textContent === '{where_}'"
        ));
    };
    shows(100, "1 – 100 of 101");
    browser.run("document.querySelector('main > div > .pages button:last-child').click()");
    shows(1, "101 – 101 of 101");
    browser.run("document.querySelector('main > div > .pages button').click()");
    shows(100, "1 – 100 of 101");
    browser.run(
        "const field = document.querySelector('.finder');
        field.focus(); field.value = 'ERA-04'; field.dispatchEvent(new Event('input'))",
    );
    shows(10, "1 – 10 of 10");
    browser.wait_for(
        "return document.querySelector('main > div > .pages').hidden && document.activeElement.type === 'search'",
    );
    drop(publishers);
}

on_each_binary!(2, [
    bans_are_shown_and_lifted
    a_long_list_has_pages_and_a_search
    a_stream_appears_plays_and_is_ended
    sound_in_mp3_is_played
    a_token_is_asked_for_and_kept_in_the_tab
]);
