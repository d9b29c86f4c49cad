//! The detector's packets: numbers of fixed width, so a packet of 1,400 bytes tells of some 70 hosts.

use bytes::{Buf, BufMut};
use foca::{Codec, Header, Identity, Member, Message, State};

use crate::placement::HostId;

/// A host in one of its lives. SWIM never believes a life again that was declared dead, so a host that
/// finds itself declared dead begins the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Life {
    pub(super) host: HostId,
    /// The host's start number above, below how often it was declared dead in that life.
    pub(super) number: u64,
}

impl Life {
    pub(super) fn first(host: HostId, start: u32) -> Life {
        let number = u64::from(start) << 32;
        Life { host, number }
    }

    /// A host of whom only the name is known: good enough to greet it.
    pub(super) fn unknown(host: HostId) -> Life {
        Life { host, number: 0 }
    }
}

impl Identity for Life {
    type Addr = HostId;

    // region: renew
    /// Declared down, and not dead: the next life.
    fn renew(&self) -> Option<Life> {
        let number = self.number.checked_add(1)?;
        Some(Life { number, ..*self })
    }
    // endregion: renew

    fn addr(&self) -> HostId {
        self.host
    }

    fn win_addr_conflict(&self, adversary: &Life) -> bool {
        self.number > adversary.number
    }
}

/// Why a packet cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CodecError {
    #[error("the packet ends early")]
    Short,
    #[error("the packet has no room left")]
    Full,
    #[error("{0} is no kind of packet, and no state")]
    Unknown(u8),
}

/// Bytes of a [`Life`].
const LIFE_BYTES: usize = 16;

/// Bytes of a member: its life, its incarnation, its state.
const MEMBER_BYTES: usize = LIFE_BYTES + 2 + 1;

/// Bytes of a header: two lives, an incarnation, a kind; and at most another life and a number.
const HEADER_BYTES: usize = 2 * LIFE_BYTES + 2 + 1;
const LONGEST_HEADER_BYTES: usize = HEADER_BYTES + LIFE_BYTES + 1;

/// Reads and writes packets.
pub(super) struct Plain;

impl Codec<Life> for Plain {
    type Error = CodecError;

