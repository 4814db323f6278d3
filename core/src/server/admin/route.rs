//! Which requests there are.

use super::access::{AdminConfig, check, check_change, check_host};
use super::explain::Question;
use super::feed::Watch;
use super::gather::{Asked, Query};
use super::metrics::Format;
use super::page::{Page, whole_number};
use super::problem::Problem;
use super::ui::{self, File};
use crate::StreamKey;
use crate::http::{Method, RequestHead, Response};
use crate::server::Kick;
use crate::server::address::Address;
use alloc::format;
use alloc::string::ToString;
use core::net::IpAddr;
use core::time::Duration;

/// Where a request leads.
#[derive(Debug)]
pub(super) enum Route {
    Healthy,
    Ready,
    File(&'static File),
    /// What can be asked, in OpenAPI.
    Description,
    Versions,
    /// All workers are to be asked.
    Ask(Asked),
    /// All workers are to tell what comes.
    Events(Watch),
}

/// What can be asked and is answered, for programs and for people. By hand: tests hold every answer against it.
const DESCRIPTION: &[u8] = include_bytes!("openapi.json");

/// The longest that somebody may be kept away. A day, as for every time that is given to the server.
const MAX_BAN: Duration = Duration::from_secs(86_400);

/// Where the request of an operator with this head leads, if it may.
pub(super) fn find(head: &RequestHead, config: &AdminConfig, operator: Option<IpAddr>) -> Result<Route, Problem> {
    let path = &*head.path;
    match path {
        "/healthz" => return only_get(head).map(|()| Route::Healthy),
        "/readyz" => return only_get(head).map(|()| Route::Ready),
        "/metrics" => {
            check(head, config)?;
            return only_get(head).map(|()| Route::Ask(Asked::Metrics(Format::accepted(head))));
        }
        _ => {}
    }
    if let Some(file) = ui::find(path) {
        check_host(head, config)?;
        return only_get(head).map(|()| Route::File(file));
    }
    check(head, config)?;
    let rest = path.strip_prefix("/api/v1/").unwrap_or_default();
    let route = match rest.split_once('/').unwrap_or((rest, "")) {
        ("openapi.json", "") => only_get(head).map(|()| Route::Description),
        ("versions", "") => only_get(head).map(|()| Route::Versions),
        ("summaries", "") => only_get(head).map(|()| Route::Ask(Asked::Summary)),
        ("streams", "") => list(head, Asked::Streams),
        ("clients", "") => clients(head),
        ("explain", "") => explain(head),
        ("bans", "") => list(head, Asked::Bans),
        ("events", "") => only_get(head).and_then(|()| Watch::of(head, config)).map(Route::Events),
        ("streams", id) => stream(head, id, operator),
        ("clients", id) => client(head, id, operator),
        ("bans", id) => lift(head, id),
        _ => Err(Problem::not_found("there is no such route")),
    }?;
    check_change(head, config)?;
    Ok(route)
}

pub(super) fn healthy() -> Response {
    Response::json("{\"code\":0,\"status\":\"ok\"}\n")
}

pub(super) fn description() -> Response {
    Response::json(DESCRIPTION)
}

fn list(head: &RequestHead, asked: fn(Page) -> Asked) -> Result<Route, Problem> {
    only_get(head)?;
    Ok(Route::Ask(asked(Page::of(head)?)))
}

fn clients(head: &RequestHead) -> Result<Route, Problem> {
    only_get(head)?;
    let of = match head.query_value("stream") {
        Some(name) => Some(stream_key(&name).ok_or_else(|| Problem::bad_request("stream is app/name"))?),
        None => None,
    };
    Ok(Route::Ask(Asked::Clients(Page::of(head)?, of)))
}

/// A name ends as it is listed: `.flv` is a part of it, and of two, one is cut off.
pub(super) fn stream_key(id: &str) -> Option<StreamKey> {
    let key = StreamKey::new(&format!("{id}.flv")).ok();
    key.filter(|key| key.as_str() == id)
}

fn stream(head: &RequestHead, id: &str, operator: Option<IpAddr>) -> Result<Route, Problem> {
    let key = stream_key(id).ok_or_else(|| Problem::not_found("no stream can have this name: app/name is needed"));
    Ok(Route::Ask(match head.method {
        Method::Get | Method::Head => Asked::Stream(key?),
        Method::Delete => Asked::Kick(Query::Kick(Kick::stream(key?).with_ban(ban(head)?).by(operator))),
        _ => return Err(Problem::method_not_allowed("GET, HEAD, DELETE")),
    }))
}

fn client(head: &RequestHead, id: &str, operator: Option<IpAddr>) -> Result<Route, Problem> {
    let number = client_number(id);
    let number = number.ok_or_else(|| Problem::not_found("no client can have this id: it is a number"));
    Ok(Route::Ask(match head.method {
        Method::Get | Method::Head => Asked::Client(number?),
        Method::Delete => Asked::Kick(Query::KickClient {
            number: number?,
            ban: ban(head)?,
            by: operator,
        }),
        _ => return Err(Problem::method_not_allowed("GET, HEAD, DELETE")),
    }))
}

/// The ban of everybody from a stream, or of one address.
fn lift(head: &RequestHead, id: &str) -> Result<Route, Problem> {
    if head.method != Method::Delete {
        return Err(Problem::method_not_allowed("DELETE"));
    }
    let key = stream_key(id).ok_or_else(|| Problem::not_found("no stream can have this name: app/name is needed"))?;
    let address = match head.query_value("address") {
        None => None,
        Some(text) => {
            Some(Address::parse(&text).ok_or_else(|| Problem::bad_request("address is one of IPv4 or IPv6"))?)
        }
    };
    Ok(Route::Ask(Asked::Lift((key, address))))
}

fn explain(head: &RequestHead) -> Result<Route, Problem> {
    only_get(head)?;
    let stream = head.query_value("stream");
    let stream = stream.ok_or_else(|| Problem::bad_request("stream is needed: ?stream=app/name"))?;
    // A path to play it will do as well.
    let key = stream_key(&stream).map_or_else(|| StreamKey::new(&stream), Ok);
    let key = key.map_err(|error| Problem::bad_request(format!("stream is no name of a stream: {error}")))?;
    let client = match head.query_value("client") {
        None => None,
        Some(text) => {
            let number = client_number(&text);
            Some(number.ok_or_else(|| Problem::bad_request("client is the number of a connection"))?)
        }
    };
    Ok(Route::Ask(Asked::Explain(Question { key, client })))
}

/// The number of a connection. It has one way to be written.
fn client_number(text: &str) -> Option<u32> {
    text.parse::<u32>().ok().filter(|number| number.to_string() == text)
}

/// How long those that are ended are kept away, in seconds.
fn ban(head: &RequestHead) -> Result<Duration, Problem> {
    let Some(text) = head.query_value("ban") else {
        return Ok(Duration::ZERO);
    };
    let seconds = whole_number(&text).map(u64::from);
    let span = seconds.map(Duration::from_secs).filter(|span| *span <= MAX_BAN);
    span.ok_or_else(|| Problem::bad_request(format!("ban is a number of seconds, at most {}", MAX_BAN.as_secs())))
}

fn only_get(head: &RequestHead) -> Result<(), Problem> {
    match head.method {
        Method::Get | Method::Head => Ok(()),
        _ => Err(Problem::method_not_allowed("GET, HEAD")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    /// The paths that the code above compares with.
    fn routes() -> Vec<String> {
        let code = include_str!("route.rs").split("#[cfg(test)]").next().unwrap();
        let quoted = |text: &str| Some(text.split_once('"')?.0.to_string());
        let fixed = code.lines().filter_map(|line| line.trim().strip_prefix('"'));
        let fixed = fixed.filter(|line| line.contains("\" => ")).filter_map(quoted);
        let below = code.lines().filter_map(|line| quoted(line.trim().strip_prefix("(\"")?));
        fixed
            .chain(below.map(|name| format!("/api/v1/{name}")))
            .chain(ui::paths().map(String::from))
            .collect()
    }

    #[test]
    fn every_route_is_described() {
        let description: serde_json::Value = serde_json::from_slice(DESCRIPTION).unwrap();
        let described = description["paths"].as_object().unwrap();
        let routes = routes();
        for path in &routes {
            let folder = path.rsplit_once('/').unwrap().0;
            let is_in_folder = described.contains_key(&format!("{folder}/{{file}}"));
            assert!(described.contains_key(path) || is_in_folder, "{path}");
        }
        for path in described.keys() {
            let fixed = path.split("/{").next().unwrap();
            let is_there = |route: &String| route == fixed || path.contains("{file}") && route.starts_with(fixed);
            assert!(routes.iter().any(is_there), "{path}");
        }
    }
}
