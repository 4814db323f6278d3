//! What a client says about itself. RTMP 1.0 §7.2.1.1, E-RTMP v2 "Enhancing NetConnection connect Command".

use crate::Limits;
use crate::amf::amf0;
use alloc::boxed::Box;
use alloc::string::String;

/// The command object of `connect`. What was absent is empty or 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Connect {
    /// The application, as sent: it may have several segments and a query.
    pub app: Box<str>,
    /// The URL of the connection, as sent.
    pub tc_url: Box<str>,
    /// What the client calls itself.
    pub flash_ver: Box<str>,
    /// The page that the player is part of.
    pub page_url: Box<str>,
    /// The file that the player came from.
    pub swf_url: Box<str>,
    /// 3 if the client speaks AMF3, else 0.
    pub object_encoding: u8,
    /// What it says about Enhanced RTMP.
    pub capabilities: Capabilities,
}

/// What a client says about Enhanced RTMP. Absence means nothing: OBS sends none of it and uses it all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether any field of Enhanced RTMP was present.
    pub is_enhanced: bool,
    /// `capsEx`, bits as in E-RTMP v2.
    pub caps_ex: u32,
    /// `videoFunction`, bits as in E-RTMP v2.
    pub video_function: u32,
}

impl Capabilities {
    /// Whether the client follows a reconnect request.
    #[must_use]
    pub const fn can_reconnect(self) -> bool {
        self.caps_ex & 1 != 0
    }

    /// Whether the client reads multitrack messages.
    #[must_use]
    pub const fn can_multitrack(self) -> bool {
        self.caps_ex & 2 != 0
    }

    /// Whether the client reads messages with a modifier (`ModEx`).
    #[must_use]
    pub const fn can_mod_ex(self) -> bool {
        self.caps_ex & 4 != 0
    }

    /// Whether the client reads video metadata messages (HDR).
    #[must_use]
    pub const fn can_video_metadata(self) -> bool {
        self.video_function & 4 != 0
    }
}

impl Connect {
    /// Reads the command object at the front of `arguments`. What does not decode is taken as absent; of names that
    /// repeat the first counts, because that is what an access check has seen.
    ///
    /// # Errors
    /// The length of a string that is longer than [`Limits::max_string_len`].
    pub(super) fn parse(mut arguments: amf0::Reader<'_>, limits: &Limits) -> Result<Connect, usize> {
        let object = arguments.object().ok().flatten();
        // Some write tcurl, some flashver.
        let find = |name: &str| {
            let mut pairs = object.clone().into_iter().flatten();
            pairs
                .find(|pair| pair.key.eq_ignore_ascii_case(name.as_bytes()))
                .map(|pair| pair.value)
        };
        let text = |name| match find(name).and_then(|value| value.as_bytes()) {
            Some(text) if text.len() > limits.max_string_len => Err(text.len()),
            text => Ok(String::from_utf8_lossy(text.unwrap_or_default()).into()),
        };
        // Saturates; what is no number is 0, as if absent.
        #[expect(clippy::cast_possible_truncation, reason = "float to integer saturates")]
        let bits = |name| find(name).and_then(|value| value.as_f64()).unwrap_or(0.0) as u32;
        Ok(Connect {
            app: text("app")?,
            tc_url: text("tcUrl")?,
            flash_ver: text("flashVer")?,
            page_url: text("pageUrl")?,
            swf_url: text("swfUrl")?,
            object_encoding: if bits("objectEncoding") == 3 { 3 } else { 0 },
            capabilities: Capabilities {
                is_enhanced: ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"]
                    .into_iter()
                    .any(|name| find(name).is_some()),
                caps_ex: bits("capsEx"),
                video_function: bits("videoFunction"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::AmfLimits;
    use alloc::vec::Vec;

    fn parse(write: impl FnOnce(&mut amf0::Writer<&mut Vec<u8>>)) -> Result<Connect, usize> {
        let mut body = Vec::new();
        write(&mut amf0::Writer::new(&mut body));
        Connect::parse(amf0::Reader::new(&body, AmfLimits::default()), &Limits::default())
    }

    #[test]
    fn what_is_absent_is_empty() {
        for connect in [
            parse(|_| {}),
            parse(|writer| {
                writer.null();
            }),
            parse(|writer| {
                writer.object_start().key("app").number(1.0).object_end();
            }),
        ] {
            assert_eq!(connect, Ok(Connect::default()));
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_the_first_counts() {
        let connect = parse(|writer| {
            writer.object_start();
            writer.key("app").string("live").key("app").string("other");
            writer
                .key("tcurl")
                .string("rtmp://h/live")
                .key("flashver")
                .string(b"x\xFF");
            writer.key("objectEncoding").number(3.0).object_end();
        })
        .unwrap();
        assert_eq!((&*connect.app, &*connect.tc_url), ("live", "rtmp://h/live"));
        assert_eq!((&*connect.flash_ver, connect.object_encoding), ("x\u{FFFD}", 3));
        assert!(!connect.capabilities.is_enhanced);
    }

    #[test]
    fn reads_what_a_client_says_about_enhanced_rtmp() {
        let capabilities = parse(|writer| {
            writer.object_start();
            writer
                .key("capsEx")
                .number(7.0)
                .key("videoFunction")
                .number(-1.0)
                .object_end();
        })
        .unwrap()
        .capabilities;
        assert!(capabilities.is_enhanced && capabilities.can_reconnect() && capabilities.can_mod_ex());
        assert_eq!(capabilities.video_function, 0, "out of range");
    }

    #[test]
    fn refuses_strings_that_are_not_worth_keeping() {
        let connect = parse(|writer| {
            writer.object_start().key("app").string([b'a'; 4_097]).object_end();
        });
        assert_eq!(connect, Err(4_097));
    }
}