    fn encode_header(
        &mut self,
        header: &Header<Life>,
        mut buf: impl BufMut,
    ) -> Result<(), CodecError> {
        if buf.remaining_mut() < LONGEST_HEADER_BYTES {
            return Err(CodecError::Full);
        }
        put_life(&mut buf, header.src);
        buf.put_u16(header.src_incarnation);
        put_life(&mut buf, header.dst);
        let (kind, other, number) = match header.message {
            Message::Ping(number) => (1, None, Some(number)),
            Message::Ack(number) => (2, None, Some(number)),
            Message::PingReq {
                target,
                probe_number,
            } => (3, Some(target), Some(probe_number)),
            Message::IndirectPing {
                origin,
                probe_number,
            } => (4, Some(origin), Some(probe_number)),
            Message::IndirectAck {
                target,
                probe_number,
            } => (5, Some(target), Some(probe_number)),
            Message::ForwardedAck {
                origin,
                probe_number,
            } => (6, Some(origin), Some(probe_number)),
            Message::Announce => (7, None, None),
            Message::Feed => (8, None, None),
            Message::Gossip => (9, None, None),
            Message::Broadcast => (10, None, None),
            Message::TurnUndead => (11, None, None),
        };
        buf.put_u8(kind);
        other.into_iter().for_each(|life| put_life(&mut buf, life));
        number.into_iter().for_each(|number| buf.put_u8(number));
        Ok(())
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Life>, CodecError> {
        need(&buf, HEADER_BYTES)?;
        let src = get_life(&mut buf);
        let src_incarnation = buf.get_u16();
        let dst = get_life(&mut buf);
        let kind = buf.get_u8();
        let mut other = None;
        if (3..=6).contains(&kind) {
            need(&buf, LIFE_BYTES)?;
            other = Some(get_life(&mut buf));
        }
        let mut probe_number = 0;
        if (1..=6).contains(&kind) {
            need(&buf, 1)?;
            probe_number = buf.get_u8();
        }
        let message = match (kind, other) {
            (1, _) => Message::Ping(probe_number),
            (2, _) => Message::Ack(probe_number),
            (3, Some(target)) => Message::PingReq {
                target,
                probe_number,
            },
            (4, Some(origin)) => Message::IndirectPing {
                origin,
                probe_number,
            },
            (5, Some(target)) => Message::IndirectAck {
                target,
                probe_number,
            },
            (6, Some(origin)) => Message::ForwardedAck {
                origin,
                probe_number,
            },
            (7, _) => Message::Announce,
            (8, _) => Message::Feed,
            (9, _) => Message::Gossip,
            (10, _) => Message::Broadcast,
            (11, _) => Message::TurnUndead,
            _ => return Err(CodecError::Unknown(kind)),
        };
        Ok(Header {
            src,
            src_incarnation,
            dst,
            message,
        })
    }

    fn encode_member(
        &mut self,
        member: &Member<Life>,
        mut buf: impl BufMut,
    ) -> Result<(), CodecError> {
        if buf.remaining_mut() < MEMBER_BYTES {
            return Err(CodecError::Full);
        }
        put_life(&mut buf, *member.id());
        buf.put_u16(member.incarnation());
        buf.put_u8(match member.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        });
        Ok(())
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<Member<Life>, CodecError> {
        need(&buf, MEMBER_BYTES)?;
        let life = get_life(&mut buf);
        let incarnation = buf.get_u16();
        let state = match buf.get_u8() {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Down,
            other => return Err(CodecError::Unknown(other)),
        };
        Ok(Member::new(life, incarnation, state))
    }
}

fn need(buf: &impl Buf, bytes: usize) -> Result<(), CodecError> {
    if buf.remaining() < bytes {
        Err(CodecError::Short)
    } else {
        Ok(())
    }
}

fn put_life(buf: &mut impl BufMut, life: Life) {
    buf.put_u64(life.host.0);
    buf.put_u64(life.number);
}

fn get_life(buf: &mut impl Buf) -> Life {
    let host = HostId(buf.get_u64());
    Life {
        host,
        number: buf.get_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn life() -> impl Strategy<Value = Life> {
        any::<(u64, u64)>().prop_map(|(host, number)| Life {
            host: HostId(host),
            number,
        })
    }

    fn message() -> impl Strategy<Value = Message<Life>> {
        (0u8..11, life(), any::<u8>()).prop_map(|(kind, life, probe_number)| match kind {
            0 => Message::Ping(probe_number),
            1 => Message::Ack(probe_number),
            2 => Message::PingReq {
                target: life,
                probe_number,
            },
            3 => Message::IndirectPing {
                origin: life,
                probe_number,
            },
            4 => Message::IndirectAck {
                target: life,
                probe_number,
            },
            5 => Message::ForwardedAck {
                origin: life,
                probe_number,
            },
            6 => Message::Announce,
            7 => Message::Feed,
            8 => Message::Gossip,
            9 => Message::Broadcast,
            _ => Message::TurnUndead,
        })
    }

    proptest! {
        #[test]
        fn headers_are_read_back(src in life(), dst in life(), src_incarnation in any::<u16>(), message in message()) {
            let header = Header { src, src_incarnation, dst, message };
            let mut bytes = Vec::new();
            Plain.encode_header(&header, &mut bytes).unwrap();
            prop_assert!(bytes.len() <= LONGEST_HEADER_BYTES);
            prop_assert_eq!(Plain.decode_header(&bytes[..]), Ok(header));
            prop_assert_eq!(Plain.decode_header(&bytes[..bytes.len() - 1]), Err(CodecError::Short));
        }

        #[test]
        fn members_are_read_back(life in life(), incarnation in any::<u16>(), state in 0u8..3) {
            let state = [State::Alive, State::Suspect, State::Down][usize::from(state)];
            let member = Member::new(life, incarnation, state);
            let mut bytes = Vec::new();
            Plain.encode_member(&member, &mut bytes).unwrap();
            prop_assert_eq!(bytes.len(), MEMBER_BYTES);
            prop_assert_eq!(Plain.decode_member(&bytes[..]), Ok(member));
        }
    }
}
