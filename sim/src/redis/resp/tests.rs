//! Requests cut anywhere, malformed ones, and replies there and back.

use super::*;

const ALLOWED: Allowed = Allowed { longest: 512 << 20, authenticated: true };

/// All requests in some bytes that come in pieces, and what ended them.
fn read(pieces: &[&[u8]]) -> (Vec<Vec<Bytes>>, Option<Malformed>) {
    let (mut requests, mut found) = (Requests::default(), Vec::new());
    let (mut input, mut at) = (Vec::new(), 0);
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match requests.next(&input, &mut at, ALLOWED) {
                Ok(true) => found.push(requests.args().to_vec()),
                Ok(false) => break,
                Err(malformed) => return (found, Some(malformed)),
            }
        }
        input.drain(..at);
        at = 0;
    }
    (found, None)
}

fn words(words: &[&str]) -> Vec<Bytes> {
    words.iter().map(|word| Bytes::from(*word)).collect()
}

#[test]
fn requests_are_found_however_they_are_cut() {
    let bytes: &[u8] = b"*2\r\n$4\r\nECHO\r\n$12\r\nhello\r\nworld\r\n*0\r\n*-7\r\n\r\nSET a \"b \\x41\" 'c'\r\n*1\r\n$0\r\n\r\nPING\n";
    let wanted = vec![
        words(&["ECHO", "hello\r\nworld"]),
        words(&["SET", "a", "b A", "c"]),
        words(&[""]),
        words(&["PING"]),
    ];
    assert_eq!(read(&[bytes]), (wanted.clone(), None));
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&single), (wanted.clone(), None));
    for cut in 0..bytes.len() {
        assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]), (wanted.clone(), None), "{cut}");
    }
}

#[test]
fn what_is_no_request_is_told_why() {
    let told = |bytes: &[u8]| {
        let (_, why) = read(&[bytes]);
        let mut out = Vec::new();
        why.into_iter().for_each(|why| encode(&why.into(), 2, &mut out));
        String::from_utf8_lossy(&out).into_owned()
    };
    let long = [b'a'; LONGEST_LINE + 1];
    for (bytes, why) in [
        (b"*x\r\n".as_slice(), "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*1\r\n:5\r\n", "expected '$', got ':'"),
        (b"*1\r\n\r\n\r\n", "expected '$', got ' '"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$+1\r\n", "invalid bulk length"),
        (b"SET \"a\r\n", "unbalanced quotes in request"),
        (b"SET 'a'b\r\n", "unbalanced quotes in request"),
        (&long, "too big inline request"),
    ] {
        assert_eq!(told(bytes), format!("-ERR Protocol error: {why}\r\n"));
    }
    assert_eq!(told(b"*1000000000\r\n$2147483\r\nabc"), "");
    let strict = Allowed { authenticated: false, ..ALLOWED };
    for bytes in [b"*11\r\n".as_slice(), b"*1\r\n$16385\r\n"] {
        assert!(Requests::default().next(bytes, &mut 0, strict).is_err());
    }
}

#[test]
fn replies_come_back_as_they_were_sent() {
    let text = Bytes::from("text");
    let replies = Reply::Array(vec![
        Reply::Simple(text.clone()),
        Reply::Error(Error::Bytes(Bytes::from("ERR no"))),
        Reply::Int(i64::MIN),
        Reply::Int(1234),
        Reply::Bulk(Bytes::from(b"\r\n\0")),
        Reply::Nil,
        Reply::Double(f64::NEG_INFINITY),
        Reply::Double(0.1),
        Reply::Map(vec![(Reply::Int(0), Reply::Set(vec![Reply::Bool(true)]))]),
        // A message between elements is none of them.
        Reply::Several(vec![
            Reply::Push(vec![Reply::BigNumber(Bytes::from("123"))]),
            Reply::Verbatim("txt", text),
        ]),
    ]);
    let mut out = Vec::new();
    encode(&replies, 3, &mut out);
    assert_eq!(decode(&out), Ok(Some((replies, out.len()))));
    for end in 0..out.len() {
        assert_eq!(decode(&out[..end]), Ok(None));
    }
    assert_eq!(decode(b"?\r\n"), Err(BadReply));
}

#[test]
fn version_two_has_fewer_types() {
    let told = |reply: Reply| {
        let mut out = Vec::new();
        encode(&reply, 2, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    let pair = || vec![(Reply::Int(1), Reply::Double(1.5))];
    assert_eq!(told(Reply::Map(pair())), "*2\r\n:1\r\n$3\r\n1.5\r\n");
    assert_eq!(told(Reply::Pairs(pair())), "*2\r\n:1\r\n$3\r\n1.5\r\n");
    assert_eq!(told(Reply::Nil) + &told(Reply::NilArray), "$-1\r\n*-1\r\n");
    assert_eq!(told(Reply::Bool(true)) + &told(Reply::Nothing), ":1\r\n");
    assert_eq!(told(Reply::Error(Error::line("ERR a\r\nb"))), "-ERR a  b\r\n");
}
