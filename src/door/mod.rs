//! Who knocks, and what do they want?
//!
//! One port speaks several languages. The first bytes tell which; whoever speaks RESP is a client of Redis's
//! protocol, and any host answers any of them for any key:
//!
//! ```text
//!            ┌ sniff ┐  * or typed text ──> client   set cat meow ──┐ a whole read's commands
//!  a socket ─┤       ├  GET / HTTP      ──> handler                 ├──Asks──> HostActor ──> the ring
//!            │       │  16 03           ──> handler (TLS)           │
//!            └───────┘  magic of hosts  ──> handler                 └<──Told── +OK
//!                       anything else: told so, closed
//! ```
//!
//! | file | question |
//! |---|---|
//! | `sniff` | what is it that speaks? |
//! | [`resp`] | where does a command begin and end, and how is it answered? |
//! | `commands/` | which commands are there, and what does each ask of the ring? |
//! | `session` | what is under way for one client? |
//! | `me` | what is it to its commands, and what may they change of it? |
//! | `counted` | what does it count for in the sums of all? |
//! | `lanes` | which of its requests wait for which others? |
//! | `flows`, `inflow`, `outflow`, `row`, `content` | how do large values come and go, piece by piece? |
//! | `serve` | when is its socket read, when written? |
//! | `clients` | what do all clients share? |
//! | `password`, `guess` | who may come in, and when is a password looked at? |
//!
//! *Hold these true*: answers come in the order of the commands, each once; commands of one client about one key
//! go one after the other, those about different keys side by side; nothing is repeated behind a client's back; what one client does holds up no other; every byte that is kept for a
//! client counts against a limit of [`DoorSettings`], and each limit says what happens beyond it.
//!
//! A client that does not read is not read: at `pause_bytes` of unread answers no more of its commands are begun, its
//! socket fills, and it has to wait. If it reads nothing for `stall` it is closed. An idle client costs a slot
//! and stays.
//!
//! A value of more than a piece (1 MiB) is nowhere whole: SET, SETEX, PSETEX, MSET, DHT.PUT, DHT.MPUT and DHT.STORE hand its
//! pieces to the host as they come, GET, MGET, DHT.GET, DHT.MGET and DHT.FETCH write them as they are fetched, a few at a time. DHT.EXPORT
//! only names such values, and DHT.IMPORT takes none.
//!
//! Left out on purpose: cluster mode (any host answers for any key, so no client has to know where a key is),
//! and commands that a register in which the last write wins cannot honour.

mod about;
mod bundle;
mod clients;
mod commands;
mod content;
mod counted;
mod flows;
mod guess;
mod inflow;
mod lanes;
mod me;
mod open;
mod outflow;
mod password;
pub mod resp;
mod row;
mod serve;
mod session;
mod settings;
mod slots;
mod sniff;

pub use clients::Behind;
pub use commands::{Spec, commands};
pub use open::{Door, Guest, Handler, Handlers, Stream};
pub use password::Password;
pub use settings::DoorSettings;
pub use sniff::{Speaks, sniff};
