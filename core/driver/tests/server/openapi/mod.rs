//! The description of the operators' API, which every answer is held against.

mod schema;

use crate::world::World;
use headwater_core::server::{Event, Protocol};
use schema::{faults, resolved};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The description, as a server gives it.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&TEXT).unwrap());

/// The same as it is written.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut world = World::new(1, |_| {});
    let client = world.connect(0, Protocol::Admin, 1);
    world.send(client, b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = String::from_utf8(world.clients[client].received.clone()).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
});

/// Statuses by which HTTP itself refuses a request, whatever that asks for.
const OF_HTTP: [u16; 8] = [400, 405, 408, 426, 429, 431, 503, 505];

/// Fails if an answer is not as the description says: `request` is a method and a target, `head` the answer's.
pub(super) fn check_answer(request: &str, status: u16, head: &str, body: &str) {
    let (method, target) = request.split_once(' ').unwrap();
    let path = target.split('?').next().unwrap();
    let document = &*DOCUMENT;
    let response = match path_item(path) {
        Some(item) => match item.get(method.to_ascii_lowercase()) {
            Some(operation) => described(&operation["responses"], status),
            None => other_method(item, status, head),
        },
        None => {
            assert!(
                [400, 401, 403, 404].contains(&status),
                "{path} is not described, and there is {status}"
            );
            Some(&document["components"]["responses"]["Refused"])
        }
    };
    let response = response.unwrap_or_else(|| panic!("{request}: {status} is not described"));
    let response = resolved(document, response);
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let is_there = field(head, name).is_some() || header["required"] != true;
        assert!(is_there, "{request}: {status} without {name}: {head}");
    }
    assert_eq!(field(head, "Access-Control-Allow-Origin"), None, "{request}: {head}");
    if method == "HEAD" || response.get("content").is_none() {
        return assert_eq!(body, "", "{request}: {status} has no content");
    }
    let kind = field(head, "Content-Type").unwrap().split(';').next().unwrap();
    let content = response["content"].get(kind);
    let content = content.unwrap_or_else(|| panic!("{request}: {status} with {kind} is not described"));
    if kind == "text/event-stream" {
        for data in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let faults = faults(
                document,
                &content["schema"]["contentSchema"],
                &serde_json::from_str(data).unwrap(),
            );
            assert!(faults.is_empty(), "{request}: {faults:#?}\n{data}");
        }
    }
    if kind == "application/json" {
        let value: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{request}: {error}: {body}"));
        let faults = faults(document, &content["schema"], &value);
        assert!(faults.is_empty(), "{request}: {status}: {faults:#?}\n{body}");
    }
}

/// What is described of a path.
fn path_item(path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.get(path).or_else(|| {
        let mut templates = paths.iter().filter(|(template, _)| template.contains('{'));
        templates
            .find(|(template, _)| fits(template, path))
            .map(|(_, item)| item)
    })
}

/// Whether a path can be made of a template: its first parameter stands for one segment or several, others for one.
fn fits(template: &str, path: &str) -> bool {
    let (start, parameters) = template.split_once('{').unwrap();
    let rest = path.strip_prefix(start).map(|rest| rest.split('/').count());
    let count = parameters.split('/').count();
    rest.is_some_and(|rest| rest == count || rest > count && count > 1)
}

/// What is described of a status: by its number, or as one of those of HTTP itself.
fn described(responses: &Value, status: u16) -> Option<&Value> {
    let by_number = responses.get(status.to_string());
    by_number.or_else(|| responses.get("default").filter(|_| OF_HTTP.contains(&status)))
}

/// The answer to a method that a path does not have: the answer names those that it has.
fn other_method(item: &Value, status: u16, head: &str) -> Option<&'static Value> {
    let name = match status {
        401 => "Unauthorized",
        403 => "Forbidden",
        405 => "Refused",
        _ => return None,
    };
    if status == 405 {
        let methods = item.as_object().unwrap().keys();
        let mut known: Vec<_> = methods
            .filter(|name| is_method(name))
            .map(|name| name.to_ascii_uppercase())
            .collect();
        let mut allowed: Vec<_> = field(head, "Allow")
            .unwrap()
            .split(", ")
            .map(str::to_ascii_uppercase)
            .collect();
        known.sort();
        allowed.sort();
        assert_eq!(allowed, known);
    }
    Some(&DOCUMENT["components"]["responses"][name])
}

fn is_method(name: &str) -> bool {
    ["get", "head", "delete", "post", "put", "patch"].contains(&name)
}

