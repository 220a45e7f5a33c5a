//! `cjson.decode`.

use mlua::{Error, Lua, Result, Value};

use super::super::args::Args;
use super::super::item::{self, Item};
use super::super::number;
use super::super::raise;
use super::{DEEPEST, Settings};

/// `cjson.decode(text)`.
pub(super) fn decode(lua: &Lua, args: &Args, settings: &mut Settings) -> Result<Value> {
    if args.len() != 1 {
        return Err(raise::argument(lua, 1, "expected 1 argument"));
    }
    let text = args.string(lua, 1)?;
    let text = text.as_bytes();
    if text.len() >= 2 && text[..2].contains(&0) {
        return Err(raise::error(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut decoder =
        Decoder { lua, settings, text: &text, at: 0, from: 0, depth: 0, unescaped: Vec::new() };
    let first = decoder.token();
    let value = decoder.value(first)?.into_value(lua)?;
    match decoder.token() {
        Token::End => Ok(value),
        other => Err(decoder.unexpected("the end", &other)),
    }
}

struct Decoder<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    text: &'a [u8],
    /// What is read next.
    at: usize,
    /// Where the last token began, or what is wrong with it.
    from: usize,
    depth: i32,
    /// The last string, if it had an escape in it.
    unescaped: Vec<u8>,
}

/// A token of JSON.
enum Token<'a> {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Text<'a>),
    Number(f64),
    Bool(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

/// A string.
enum Text<'a> {
    /// As it stands.
    Plain(&'a [u8]),
    /// In [`Decoder::unescaped`].
    Unescaped,
}

impl Token<'_> {
    /// What errors call it.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Bool(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(problem) => problem,
        }
    }
}

