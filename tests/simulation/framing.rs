//! How HTTP wraps the FLV of a response, and how a player takes it out.

/// What a response is wrapped in.
#[derive(Debug)]
pub enum Framing {
    /// Nothing: it ends with the connection.
    None,
    Chunked(Pieces),
    WebSocket(Pieces),
}

/// What has come and is not taken out yet.
#[derive(Debug, Default)]
pub struct Pieces {
    bytes: Vec<u8>,
}

/// What has come out.
#[derive(Debug, Default)]
pub struct Unwrapped {
    pub body: Vec<u8>,
    /// Whether nothing will follow.
    pub is_over: bool,
    /// What the player is to answer.
    pub reply: Vec<u8>,
}

impl Framing {
    /// That of a response with this head.
    pub fn of(head: &str) -> Framing {
        let head = head.to_ascii_lowercase();
        if head.starts_with("http/1.1 101 ") {
            Framing::WebSocket(Pieces::default())
        } else if head.contains("transfer-encoding: chunked") {
            Framing::Chunked(Pieces::default())
        } else {
            Framing::None
        }
    }

    pub fn unwrap(&mut self, bytes: &[u8]) -> Unwrapped {
        let mut unwrapped = Unwrapped::default();
        match self {
            Framing::None => unwrapped.body.extend(bytes),
            Framing::Chunked(pieces) => {
                pieces.bytes.extend(bytes);
                while !unwrapped.is_over && pieces.chunk(&mut unwrapped).is_some() {}
            }
            Framing::WebSocket(pieces) => {
                pieces.bytes.extend(bytes);
                while !unwrapped.is_over && pieces.frame(&mut unwrapped).is_some() {}
            }
        }
        unwrapped
    }
}

impl Pieces {
    fn chunk(&mut self, unwrapped: &mut Unwrapped) -> Option<()> {
        let line = self.bytes.windows(2).position(|window| window == b"\r\n")?;
        let len = std::str::from_utf8(&self.bytes[..line]).expect("a length in digits");
        let len = usize::from_str_radix(len, 16).expect("a length in hexadecimal digits");
        let end = line + 2 + len;
        if self.bytes.len() < end + 2 {
            return None;
        }
        assert_eq!(&self.bytes[end..end + 2], b"\r\n", "a chunk ends with a line");
        unwrapped.body.extend(&self.bytes[line + 2..end]);
        unwrapped.is_over = len == 0;
        self.bytes.drain(..end + 2);
        Some(())
    }

    fn frame(&mut self, unwrapped: &mut Unwrapped) -> Option<()> {
        let [first, second, ..] = *self.bytes else { return None };
        assert!(second < 0x80, "a server does not mask");
        let (start, len) = match second {
            126 => (
                4,
                usize::from(u16::from_be_bytes(self.bytes.get(2..4)?.try_into().unwrap())),
            ),
            127 => {
                let len = u64::from_be_bytes(self.bytes.get(2..10)?.try_into().unwrap());
                (10, usize::try_from(len).unwrap())
            }
            len => (2, usize::from(len)),
        };
        let payload = self.bytes.get(start..start + len)?;
        match first {
            0x82 => unwrapped.body.extend(payload),
            0x88 => unwrapped.is_over = true,
            0x89 => unwrapped.reply.extend(masked(0x8A, payload)),
            _ => panic!("a frame of another kind: {first:#x}"),
        }
        self.bytes.drain(..start + len);
        Some(())
    }
}

/// A frame of a client: short, and masked with zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = 0x80 | u8::try_from(payload.len()).expect("a short frame");
    [&[first, len, 0, 0, 0, 0], payload].concat()
}

/// A chunk of a request.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
