//! What a function returned, and what the Lua replies.

use bootrace_sim::bullmq::Version;
use bootrace_sim::bullmq::scripts::{Fetched, Returned};
use bootrace_sim::redis::{Bytes, Reply};

use crate::keyspace::Comparison;

/// Scripts that reply nothing where the function returns 0.
const SILENT: [&str; 3] = ["pause", "drain", "updateJobScheduler"];

/// What a reply comes to, in a word.
pub(crate) fn kind(reply: &Reply) -> &'static str {
    match reply {
        Reply::Int(..0) => "refused",
        Reply::Int(_) => "number",
        Reply::Bulk(_) => "id",
        Reply::Nil => "nil",
        Reply::Array(parts) => match &parts[..] {
            [Reply::Array(_), Reply::Bulk(_), ..] => "job",
            [Reply::Bulk(_), Reply::Int(_)] => "id",
            [Reply::Int(0), Reply::Int(0), Reply::Int(1..), _] => "limited",
            [Reply::Int(0), Reply::Int(0), _, Reply::Int(1..)] => "wait",
            [Reply::Int(0), Reply::Int(0), ..] => "nothing",
            [] => "none",
            parts if parts.iter().all(|part| *part == Reply::Array(vec![])) => "none",
            _ => "some",
        },
        Reply::Error(_) => "failed",
        _ => "other",
    }
}

/// Compares what a script of that name returned.
pub(crate) fn compare(
    comparison: &mut Comparison,
    name: &str,
    version: Version,
    returned: &Returned,
    reply: &Reply,
) -> Result<(), String> {
    let same = match (returned, reply) {
        // The delay of the iteration, for a Job object that nobody looks at.
        (Returned::Id(id), Reply::Array(parts)) if name == "addJobScheduler" => {
            matches!(&parts[..], [first, Reply::Int(0..)] if *first == bulk(id))
        }
        (Returned::Id(id), reply) => *reply == bulk(id),
        (Returned::Code(0), Reply::Nil) => SILENT.contains(&name),
        // The ids, of which the function says how many there are.
        (Returned::Code(count), Reply::Array(ids)) if name == "cleanJobsInSet" => {
            i64::try_from(ids.len()) == Ok(*count)
        }
        (Returned::Code(code), reply) => *reply == Reply::Int(*code),
        (Returned::Fetched(fetched), Reply::Array(parts)) => is_job(comparison, fetched, parts),
        (Returned::Nothing { limited_for, next_delayed }, reply) => {
            *reply == Reply::Array([0, 0, *limited_for, *next_delayed].map(Reply::Int).into())
        }
        (Returned::Stalled(found), reply) if version < Version::V5_81_5 => {
            *reply == Reply::Array(vec![list(&found.failed), list(&found.stalled)])
        }
        (Returned::Stalled(found), reply) => {
            found.failed.is_empty() && *reply == list(&found.stalled)
        }
        (Returned::NotRenewed(ids), reply) => *reply == list(ids),
        // The error of the command, without where in the Lua it was met.
        (Returned::Failed(error), Reply::Error(met)) => {
            let (error, met) = (error.to_string(), met.to_string());
            let code = |text: &str| text.split(' ').next().map(str::to_owned);
            code(&error) == code(&met)
        }
        _ => false,
    };
    if same { Ok(()) } else { Err(format!("  the model: {returned:?}\n  the Lua:   {reply:?}")) }
}

fn bulk(bytes: &Bytes) -> Reply {
    Reply::Bulk(bytes.clone())
}

fn list(ids: &[Bytes]) -> Reply {
    Reply::Array(ids.iter().map(bulk).collect())
}

/// A job that was taken: its fields, its id, and two zeros.
fn is_job(comparison: &mut Comparison, fetched: &Fetched, parts: &[Reply]) -> bool {
    let [Reply::Array(fields), id, rest @ ..] = parts else { return false };
    let pairs: Vec<(&Bytes, &Bytes)> = fields
        .chunks(2)
        .filter_map(|pair| match pair {
            [Reply::Bulk(field), Reply::Bulk(value)] => Some((field, value)),
            _ => None,
        })
        .collect();
    let mut has = |(field, value): &(Bytes, Bytes)| {
        let real = pairs.iter().find(|(other, _)| field == *other);
        real.is_some_and(|(_, real)| comparison.same_field(field, value, real))
    };
    *id == bulk(&fetched.id)
        && rest == [Reply::Int(0), Reply::Int(0)]
        && fields.len() == 2 * fetched.fields.len()
        && fetched.fields.iter().all(&mut has)
}