impl<'a> Decoder<'a> {
    /// The byte at `at`; behind the end it is zero, as in C.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn unexpected(&self, expected: &str, token: &Token<'_>) -> Error {
        let (found, place) = (token.name(), self.from + 1);
        let problem = format!("Expected {expected} but found {found} at character {place}");
        raise::error(self.lua, &problem)
    }

    /// A token that is an error: the place is where it was met.
    fn wrong(&mut self, problem: &'static str) -> Token<'a> {
        self.from = self.at;
        Token::Error(problem)
    }

    fn token(&mut self) -> Token<'a> {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.from = self.at;
        let token = match self.byte(self.at) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return Token::End,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.settings.decode_invalid && self.is_invalid_number() {
                    return self.wrong("invalid number");
                }
                return self.number();
            }
            b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+' => return self.word(),
            _ => return self.wrong("invalid token"),
        };
        self.at += 1;
        token
    }

    fn word(&mut self) -> Token<'a> {
        let rest = &self.text[self.at..];
        let words: [(&[u8], Token<'a>); 3] =
            [(b"true", Token::Bool(true)), (b"false", Token::Bool(false)), (b"null", Token::Null)];
        for (word, token) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        if self.settings.decode_invalid && self.is_invalid_number() {
            return self.number();
        }
        self.wrong("invalid token")
    }

    fn number(&mut self) -> Token<'a> {
        match number::read(&self.text[self.at..]) {
            Some((number, length)) => {
                self.at += length;
                Token::Number(number)
            }
            None => self.wrong("invalid number"),
        }
    }

    /// Whether what may be a number is one that JSON does not have: with a plus sign, a leading
    /// zero, in hexadecimal, or by name.
    fn is_invalid_number(&self) -> bool {
        let at = self.at + usize::from(self.byte(self.at) == b'-');
        match self.byte(at) {
            b'+' if at == self.at => true,
            b'0' => matches!(self.byte(at + 1), b'x' | b'X' | b'0'..=b'9'),
            byte if byte <= b'9' => false,
            _ => {
                let name = self.text[at..].get(..3).unwrap_or_default();
                name.eq_ignore_ascii_case(b"inf") || name.eq_ignore_ascii_case(b"nan")
            }
        }
    }

    fn string(&mut self) -> Token<'a> {
        self.at += 1;
        let begin = self.at;
        while !matches!(self.byte(self.at), b'"' | b'\\' | 0) {
            self.at += 1;
        }
        if self.byte(self.at) == b'"' {
            self.at += 1;
            return Token::String(Text::Plain(&self.text[begin..self.at - 1]));
        }
        self.unescaped.clear();
        self.unescaped.extend_from_slice(&self.text[begin..self.at]);
        loop {
            match self.byte(self.at) {
                b'"' => break,
                0 => return self.wrong("unexpected end of string"),
                b'\\' => {
                    if let Err(problem) = self.escape() {
                        return self.wrong(problem);
                    }
                }
                byte => {
                    self.unescaped.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Token::String(Text::Unescaped)
    }

    /// Reads an escape.
    fn escape(&mut self) -> std::result::Result<(), &'static str> {
        let byte = match self.byte(self.at + 1) {
            letter @ (b'"' | b'\\' | b'/') => letter,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 0x0c,
            b'r' => b'\r',
            b'u' => {
                let (codepoint, length) = self.codepoint().ok_or("invalid unicode escape code")?;
                let mut utf8 = [0; 4];
                self.unescaped.extend_from_slice(codepoint.encode_utf8(&mut utf8).as_bytes());
                self.at += length;
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        };
        self.unescaped.push(byte);
        self.at += 2;
        Ok(())
    }

    /// The character of a `\uXXXX`, or of two that are a surrogate pair, and how long that is.
    fn codepoint(&self) -> Option<(char, usize)> {
        let first = self.hexadecimal(self.at + 2)?;
        if first & 0xf800 != 0xd800 {
            return Some((char::from_u32(first)?, 6));
        }
        let paired = first & 0x400 == 0 && self.text[self.at + 6..].starts_with(b"\\u");
        let second = if paired { self.hexadecimal(self.at + 8)? } else { return None };
        if second & 0xfc00 != 0xdc00 {
            return None;
        }
        Some((char::from_u32((((first & 0x3ff) << 10) | (second & 0x3ff)) + 0x10000)?, 12))
    }

    /// Four digits.
    fn hexadecimal(&self, at: usize) -> Option<u32> {
        (at..at + 4)
            .try_fold(0, |value, at| Some((value << 4) | char::from(self.byte(at)).to_digit(16)?))
    }

    fn value(&mut self, token: Token<'a>) -> Result<Item<'a>> {
        Ok(match token {
            Token::String(Text::Plain(bytes)) => Item::Bytes(bytes),
            Token::String(Text::Unescaped) => {
                Item::Value(Value::String(self.lua.create_string(&self.unescaped)?))
            }
            Token::Number(number) => Item::Number(number),
            Token::Bool(yes) => Item::Bool(yes),
            Token::Null => Item::Value(Value::NULL),
            Token::ObjectBegin => self.object()?,
            Token::ArrayBegin => self.array()?,
            other => return Err(self.unexpected("value", &other)),
        })
    }

    fn descend(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > self.settings.decode_depth.min(DEEPEST) {
            let (depth, place) = (self.depth, self.at);
            let problem =
                format!("Found too many nested data structures ({depth}) at character {place}");
            return Err(raise::error(self.lua, &problem));
        }
        Ok(())
    }

    fn object(&mut self) -> Result<Item<'a>> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if !matches!(token, Token::ObjectEnd) {
            loop {
                if !matches!(token, Token::String(_)) {
                    return Err(self.unexpected("object key string", &token));
                }
                let key = self.value(token)?;
                match self.token() {
                    Token::Colon => {}
                    other => return Err(self.unexpected("colon", &other)),
                }
                let first = self.token();
                let value = self.value(first)?;
                item::set(&table, key, value)?;
                match self.token() {
                    Token::ObjectEnd => break,
                    Token::Comma => token = self.token(),
                    other => return Err(self.unexpected("comma or object end", &other)),
                }
            }
        }
        self.depth -= 1;
        Ok(Item::Value(Value::Table(table)))
    }

    fn array(&mut self) -> Result<Item<'a>> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if !matches!(token, Token::ArrayEnd) {
            for at in 1.. {
                self.value(token)?.set_at(&table, at)?;
                match self.token() {
                    Token::ArrayEnd => break,
                    Token::Comma => token = self.token(),
                    other => return Err(self.unexpected("comma or array end", &other)),
                }
            }
        }
        self.depth -= 1;
        Ok(Item::Value(Value::Table(table)))
    }
}