/// The value of a header field of an answer.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Every schema of the description, with what it is called.
fn schemas() -> impl Iterator<Item = (&'static String, &'static Value)> {
    DOCUMENT["components"]["schemas"].as_object().unwrap().iter()
}

/// All values in `value` that are objects, itself too.
fn objects(value: &Value) -> Vec<&Value> {
    let inner: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => vec![],
    };
    let own = value.is_object().then_some(value);
    own.into_iter().chain(inner.into_iter().flat_map(objects)).collect()
}

#[test]
fn the_description_is_of_this_version() {
    assert_eq!(DOCUMENT["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_path_that_is_described_is_there() {
    let mut world = World::new(1, |_| {});
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|name| is_method(name)) {
            let client = world.connect(0, Protocol::Admin, 1);
            let path = path
                .replace("{app}/{name}", "live/x")
                .replace("{id}", "7")
                .replace("player/{file}", "player/flv.js")
                .replace("{file}", "app.js");
            let fields = "Host: localhost\r\nContent-Type: application/json\r\n";
            let request = format!("{} {path} HTTP/1.1\r\n{fields}\r\n", method.to_ascii_uppercase());
            world.send(client, request.as_bytes());
            let status = world.status(client);
            let answer = String::from_utf8_lossy(&world.clients[client].received);
            assert!(
                !status.contains("405") && !answer.contains("no such route"),
                "{request}{answer}"
            );
        }
    }
}

#[test]
fn every_name_of_an_event_is_described() {
    let names: Vec<_> = Event::NAMES.iter().map(|name| Value::from(*name)).collect();
    assert_eq!(
        DOCUMENT["components"]["schemas"]["EventName"]["enum"],
        Value::from(names)
    );
}

#[test]
fn every_field_is_described_and_promised() {
    for (name, schema) in schemas() {
        for object in objects(schema) {
            let Some(properties) = object.get("properties").and_then(Value::as_object) else {
                continue;
            };
            let required = object["required"].as_array().unwrap();
            for (property, schema) in properties {
                let is_described = schema["description"].is_string()
                    || resolved(&DOCUMENT, schema)["description"].is_string()
                    || resolved(&DOCUMENT, schema)["properties"].is_object();
                assert!(is_described, "{name}/{property} has no description");
                let is_of_some = name == "EventDetails" && object["required"] == serde_json::json!([]);
                let may_be_absent = is_of_some || (name.as_str(), property.as_str()) == ("Problem", "missing_workers");
                let is_required = required.iter().any(|it| it == property);
                assert_eq!(is_required, !may_be_absent, "{name}/{property}");
            }
        }
    }
}

#[test]
fn every_example_is_as_its_schema_says() {
    let mut count = 0;
    let mut check = |schema: &Value, example: &Value| {
        let faults = faults(&DOCUMENT, schema, example);
        assert!(faults.is_empty(), "{faults:#?}\n{example}");
        count += 1;
    };
    for (_, schema) in schemas() {
        let examples = schema["examples"].as_array();
        examples
            .into_iter()
            .flatten()
            .for_each(|example| check(schema, example));
    }
    for response in DOCUMENT["components"]["responses"].as_object().unwrap().values() {
        for content in response["content"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, content)| content)
        {
            content
                .get("example")
                .into_iter()
                .for_each(|example| check(&content["schema"], example));
        }
    }
    assert!(count > 5, "{count}");
}

/// Of two properties with one name the second would stand for both.
#[test]
fn no_two_parts_of_the_description_have_one_name() {
    let mut open: Vec<(usize, BTreeSet<&str>)> = Vec::new();
    for line in TEXT.lines() {
        let indent = line.len() - line.trim_start().len();
        open.retain(|(level, _)| *level <= indent);
        let Some((name, _)) = line.trim().strip_prefix('"').and_then(|rest| rest.split_once("\": ")) else {
            continue;
        };
        if open.last().is_none_or(|(level, _)| *level < indent) {
            open.push((indent, BTreeSet::new()));
        }
        let (_, names) = open.last_mut().unwrap();
        assert!(names.insert(name), "{name} is there twice: {line}");
    }
}

#[test]
fn every_part_of_the_description_is_used() {
    let text = DOCUMENT.to_string();
    for (kind, parts) in DOCUMENT["components"].as_object().unwrap() {
        for name in parts.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            assert!(
                text.contains(&format!("\"#/components/{kind}/{name}\"")),
                "nothing refers to {kind}/{name}"
            );
        }
    }
}
