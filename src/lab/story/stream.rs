//! Large values in and out, piece by piece, as a client does it that never has them whole.
//!
//! ```text
//! upload film size=2500000 at=h1      begun at h1: 3 pieces
//! piece film times=2                  2 of 3 pieces are put by
//! end film cat                        an error while one is missing; then stored like a put
//! open cat as=film                    found, bare; then `piece film` reads
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::message::{Expiry, Failure, KeyOp, Large, Options, Outcome, Request, Upload, UploadId};
use crate::placement::HostId;
use crate::record::Key;
use crate::sim::Answer;

use super::args::Args;
use super::{PATIENCE, Story, answer, data};

/// A value on its way.
enum Way {
    /// Into the ring.
    In(UploadId, Vec<Bytes>),
    /// Out of it.
    Out(Arc<Large>),
}

/// One of them, at the host where it was begun.
pub(super) struct Stream {
    host: HostId,
    way: Way,
    /// So many pieces are done.
    done: usize,
}

/// All of a story, by their names.
pub(super) type Streams = BTreeMap<String, Stream>;

impl Story {
    pub(super) fn stream_command(
        &mut self,
        name: &str,
        args: &mut Args<'_>,
    ) -> Result<String, String> {
        match name {
            "upload" => self.upload(args),
            "open" => self.open_value(args),
            "piece" => self.pieces(args),
            "end" => self.end_upload(args),
            _ => self.abandon(args),
        }
    }

    fn upload(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let name = args.need("NAME")?.to_owned();
        let host = self.scene()?.asked(args)?;
        let body = data::of_size(args)?.ok_or("size= is missing: how many bytes?")?;
        args.end()?;
        let begun = self.tell(host, Request::Upload(Upload::Begin(body.len)))?;
        let (told, outcome) = begun;
        let Ok(Outcome::Began(upload)) = outcome else {
            return Ok(told + &said(&outcome));
        };
        let count = body.pieces.len();
        let way = Way::In(upload, body.pieces);
        self.streams.insert(name, Stream { host, way, done: 0 });
        Ok(told + &format!("begun at {host}: {count} pieces\n"))
    }

    /// A get that answers a large value bare.
    fn open_value(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let key = key(args.need("KEY")?)?;
        let name = args.take("as")?.ok_or("as= is missing: a name for it")?;
        let host = self.scene()?.asked(args)?;
        args.end()?;
        let request = Request::One(key, KeyOp::Open);
        let (told, outcome) = self.tell(host, request.clone())?;
        let Ok(Outcome::Large(large)) = outcome else {
            return Ok(told + &answer::reply(&request, &outcome) + "\n");
        };
        let found = &large.found;
        let line = format!("{} pieces {}\n", found.body.piece_count(), found.version);
        let line = self.names.shorten(&line);
        let way = Way::Out(large);
        self.streams
            .insert(name.to_owned(), Stream { host, way, done: 0 });
        Ok(told + &line)
    }

    /// The next pieces, one after the other.
    fn pieces(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let name = args.need("NAME")?.to_owned();
        let times: u32 = args.parsed("times")?.unwrap_or(1);
        args.end()?;
        let mut all = String::new();
        for _ in 0..times {
            let stream = self.streams.get(&name).ok_or_else(|| unknown(&name))?;
            let (host, done) = (stream.host, stream.done);
            let request = match &stream.way {
                Way::In(upload, pieces) => {
                    let piece = pieces.get(done).ok_or("all pieces were sent")?;
                    Request::Upload(Upload::Piece(*upload, piece.clone()))
                }
                Way::Out(large) => {
                    let index = u32::try_from(done).map_err(|error| error.to_string())?;
                    Request::Piece(Arc::clone(large), index)
                }
            };
            let (told, outcome) = self.tell(host, request)?;
            all.push_str(&told);
            let stream = self.streams.get_mut(&name).ok_or_else(|| unknown(&name))?;
            let Ok(outcome) = outcome else {
                all.push_str(&said(&outcome));
                break;
            };
            stream.done += 1;
            all.push_str(&progress(stream, &outcome)?);
        }
        Ok(all)
    }

    fn end_upload(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let name = args.need("NAME")?.to_owned();
        let key = key(args.need("KEY")?)?;
        let expiry = args.time("ttl")?.map(Expiry::In);
        let stream = self.streams.get(&name).ok_or_else(|| unknown(&name))?;
        let host = stream.host;
        let Way::In(upload, _) = &stream.way else {
            return Err(format!("{name} is no upload: only those end"));
        };
        let end = Upload::End {
            upload: *upload,
            key,
            content_type: None,
            expiry,
        };
        self.ask(args, host, Request::Upload(end), Options::default())
    }

    fn abandon(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let name = args.need("NAME")?.to_owned();
        args.end()?;
        let stream = self.streams.get(&name).ok_or_else(|| unknown(&name))?;
        let Way::In(upload, _) = stream.way else {
            return Err(format!(
                "{name} is no upload: nobody keeps anything for who reads"
            ));
        };
        let host = stream.host;
        let (told, outcome) = self.tell(host, Request::Upload(Upload::Drop(upload)))?;
        let line = match outcome {
            Ok(_) => "dropped\n".to_owned(),
            Err(_) => said(&outcome),
        };
        Ok(told + &line)
    }

    /// Asks, waits, and gives what was shown meanwhile beside the answer.
    fn tell(
        &mut self,
        host: HostId,
        request: Request,
    ) -> Result<(String, Result<Outcome, Failure>), String> {
        let scene = self.scene()?;
        let ticket = scene.world.request(host, request, Options::default());
        let limit = scene.world.now() + PATIENCE;
        scene
            .world
            .run_while(limit, |world| world.answer(ticket).is_none());
        let answer = scene.world.take_answer(ticket);
        let told = self.happened(false, Some(ticket));
        match answer {
            Some(Answer::Reply(reply)) => Ok((told, reply)),
            Some(Answer::Broken) => {
                let why = format!("{host} is down, nobody will answer");
                Ok((told, Err(Failure::Limit(why))))
            }
            None => Err(format!("no answer after {} s", PATIENCE.as_secs())),
        }
    }
}

fn progress(stream: &Stream, outcome: &Outcome) -> Result<String, String> {
    Ok(match (&stream.way, outcome) {
        (Way::In(_, pieces), Outcome::Taken(taken)) => {
            format!("{taken} of {} pieces are put by\n", pieces.len())
        }
        (Way::Out(large), Outcome::Piece(bytes)) => {
            let count = large.found.body.piece_count();
            let (number, len) = (stream.done, bytes.len());
            format!("piece {number} of {count}: {len} bytes\n")
        }
        (_, other) => return Err(format!("a piece was answered by {other}")),
    })
}

fn said(outcome: &Result<Outcome, Failure>) -> String {
    match outcome {
        Ok(outcome) => format!("{outcome}\n"),
        Err(failure) => format!("failed: {failure}\n"),
    }
}

fn key(text: &str) -> Result<Key, String> {
    Key::new(text.to_owned()).map_err(|error| format!("KEY: {error}"))
}

fn unknown(name: &str) -> String {
    format!("there is no upload and no open value {name}")
}
