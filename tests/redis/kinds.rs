//! Arguments of each kind, weighted to where things go wrong: missing keys, keys of another type,
//! edges of 64 bits, NaN and infinities, bytes that are no text, instants next to now.

use super::Rng;

/// What an argument depends on.
pub(crate) struct Kinds {
    /// The clock, in milliseconds.
    pub(crate) now_ms: i64,
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "foo", "10"];
const VALUES: [&str; 14] = [
    "",
    "a",
    "b",
    "foobar",
    "10",
    "-1",
    "3.5",
    "0",
    "9223372036854775807",
    "1e3",
    "inf",
    "  5",
    "a rather long value that does not fit into sixty-four bytes of a listpack",
    "ohmytext",
];
const INTS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "2",
    "5",
    "10",
    "100",
    "-7",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775806",
    "4611686018427387904",
    "9223372036854775808",
    "",
    "+1",
    "01",
];
const FLOATS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "0.1",
    "0.5",
    "3.0e3",
    "1e-5",
    "123456789.123",
    "inf",
    "-inf",
    "nan",
    "1e308",
    "17179869184.5",
    "-0",
    "0x10",
    "abc",
];
const SCORES: [&str; 16] = [
    "0",
    "1",
    "1",
    "2",
    "2",
    "3",
    "-1",
    "1.5",
    "inf",
    "-inf",
    "nan",
    "1e308",
    "-0",
    "9007199254740993",
    "0.1",
    "x",
];
const BOUNDS: [&str; 16] = [
    "-inf", "+inf", "0", "1", "2", "3", "(1", "(2", "(0", "1.5", "(inf", "(-inf", "nan", "-1", "",
    "(",
];
const LEX: [&str; 12] = ["-", "+", "[a", "(a", "[b", "(b", "[c", "(d", "[foo", "[", "a", "("];
const PATTERNS: [&str; 10] = ["*", "s*", "?1", "[a-m]*", "h[^1]", "*1", "a", "\\*", "", "*o*"];
/// A script that takes back what a client waits for.
const HALFWAY: &str = "redis.call('rpush',KEYS[1],ARGV[1]) redis.call('del',KEYS[1])";
const SCRIPTS: [&str; 14] = [
    "return cjson.encode({1e14,1e15,123456789012345678,0.1,-7})",
    "return {cmsgpack.unpack(cmsgpack.pack(1,'a',9007199254740993,-1))}",
    "redis.call('rpush',KEYS[1],ARGV[1]) redis.call('lpush',KEYS[1],'first') return 1",
    "redis.call('del',KEYS[1]) redis.call('zadd',KEYS[1],2,ARGV[1],1,'low') return redis.call('type',KEYS[1])",
    "return {cjson.encode({1e14,12345678901234567,0.1,ARGV[1]}),cmsgpack.pack(9007199254740993,1e300)}",
    "return cmsgpack.unpack(cmsgpack.pack({9007199254740992,-1,2^53+2,3.5,ARGV[1]}))",
    "return redis.call('get',KEYS[1])",
    "return redis.call('set',KEYS[1],ARGV[1])",
    "return {1,2,{ok='fine'},ARGV[1],false,3.7}",
    "redis.call('rpush',KEYS[1],ARGV[1]) return redis.call('llen',KEYS[1])",
    "redis.call('set',KEYS[1],'x') error('stop')",
    "return redis.pcall('incr',KEYS[1])",
    "return redis.error_reply('MY own')",
    "return redis.sha1hex(ARGV[1])",
];
const SHAS: [&str; 4] = [
    "fd758d1589d044dd850a6f05d52f2eefd27f033f",
    "69aa5b5e1f3b2d7f7e3f2a3a6a4a4b4e2d8b3e7f",
    "d3c21d0c2b9ca22f82737626a27bcaf5d288f99f",
    "nosuch",
];
const TYPES: [&str; 10] = ["u1", "u8", "i8", "i16", "u63", "i64", "u64", "i5", "i0", "u32"];
const OFFSETS: [&str; 12] = ["0", "1", "3", "7", "8", "9", "63", "100", "#0", "#1", "-1", "1x"];

