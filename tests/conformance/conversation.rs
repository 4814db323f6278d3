//! Conversations of several clients with one server, as text.
//!
//! ```text
//! # A remark.
//! server:  --grace 0
//! cam:     rtmp live
//! cam>     createStream(2) + publish(3, "x", "live") msid=1
//! cam<     _result(2, 1)
//! ```
//!
//! | Line | |
//! |--|--|
//! | `server: --grace 0` | First of all: the flags of the server |
//! | `server: stops` | It is asked to stop |
//! | `times: virtual` | Lines begin with `@` and a time in milliseconds. For memory only, where time can be let pass |
//! | `times: hidden` | The times of frames are shown as `_`: they depend on how long something took |
//! | `cam: rtmp` | A client opens a connection, under a name |
//! | `cam: rtmp live` | ... shakes hands, and connects to an app; that the server agrees is not shown |
//! | `web: http` | The same to the HTTP port |
//! | ... `from 127.0.0.2`, `cut=1` | ... from another address; and sends no more than so many bytes at a time |
//! | `cam> C0 C1` | It sends; see [`RtmpClient`] and [`HttpClient`] |
//! | `cam> EOF`, `cam> RESET` | It closes its sending side; its connection breaks |
//! | `cam< S0 S1 S2` | It receives. After each thing that is done, exactly the lines that follow, in order for each client |
//! | `cam< EOF` | The server has closed its sending side |
//! | `@30000 wait` | Time passes |

use crate::http::HttpClient;
use crate::rtmp::RtmpClient;
use crate::target::{Received, Target};
use headwater_core::server::Protocol;
use std::collections::VecDeque;
use std::net::Ipv4Addr;

/// What the server answers a client that connects.
const WELCOME: [&str; 4] = [
    "WindowAckSize(2500000)",
    "SetPeerBandwidth(2500000)",
    "SetChunkSize(60000)",
    r#"_result(1, {fmsVer="FMS/3,0,1,123", capabilities=31}, NetConnection.Connect.Success)"#,
];

/// The flags that the transcript wants its server to have.
pub fn flags(script: &str) -> Vec<&str> {
    let mut settings = script.lines().filter_map(|line| line.strip_prefix("server:"));
    let flags = settings.find(|setting| setting.contains("--"));
    flags.unwrap_or_default().split_whitespace().collect()
}

/// The transcript of a session with its application, as one of a client with a server: without what the application
/// does and hears. Its times stay only where they matter.
pub fn of_session(script: &str, keeps_times: bool) -> String {
    let mut lines = vec!["client: rtmp".to_owned()];
    for line in script.lines() {
        let Some((time, rest)) = line.strip_prefix('@').and_then(|line| line.split_once(' ')) else {
            lines.push(line.to_owned());
            continue;
        };
        let rest = match rest.trim_start().split_once(' ') {
            Some(("C>", what)) => format!("client> {what}"),
            Some(("S<", what)) => format!("client< {what}"),
            Some(("S=", "closed")) => "client< EOF".to_owned(),
            Some(_) => continue,
            None => "wait".to_owned(),
        };
        lines.push(match keeps_times {
            true => format!("{:<7}{rest}", format!("@{time}")),
            false => rest,
        });
    }
    lines.join("\n") + "\n"
}

/// Whether the transcript has a time for each line.
pub fn has_times(script: &str) -> bool {
    script.lines().any(|line| line.starts_with('@'))
}

/// Plays a transcript, and returns it with what was received in the place of what it says was. Unless `to_the_end`, it
/// stops at the first thing done that has another outcome.
pub fn play(script: &str, target: &mut dyn Target, to_the_end: bool) -> String {
    let lines: Vec<_> = script.lines().map(Line::parse).collect();
    let columns = lines.iter().filter_map(|line| line.client()).map(|name| name.len() + 1);
    let mut play = Play {
        target,
        clients: Vec::new(),
        column: columns.max().unwrap_or_default(),
        hides_times: script
            .lines()
            .any(|line| line.split_whitespace().eq(["times:", "hidden"])),
        awaits_all: to_the_end,
        time: None,
        log: Vec::new(),
    };
    let mut rest = &lines[..];
    while let Some((line, after)) = rest.split_first() {
        let count = after.iter().take_while(|line| line.is_received()).count();
        let (expected, after) = after.split_at(count);
        let position = play.log.len();
        play.act(line);
        play.listen(expected);
        rest = after;
        let expected = [line].into_iter().chain(expected).map(|line| line.text);
        if !to_the_end && !expected.eq(play.log[position..].iter().map(String::as_str)) {
            break;
        }
    }
    if rest.is_empty() {
        play.listen_once_more();
    }
    play.log.join("\n") + "\n"
}

