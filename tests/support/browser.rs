//! Chromium without a window, by WebDriver (W3C WebDriver, §8).

use super::DEADLINE;
use super::process::{POLL, Process};
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

/// Whether Chromium and its driver are there. If not, says so, or fails if `HEADWATER_REQUIRE_CHROMIUM` is set.
pub fn is_available() -> bool {
    let runs = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = runs("chromium") && runs("chromedriver");
    if !found {
        assert!(
            std::env::var_os("HEADWATER_REQUIRE_CHROMIUM").is_none(),
            "chromium or chromedriver not found"
        );
        eprintln!("SKIPPED: chromium or chromedriver not found (apt install chromium chromium-driver)");
    }
    found
}

/// A browser with one page. It ends when it is dropped.
pub struct Browser {
    _driver: Process,
    port: u16,
    session: String,
}

impl Browser {
    pub fn start() -> Browser {
        // The port that it finds may be taken by IPv4, and then it ends.
        let (driver, port) = (0..10)
            .find_map(|_| Browser::start_driver())
            .expect("chromedriver finds a port");
        let mut browser = Browser {
            _driver: driver,
            port,
            session: String::new(),
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
        ];
        let options = json!({ "args": arguments });
        let capabilities = json!({ "alwaysMatch": { "goog:chromeOptions": options } });
        let made = browser.command("POST", "/session", &json!({ "capabilities": capabilities }));
        browser.session = made["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    /// chromedriver and its port, unless that was taken.
    fn start_driver() -> Option<(Process, u16)> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stderr(Stdio::null());
        let driver = Process::spawn_silent("chromedriver", &mut command, true);
        let line = driver.wait_for_one_of(&["started successfully on port", "port not available"], DEADLINE);
        let port = line.rsplit("port ").next()?.trim_end_matches('.').parse().ok()?;
        Some((driver, port))
    }

    pub fn open(&self, url: &str) {
        self.ask("POST", "url", &json!({ "url": url }));
    }

    /// What a script returns, which is the body of a function.
    pub fn run(&self, script: &str) -> Value {
        self.ask("POST", "execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until the script returns what is true, and returns that.
    pub fn wait_for(&self, script: &str) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let value = self.run(script);
            if !matches!(value, Value::Null | Value::Bool(false)) && value != json!(0) && value != json!("") {
                return value;
            }
            assert!(
                Instant::now() < deadline,
                "{script}: the page says {}",
                self.run("return document.body.innerText")
            );
            thread::sleep(POLL);
        }
    }

    fn ask(&self, method: &str, what: &str, body: &Value) -> Value {
        self.command(method, &format!("/session/{}/{what}", self.session), body)
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.exchange(method, path, body).unwrap();
        let value = &answer["value"];
        assert!(value.get("error").is_none_or(Value::is_null), "{path}: {value}");
        value.clone()
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let body = body.to_string();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let mut stream = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        serde_json::from_slice(&answer).map_err(io::Error::other)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, and the driver when it is dropped itself.
        let _ = self.exchange("DELETE", &format!("/session/{}", self.session), &json!({}));
    }
}
