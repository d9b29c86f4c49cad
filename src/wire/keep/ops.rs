//! Chores and reports as protobuf schemas: rare, and small but for the lists of hosts in them.
//!
//! ```text
//! ChoreAsk   header: question 9, chore 1 (status)        body: nothing
//! ChoreIs    header: question 9                          body: the report, as protobuf
//! ```
//!
//! *Hold this true*: what a report lists is cut to its limit when it is written, so that every report that is sent can be
//! read.

use bytes::Bytes;
use prost::Message;

use super::status::StatusPb;
use super::write::short_text;
use crate::keyspace::Id;
use crate::message::{Balanced, Chore, Purged, Report, Tuning};
use crate::placement::HostId;
use crate::record::Summary;
use crate::roster::MAX_HOSTS;
use crate::wire::WireError;
use crate::wire::error::within;
use crate::wire::schema::SummaryPb;

/// At most so many reasons why records were kept are told; the others are added up.
const MAX_REASONS: usize = 64;

#[derive(Clone, PartialEq, Message)]
pub(super) struct ChorePb {
    #[prost(oneof = "ChoreCase", tags = "1, 2, 3, 4, 5, 6")]
    case: Option<ChoreCase>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum ChoreCase {
    #[prost(bool, tag = "1")]
    Status(bool),
    #[prost(bool, tag = "2")]
    Balance(bool),
    #[prost(bool, tag = "3")]
    Purge(bool),
    #[prost(message, tag = "4")]
    Configure(TuningPb),
    #[prost(bool, tag = "5")]
    Count(bool),
    /// The id.
    #[prost(bytes = "bytes", tag = "6")]
    Hints(Bytes),
}

#[derive(Clone, Copy, PartialEq, Message)]
struct TuningPb {
    #[prost(uint64, optional, tag = "1")]
    move_bytes_per_s: Option<u64>,
}

impl From<Tuning> for TuningPb {
    fn from(tuning: Tuning) -> TuningPb {
        TuningPb {
            move_bytes_per_s: tuning.move_bytes_per_s,
        }
    }
}

impl From<TuningPb> for Tuning {
    fn from(read: TuningPb) -> Tuning {
        Tuning {
            move_bytes_per_s: read.move_bytes_per_s,
        }
    }
}

impl From<&Chore> for ChorePb {
    fn from(chore: &Chore) -> ChorePb {
        let case = match chore {
            Chore::Status => ChoreCase::Status(true),
            Chore::Balance => ChoreCase::Balance(true),
            Chore::Purge => ChoreCase::Purge(true),
            Chore::Configure(tuning) => ChoreCase::Configure((*tuning).into()),
            Chore::Count => ChoreCase::Count(true),
            Chore::Hints(id) => ChoreCase::Hints(Bytes::copy_from_slice(&id.to_bytes())),
        };
        ChorePb { case: Some(case) }
    }
}

impl ChorePb {
    pub(super) fn read(self) -> Result<Chore, WireError> {
        Ok(match self.case.ok_or(WireError::Missing("chore"))? {
            ChoreCase::Status(_) => Chore::Status,
            ChoreCase::Balance(_) => Chore::Balance,
            ChoreCase::Purge(_) => Chore::Purge,
            ChoreCase::Configure(tuning) => Chore::Configure(tuning.into()),
            ChoreCase::Count(_) => Chore::Count,
            ChoreCase::Hints(id) => {
                let id = <[u8; 20]>::try_from(&*id).map_err(|_| WireError::Missing("id"))?;
                Chore::Hints(Id::from_bytes(id))
            }
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct ReportPb {
    #[prost(oneof = "ReportCase", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    case: Option<ReportCase>,
}

#[allow(
    clippy::large_enum_variant,
    reason = "one is made for a whole host, and read at once"
)]
#[derive(Clone, PartialEq, prost::Oneof)]
enum ReportCase {
    #[prost(message, tag = "1")]
    Going(GoingPb),
    #[prost(message, tag = "2")]
    Status(StatusPb),
    #[prost(message, tag = "3")]
    Balanced(BalancedPb),
    #[prost(message, tag = "4")]
    Purged(PurgedPb),
    #[prost(message, tag = "5")]
    Tuned(TuningPb),
    #[prost(string, tag = "6")]
    Refused(String),
    #[prost(uint64, tag = "7")]
    Counted(u64),
    #[prost(message, tag = "8")]
    Hints(HintsPb),
}

#[derive(Clone, PartialEq, Message)]
struct HintsPb {
    #[prost(message, repeated, tag = "1")]
    hints: Vec<HintPb>,
}

#[derive(Clone, PartialEq, Message)]
struct HintPb {
    #[prost(fixed64, tag = "1")]
    host: u64,
    #[prost(message, optional, tag = "2")]
    summary: Option<SummaryPb>,
}

impl HintsPb {
    fn read(self) -> Result<Vec<(HostId, Summary)>, WireError> {
        let limit = u64::try_from(MAX_HOSTS).unwrap_or(u64::MAX);
        within("a number of hints", self.hints.len() as u64, limit)?;
        let hints = self.hints.into_iter().map(|hint| {
            let summary = hint
                .summary
                .map_or(Ok(Summary::default()), SummaryPb::read)?;
            Ok((HostId(hint.host), summary))
        });
        hints.collect()
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
struct GoingPb {
    #[prost(uint32, tag = "1")]
    done: u32,
    #[prost(uint32, tag = "2")]
    of: u32,
}

#[derive(Clone, PartialEq, Message)]
struct BalancedPb {
    #[prost(uint32, tag = "1")]
    spans: u32,
    #[prost(uint64, tag = "2")]
    pulled: u64,
    #[prost(uint64, tag = "3")]
    pushed: u64,
    #[prost(uint64, tag = "4")]
    differing: u64,
    #[prost(fixed64, repeated, tag = "5")]
    unreachable: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct PurgedPb {
    #[prost(uint64, tag = "1")]
    dropped: u64,
    #[prost(message, repeated, tag = "2")]
    kept: Vec<KeptPb>,
}

#[derive(Clone, PartialEq, Message)]
struct KeptPb {
    #[prost(string, tag = "1")]
    why: String,
    #[prost(uint64, tag = "2")]
    records: u64,
}

/// A report as bytes.
pub(super) fn write_report(report: &Report) -> Vec<u8> {
    let case = match report {
        Report::Going(done, of) => ReportCase::Going(GoingPb {
            done: *done,
            of: *of,
        }),
        Report::Status(status) => ReportCase::Status(StatusPb::from(&**status)),
        Report::Balanced(balanced) => ReportCase::Balanced(BalancedPb {
            spans: balanced.spans,
            pulled: balanced.pulled,
            pushed: balanced.pushed,
            differing: balanced.differing,
            unreachable: numbers(&balanced.unreachable),
        }),
        Report::Purged(purged) => ReportCase::Purged(PurgedPb::from(purged)),
        Report::Tuned(tuning) => ReportCase::Tuned((*tuning).into()),
        Report::Counted(keys) => ReportCase::Counted(*keys),
        Report::Hints(hints) => ReportCase::Hints(HintsPb {
            hints: hints
                .iter()
                .take(MAX_HOSTS)
                .map(|(host, summary)| HintPb {
                    host: host.0,
                    summary: Some(summary.into()),
                })
                .collect(),
        }),
        Report::Refused(why) => ReportCase::Refused(short_text(why)),
    };
    ReportPb { case: Some(case) }.encode_to_vec()
}

/// The report that is the whole body.
pub(super) fn read_report(body: &mut Bytes) -> Result<Report, WireError> {
    let bytes = std::mem::take(body);
    let read = ReportPb::decode(bytes)?;
    Ok(match read.case.ok_or(WireError::Missing("report"))? {
        ReportCase::Going(going) => Report::Going(going.done, going.of),
        ReportCase::Status(status) => Report::Status(Box::new(status.read()?)),
        ReportCase::Balanced(read) => Report::Balanced(Balanced {
            spans: read.spans,
            pulled: read.pulled,
            pushed: read.pushed,
            differing: read.differing,
            unreachable: hosts(&read.unreachable)?,
        }),
        ReportCase::Purged(read) => Report::Purged(Purged {
            dropped: read.dropped,
            kept: read.kept.into_iter().map(|k| (k.why, k.records)).collect(),
        }),
        ReportCase::Tuned(tuning) => Report::Tuned(tuning.into()),
        ReportCase::Counted(keys) => Report::Counted(keys),
        ReportCase::Hints(hints) => Report::Hints(hints.read()?),
        ReportCase::Refused(why) => Report::Refused(why),
    })
}

pub(super) fn numbers(hosts: &[HostId]) -> Vec<u64> {
    hosts.iter().map(|host| host.0).collect()
}

pub(super) fn hosts(numbers: &[u64]) -> Result<Vec<HostId>, WireError> {
    let limit = u64::try_from(MAX_HOSTS).unwrap_or(u64::MAX);
    within("a number of hosts", numbers.len() as u64, limit)?;
    Ok(numbers.iter().copied().map(HostId).collect())
}

impl From<&Purged> for PurgedPb {
    fn from(purged: &Purged) -> PurgedPb {
        let told = purged.kept.iter().take(MAX_REASONS);
        let mut kept: Vec<KeptPb> = told
            .map(|(why, records)| KeptPb {
                why: short_text(why),
                records: *records,
            })
            .collect();
        let rest = purged.kept.iter().skip(MAX_REASONS).map(|(_, n)| n);
        let rest: u64 = rest.sum();
        if rest > 0 {
            let why = "for other reasons".to_owned();
            kept.push(KeptPb { why, records: rest });
        }
        PurgedPb {
            dropped: purged.dropped,
            kept,
        }
    }
}