/// Where `played` begins to differ from `script`, to be read by people.
pub fn difference(script: &str, played: &str) -> String {
    let same = script.lines().zip(played.lines()).take_while(|(a, b)| a == b).count();
    let lines = |text: &str, mark, from, count| -> Vec<_> {
        let lines = text.lines().skip(from).take(count);
        lines.map(|line| format!("{mark} {line}\n")).collect()
    };
    let heard = |text: &str| {
        let lines = text.lines().skip(same).map(Line::parse);
        lines.take_while(Line::is_received).count()
    };
    let before = same.saturating_sub(8);
    [
        lines(played, ' ', before, same - before),
        lines(script, '-', same, heard(script)),
        lines(played, '+', same, heard(played).max(1)),
    ]
    .concat()
    .concat()
}

/// One line of a transcript.
struct Line<'a> {
    text: &'a str,
    time: Option<u64>,
    what: What<'a>,
}

enum What<'a> {
    Remark,
    Wait,
    /// About the server or the times.
    Setting(&'a str, &'a str),
    Open(&'a str, &'a str),
    Sent(&'a str, &'a str),
    Received(&'a str),
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Line<'a> {
        let (time, rest) = match text.strip_prefix('@').and_then(|text| text.split_once(' ')) {
            Some((time, rest)) => (Some(time.parse().expect("a time in milliseconds")), rest.trim_start()),
            None => (None, text),
        };
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let rest = rest.trim_start();
        let what = match word.split_at_checked(word.len().saturating_sub(1)) {
            _ if word == "wait" => What::Wait,
            _ if word.is_empty() || word.starts_with('#') => What::Remark,
            Some((name @ ("server" | "times"), ":")) => What::Setting(name, rest),
            Some((name, ":")) => What::Open(name, rest),
            Some((name, ">")) => What::Sent(name, rest),
            Some((name, "<")) => What::Received(name),
            _ => panic!("unknown line: {text}"),
        };
        Line { text, time, what }
    }

    fn client(&self) -> Option<&'a str> {
        match self.what {
            What::Setting(name, _) | What::Open(name, _) | What::Sent(name, _) | What::Received(name) => Some(name),
            What::Remark | What::Wait => None,
        }
    }

    fn is_received(&self) -> bool {
        matches!(self.what, What::Received(_))
    }
}

struct Play<'a> {
    target: &'a mut dyn Target,
    clients: Vec<Client<'a>>,
    /// Where what is said begins.
    column: usize,
    hides_times: bool,
    /// Whether more may come than is expected.
    awaits_all: bool,
    time: Option<u64>,
    log: Vec<String>,
}

/// One connection, in the order of opening.
struct Client<'a> {
    name: &'a str,
    speech: Speech,
    /// The most bytes to send at a time.
    cut: usize,
    /// What has been received and not been looked at.
    heard: VecDeque<String>,
    has_ended: bool,
}

enum Speech {
    Rtmp(RtmpClient),
    Http(HttpClient),
}

impl<'a> Play<'a> {
    fn act(&mut self, line: &Line<'a>) {
        if let Some(time) = line.time {
            self.time = line.time;
            self.target.pass_until(time);
        }
        match line.what {
            What::Setting(name, what) | What::Open(name, what) => self.write(name, ':', what),
            What::Sent(name, what) => self.write(name, '>', what),
            What::Wait => self.log.push(self.at_time() + "wait"),
            What::Remark => self.log.push(line.text.to_owned()),
            // It was not expected here.
            What::Received(_) => {}
        }
        match line.what {
            What::Setting("server", "stops") => self.target.shut_down(),
            What::Remark | What::Wait | What::Setting(..) | What::Received(_) => {}
            What::Open(name, how) => self.open(name, how),
            What::Sent(name, what) => {
                let client = self.position(name);
                self.send(client, what);
            }
        }
    }

