//! MessagePack as msgpackr writes it for BullMQ: maps with two bytes of length, integers of 32 bits
//! and all larger ones as floating point, `undefined` as nil.

use serde_json::Value;

/// A value packed.
pub(crate) fn pack(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(flag) => out.push(if *flag { 0xc3 } else { 0xc2 }),
        Value::Number(number) => write_number(number.as_f64().expect("a double"), out),
        Value::String(text) => write_text(text, out),
        Value::Array(elements) => {
            write_length(elements.len(), 0x90, 0xdc, out);
            elements.iter().for_each(|element| write(element, out));
        }
        Value::Object(fields) => {
            out.push(0xde);
            out.extend(short(fields.len()).to_be_bytes());
            for (name, value) in fields {
                write_text(name, out);
                write(value, out);
            }
        }
    }
}

fn write_number(number: f64, out: &mut Vec<u8>) {
    let whole = number as i64;
    match i32::try_from(whole) {
        Ok(whole) if number.fract() == 0.0 => match whole {
            0..=127 => out.push(whole.to_be_bytes()[3]),
            -32..=-1 => out.push(whole.to_be_bytes()[3]),
            _ => {
                out.push(0xd2);
                out.extend(whole.to_be_bytes());
            }
        },
        _ => {
            out.push(0xcb);
            out.extend(number.to_be_bytes());
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    match u8::try_from(text.len()) {
        Ok(length @ 0..=31) => out.push(0xa0 | length),
        _ => {
            out.push(0xda);
            out.extend(short(text.len()).to_be_bytes());
        }
    }
    out.extend(text.bytes());
}

fn write_length(length: usize, few: u8, many: u8, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(length @ 0..=15) => out.push(few | length),
        _ => {
            out.push(many);
            out.extend(short(length).to_be_bytes());
        }
    }
}

fn short(length: usize) -> u16 {
    u16::try_from(length).expect("nothing here is that long")
}
