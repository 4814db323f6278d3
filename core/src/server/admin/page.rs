//! Which part of a list is asked for.

use super::problem::Problem;
use crate::http::RequestHead;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// How many there are in an answer if nothing is said. 100: a screen or two.
const DEFAULT: usize = 100;

/// How many there are at most. 1,000: about a megabyte.
const MAX: usize = 1_000;

/// A part of a list: `?start=` and `?count=` of what `?search=` finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    start: usize,
    count: usize,
    /// In small letters. Empty: everything is found.
    search: String,
}

/// A number of nothing but digits, which fits into 32 bits.
pub(super) fn whole_number(text: &str) -> Option<u32> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

impl Page {
    pub(super) fn of(head: &RequestHead) -> Result<Page, Problem> {
        let number = |name, otherwise| match head.query_value(name) {
            None => Ok(otherwise),
            Some(text) => whole_number(&text)
                .and_then(|number| usize::try_from(number).ok())
                .ok_or_else(|| Problem::bad_request(format!("{name} is a number from 0 to {}", u32::MAX))),
        };
        Ok(Page {
            start: number("start", 0)?,
            count: number("count", DEFAULT)?.clamp(1, MAX),
            search: head.query_value("search").unwrap_or_default().to_lowercase(),
        })
    }

    /// Whether a text has in it what is searched for, whatever the case of its letters.
    pub(super) fn finds(&self, text: &str) -> bool {
        self.search.is_empty() || text.to_lowercase().contains(&self.search)
    }

    pub(super) fn of_list<T>(&self, list: Vec<T>) -> Vec<T> {
        list.into_iter().skip(self.start).take(self.count).collect()
    }
}