    fn open(&mut self, name: &'a str, how: &'a str) {
        let (mut app, mut from, mut cut) = (None, Ipv4Addr::LOCALHOST, usize::MAX);
        let mut words = how.split_whitespace();
        let (listener, speech) = match words.next() {
            Some("rtmp") => (Protocol::Rtmp, Speech::Rtmp(RtmpClient::new())),
            Some("http") => (Protocol::Http, Speech::Http(HttpClient::new())),
            _ => panic!("no protocol: {how}"),
        };
        while let Some(word) = words.next() {
            match word.split_once('=') {
                Some(("cut", bytes)) => cut = bytes.parse().expect("a number of bytes"),
                None if word == "from" => from = words.next().and_then(|word| word.parse().ok()).expect("an address"),
                None => app = Some(word),
                _ => panic!("unknown word {word}"),
            }
        }
        self.target.connect(listener, from);
        self.clients.push(Client {
            name,
            speech,
            cut,
            heard: VecDeque::new(),
            has_ended: false,
        });
        if let Some(app) = app {
            let client = self.clients.len() - 1;
            self.send(client, "C0 C1");
            assert_eq!(self.hear(client, 1), ["S0 S1 S2"]);
            self.send(client, "C2");
            self.send(
                client,
                &format!(r#"connect(1, {{app="{app}", tcUrl="rtmp://localhost/{app}"}})"#),
            );
            assert_eq!(self.hear(client, WELCOME.len()), WELCOME);
        }
    }

    fn send(&mut self, client: usize, what: &str) {
        match what {
            "EOF" => self.target.finish(client),
            "RESET" => {
                self.clients[client].has_ended = true;
                self.target.reset(client);
            }
            _ => {
                let Client { speech, cut, .. } = &mut self.clients[client];
                let bytes = match speech {
                    Speech::Rtmp(rtmp) => rtmp.encode(what),
                    Speech::Http(http) => http.encode(what),
                };
                for piece in bytes.chunks(*cut) {
                    self.target.send(client, piece);
                }
            }
        }
    }

    /// Writes down what each client hears: all that is `expected`, and more if more has come.
    fn listen(&mut self, expected: &[Line<'_>]) {
        for client in 0..self.clients.len() {
            let name = self.clients[client].name;
            let count = expected.iter().filter(|line| line.client() == Some(name)).count();
            for text in self.hear(client, count) {
                self.note(client, &text);
            }
        }
    }

    /// Writes down what nobody expected: a client that can be asked for an answer must have nothing to read before it.
    fn listen_once_more(&mut self) {
        for client in 0..self.clients.len() {
            let is_asked = matches!(&self.clients[client].speech, Speech::Rtmp(rtmp) if rtmp.has_shaken_hands())
                && !self.clients[client].has_ended;
            if is_asked {
                self.send(client, "PingRequest(0)");
            }
            let mut heard = self.hear(client, usize::from(is_asked));
            if is_asked && heard.last().is_some_and(|text| text == "PingResponse(0)") {
                heard.pop();
            }
            for text in heard {
                self.note(client, &text);
            }
        }
    }

    fn note(&mut self, client: usize, text: &str) {
        let text = if self.hides_times {
            hide_time(text)
        } else {
            text.to_owned()
        };
        self.write(self.clients[client].name, '<', &text);
    }

    fn write(&mut self, name: &str, mark: char, text: &str) {
        let line = format!("{:<column$} {text}", format!("{name}{mark}"), column = self.column);
        self.log.push(self.at_time() + &line);
    }

    fn at_time(&self) -> String {
        let time = self.time.map(|time| format!("{:<7}", format!("@{time}")));
        time.unwrap_or_default()
    }

    /// What a client has received, once that is `count` lines or, if more may come, once nothing more does.
    fn hear(&mut self, client: usize, count: usize) -> Vec<String> {
        let Client {
            speech,
            heard,
            has_ended,
            ..
        } = &mut self.clients[client];
        while !*has_ended {
            // A script that says when each thing happens says how long to wait as well.
            let is_awaited = self.time.is_none() && (self.awaits_all || heard.len() < count);
            match self.target.receive(client, is_awaited) {
                Received::Bytes(bytes) => match speech {
                    Speech::Rtmp(rtmp) => rtmp.decode(&bytes, heard),
                    Speech::Http(http) => http.decode(&bytes, heard),
                },
                Received::Nothing => break,
                end @ (Received::Eof | Received::Reset) => {
                    *has_ended = true;
                    heard.push_back(if matches!(end, Received::Eof) { "EOF" } else { "RESET" }.to_owned());
                }
            }
        }
        heard.drain(..).collect()
    }

    fn position(&self, name: &str) -> usize {
        let position = self.clients.iter().position(|client| client.name == name);
        position.unwrap_or_else(|| panic!("{name} has not opened a connection"))
    }
}

/// Shows the time of a frame as `_`.
fn hide_time(text: &str) -> String {
    let parts = text
        .split_once('(')
        .and_then(|(kind, rest)| Some((kind, rest.split_once(", ")?.1)));
    match parts {
        Some((kind @ ("audio" | "video" | "data"), body)) => format!("{kind}(_, {body}"),
        _ => text.to_owned(),
    }
}