impl Kinds {
    /// An argument of this kind.
    pub(crate) fn draw(&self, kind: &str, rng: &mut Rng) -> Vec<u8> {
        if kind == "y" {
            // Ranges by member mean something where all scores are the same.
            return format!("y{}", 1 + rng.below(3)).into_bytes();
        }
        if kind != "lim" && rng.below(150) == 0 {
            return rng.pick(&["", "x", "-1", "nan", "18446744073709551616", "(", "$"]).into();
        }
        let number = |number: i64| number.to_string().into_bytes();
        match kind {
            "s" | "l" | "h" | "e" | "z" | "x" => key(kind, rng),
            "k" => key(["s", "l", "h", "e", "z", "x"][rng.below(6)], rng),
            "f" => rng.pick(&NAMES).into(),
            "m" if rng.below(12) == 0 => binary(rng),
            "m" if rng.below(10) == 0 => rng.pick(&VALUES).into(),
            "m" => rng.pick(&NAMES).into(),
            "v" => match rng.below(12) {
                0 => binary(rng),
                1 => vec![b'x'; [43, 44, 45, 64, 65, 300][rng.below(6)]],
                _ => rng.pick(&VALUES).into(),
            },
            "i" => rng.pick(&INTS).into(),
            "n" => number([0, 1, 1, 2, 3, 5, 12, 100][rng.below(8)]),
            "c" => number([0, 1, 1, 2, 3, 5][rng.below(6)]),
            "nk" => number([2, 2, 2, 2, 2, 2, 1, 3, 0, -1][rng.below(10)]),
            "ix" => {
                number([0, 0, 1, 2, 3, 5, -1, -1, -2, -3, -5, 100, -100, i64::MAX][rng.below(14)])
            }
            "d" => rng.pick(&FLOATS).into(),
            "sc" => rng.pick(&SCORES).into(),
            "a" => rng.pick(&BOUNDS).into(),
            "la" => rng.pick(&LEX).into(),
            "pp" => rng.pick(&["a*", "b", "n[e]ws", "\\x?"]).into(),
            "p" => rng.pick(&PATTERNS).into(),
            // Without a star nothing is sorted, and a set has no order.
            "by" => rng.pick(&["s*", "h1->*", "h*->a", "*"]).into(),
            "db" => number([0, 0, 0, 1, 1, 16, -1][rng.below(7)]),
            "bit" => number([0, 1, 1, 0, 1, 2][rng.below(6)]),
            "off" => number([0, 1, 7, 8, 9, 15, 63, 100, -1][rng.below(9)]),
            "bo" => rng.pick(&OFFSETS).into(),
            "ty" => rng.pick(&TYPES).into(),
            "ms" => number([1, 1, 2, 5, 10, 100, 1000, 100_000, 0, -1, i64::MAX][rng.below(11)]),
            "idle" => number([0, 0, 1, 2, 5, 10, -1][rng.below(7)]),
            "sec" => number([1, 1, 2, 10, 100, 0, -1, i64::MAX][rng.below(8)]),
            "pat" => number(self.now_ms + [-1, 0, 0, 1, 1, 2, 5, 1000, 100_000][rng.below(9)]),
            "at" => number(self.now_ms / 1000 + [-1, 0, 1, 1, 2, 100][rng.below(6)]),
            "to" => rng.pick(&["0", "0.001", "0.002", "0.01", "0.1", "1", "100", "-1"]).into(),
            "bms" => number([0, 1, 2, 5, 10, 100, 1000, -1][rng.below(8)]),
            "g" => rng.pick(&["g", "g", "g", "g2"]).into(),
            "w" => rng.pick(&["me", "me", "you", "he"]).into(),
            "ch" => rng.pick(&["a", "b", "news"]).into(),
            "lim" => number([0, 1, 3, 4, 8, 64, 128, 512][rng.below(8)]),
            "halfway" => rng.pick(&[HALFWAY]).into(),
            "script" => rng.pick(&SCRIPTS).into(),
            "sha" => rng.pick(&SHAS).into(),
            "trim" if rng.below(2) == 0 => number([0, 1, 2, 5, 10, 100][rng.below(6)]),
            "trim" | "id" => self.id(rng),
            "ids" => {
                [b"5-*".to_vec(), format!("{}-*", self.now_ms).into_bytes()][rng.below(2)].clone()
            }
            "ri" => match rng.below(4) {
                0 => rng.pick(&["-", "+"]).into(),
                1 => [b"(".to_vec(), self.id(rng)].concat(),
                _ => self.id(rng),
            },
            other => panic!("no kind of argument is called {other:?}"),
        }
    }

    /// An id of a stream: small, or near the clock.
    fn id(&self, rng: &mut Rng) -> Vec<u8> {
        let seq = [0, 0, 1, 2][rng.below(4)];
        match rng.below(8) {
            0 => rng.pick(&["0", "0-0", "0-1", "18446744073709551615-18446744073709551615"]).into(),
            1 => rng.pick(&["5", "7-1", "1-1", "x-1", "5-", "9223372036854775807-1"]).into(),
            2 | 3 => format!("{}-{seq}", 1 + rng.below(9)).into_bytes(),
            4 => (self.now_ms - [0, 1, 5][rng.below(3)]).to_string().into_bytes(),
            _ => {
                let back = [0, 0, 1, 2, 5, 10, 100, -1][rng.below(8)];
                format!("{}-{seq}", self.now_ms - back).into_bytes()
            }
        }
    }
}

/// A key, nearly always of the type that the letter stands for.
fn key(letter: &str, rng: &mut Rng) -> Vec<u8> {
    let letter =
        if rng.below(16) == 0 { ["s", "l", "h", "e", "z", "x"][rng.below(6)] } else { letter };
    format!("{letter}{}", [1, 1, 1, 2, 2, 3][rng.below(6)]).into_bytes()
}

fn binary(rng: &mut Rng) -> Vec<u8> {
    [b"\x00".to_vec(), b"\xff\xfe".to_vec(), b"a\r\nb".to_vec(), b"\"q\" \\".to_vec()][rng.below(4)]
        .clone()
}
