//! What a packet says, for people.

use bytes::Buf;
use foca::{Codec, Member, Message, State};

use super::codec::{Life, Plain};

/// What a packet says, in a line: what is asked, then what it tells of others. None if it cannot be read.
///
/// ```text
/// ping                                    are you there?
/// ping h3 for me; h4 is suspected         … and what is new about others
/// you are down                            whoever is told so begins a new life
/// ```
#[must_use]
pub fn tell(mut packet: &[u8]) -> Option<String> {
    let header = Plain.decode_header(&mut packet).ok()?;
    let mut told = match header.message {
        Message::Ping(_) => "ping".to_owned(),
        Message::Ack(_) => "ack".to_owned(),
        Message::PingReq { target, .. } => format!("ping {} for me", target.host),
        Message::IndirectPing { origin, .. } => format!("ping for {}", origin.host),
        Message::IndirectAck { target, .. } => format!("ack for {}", target.host),
        Message::ForwardedAck { origin, .. } => format!("ack of {}", origin.host),
        Message::Announce => "who is there?".to_owned(),
        Message::Feed => "there are".to_owned(),
        Message::Gossip => "gossip".to_owned(),
        Message::Broadcast => "broadcast".to_owned(),
        Message::TurnUndead => "you are down".to_owned(),
    };
    if packet.remaining() >= 2 {
        for _ in 0..packet.get_u16() {
            told.push_str("; ");
            told.push_str(&about(&Plain.decode_member(&mut packet).ok()?));
        }
    }
    Some(told)
}

/// `h3 is suspected`; what is not usual about its life stands behind it.
fn about(member: &Member<Life>) -> String {
    let Life { host, number } = *member.id();
    let state = match member.state() {
        State::Alive => "alive",
        State::Suspect => "suspected",
        State::Down => "down",
    };
    let mut told = format!("{host} is {state}");
    if member.incarnation() > 0 {
        told.push_str(&format!(", incarnation {}", member.incarnation()));
    }
    match number & u64::from(u32::MAX) {
        0 => {}
        times => told.push_str(&format!(", declared down {times} times before")),
    }
    told
}
