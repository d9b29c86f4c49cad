//! How a request begins, and begins again under a newer roster.
//!
//! Whatever it waits for, it is asked again until its deadline. A roster adopted meanwhile sends it back to
//! asking, under the replicas of now; but a stamp, once drawn, stays: a request that stamped twice could be
//! seen twice, with another write in between.

use std::time::Duration;

use crate::message::{Consistency, Failure, KeyOp, Options, Outcome, ReqId, Ticket};
use crate::placement::HostId;
use crate::record::{Body, Key, MAX_MEDIA_TYPE_BYTES, Now, Summary};
use crate::roster::{Groups, RosterVersion};

use super::open::{Caller, Open, Phase};
use super::outcome::Many;
use super::timers::Wake;
use super::{Context, Keeper};

impl Keeper {
    /// Begins a request about one key. Without a roster, `linked` is the host of the key's owner, as the
    /// links have it.
    pub fn begin(
        &mut self,
        cx: &mut Context<'_>,
        caller: Caller,
        (key, op): (Key, KeyOp),
        options: Options,
        linked: Option<HostId>,
    ) {
        self.open_one(cx, caller, (key, op), options, linked);
        self.settle_loopback(cx);
    }

    /// Prepares for many requests that are answered together, each with its own result: begin each as
    /// [`Caller::Many`] with its place. False if there is nothing to begin.
    pub fn expect_many(&mut self, cx: &mut Context<'_>, ticket: Ticket, count: usize) -> bool {
        let most = self.config.max_many;
        if count > most {
            let why = format!("{count} keys in one request: at most {most}; send several requests");
            self.answer(cx, ticket, Err(Failure::Limit(why)));
        } else if count == 0 {
            self.answer(cx, ticket, Ok(Outcome::Many(Vec::new())));
        } else {
            self.many.insert(ticket, Many::new(count));
        }
        (1..=most).contains(&count)
    }

    /// The owner of a request's key was looked up again.
    pub fn relocated(&mut self, cx: &mut Context<'_>, req: ReqId, linked: HostId) {
        if let Some(open) = self.open.get_mut(&req) {
            open.linked = Some(linked);
            self.restart(cx, req);
            self.settle_loopback(cx);
        }
    }

    /// The key a request is about, if it is still open.
    #[must_use]
    pub fn key_of(&self, req: ReqId) -> Option<&Key> {
        self.open.get(&req).map(|open| &open.key)
    }

    pub(super) fn open_one(
        &mut self,
        cx: &mut Context<'_>,
        caller: Caller,
        (key, op): (Key, KeyOp),
        options: Options,
        linked: Option<HostId>,
    ) {
        if let Err(failure) = self.admissible(cx.now, &op, linked) {
            return self.tell(cx, caller, Err(failure));
        }
        let upload = match caller {
            Caller::Upload(_, upload) => Some(upload),
            Caller::One(_) | Caller::Content(_) | Caller::Many(..) => None,
            Caller::Export(..) | Caller::Import(..) => None,
        };
        if let Some(upload) = upload {
            self.upload_begins(upload);
        }
        let patience = options.deadline.unwrap_or(self.config.deadline);
        let how = (
            options.consistency.unwrap_or(self.config.consistency),
            options.replicas,
        );
        let mut what = (caller, key, op);
        if upload.is_none() && linked.is_none() {
            match self.begin_own(cx, what, how, patience) {
                None => return,
                Some(back) => what = back,
            }
        }
        let req = self.draw_req();
        let open = Open {
            linked,
            upload,
            ..Open::new(what, how, (cx.now.at, patience))
        };
        self.open.insert(req, open);
        self.restart(cx, req);
    }

    /// How many requests are under way.
    pub(super) fn requests(&self) -> usize {
        self.open.len() + self.own.len()
    }

    pub(super) fn admissible(
        &self,
        now: Now,
        op: &KeyOp,
        linked: Option<HostId>,
    ) -> Result<(), Failure> {
        if self.requests() >= self.config.max_open {
            let why = format!(
                "{} requests are open at this host: at most so many; try again",
                self.config.max_open
            );
            return Err(Failure::Limit(why));
        }
        if let KeyOp::Put(body, _) = op {
            check_limits(body, self.config.max_value_bytes)?;
        }
        let reads = matches!(op, KeyOp::Get | KeyOp::Open | KeyOp::Has | KeyOp::Ttl);
        let lead = if reads {
            Duration::ZERO
        } else {
            self.drift.lead(now)
        };
        if lead > self.config.max_drift {
            let (lead, most) = (lead.as_secs(), self.config.max_drift.as_secs());
            let why = format!(
                "the clock of {} is {lead} s ahead of the others', at most {most} s: set it, or ask another host; nothing was stored",
                self.me
            );
            return Err(Failure::Limit(why));
        }
        if self.roster.is_none() && linked.is_none() {
            Err(Failure::NoRing)
        } else {
            Ok(())
        }
    }

    /// Asks (again) under the roster of now. A stamp, once drawn, stays.
    pub(super) fn restart(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get_mut(&req) else {
            return;
        };
        let (at, groups) = match (&self.roster, open.linked) {
            (Some(roster), _) => (roster.version, roster.groups(open.key.id())),
            (None, Some(host)) => (
                RosterVersion::NONE,
                Groups {
                    groups: vec![vec![host]],
                },
            ),
            (None, None) => return,
        };
        open.at = at;
        open.groups = first_copies(groups, open.copies);
        open.tries = 0;
        open.behind.clear();
        match &mut open.phase {
            Phase::Write {
                back: false,
                acked,
                refused,
                unsure,
                ..
            } => {
                acked.clear();
                refused.clear();
                *unsure = true;
            }
            Phase::Ask { .. } | Phase::Fetch { .. } | Phase::Write { back: true, .. } => {
                open.phase = Phase::ask()
            }
        }
        self.proceed(cx, req);
    }

    /// A replica refused what a read wrote back, for its floor has risen past it: the read asks again, a
    /// little later. Its version is never stamped anew.
    pub(super) fn start_over(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let req = self.renumber(req);
        if let Some(open) = self.open.get_mut(&req) {
            open.phase = Phase::ask();
            open.tries = open.tries.saturating_add(1);
            self.arm(cx, req);
        }
    }

    /// From now on a request asks under another number: others may still refuse what it asked so far, and that must
    /// not count for what it asks next.
    pub(super) fn renumber(&mut self, req: ReqId) -> ReqId {
        let Some(open) = self.open.remove(&req) else {
            return req;
        };
        self.timers.clear(Wake::Open(req));
        let req = self.draw_req();
        self.open.insert(req, *open);
        req
    }

    /// A new roster: every request that still matters starts again under it.
    pub(super) fn restart_all(&mut self, cx: &mut Context<'_>) {
        self.owns_to_opens();
        let reqs: Vec<ReqId> = self.open.iter().map(|(req, _)| req).collect();
        for req in reqs {
            let answered = self
                .open
                .get(&req)
                .is_some_and(|open| open.caller.is_none());
            if answered {
                self.leave_hints(cx, req)
            } else {
                self.restart(cx, req)
            }
        }
    }

    /// Goes on with a request that has just begun, or that waited for a stamp.
    pub(super) fn proceed(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let blind = open.consistency == Consistency::One
            && matches!(open.op, KeyOp::Put(..) | KeyOp::Delete);
        let asking = matches!(open.phase, Phase::Ask { .. });
        if self.start == 0 {
            self.stalled.push_back(req);
        } else if asking && blind {
            self.stamp_and_write(cx, req, Summary::default());
        } else {
            self.ask_silent(cx, req);
            self.advance(cx, req);
        }
        self.arm(cx, req);
    }

    pub(super) fn close(&mut self, req: ReqId) {
        if let Some(upload) = self.open.remove(&req).and_then(|open| open.upload) {
            self.uploads.is_over(upload);
        }
        self.timers.clear(Wake::Open(req));
    }
}

fn first_copies(mut groups: Groups, copies: Option<u8>) -> Groups {
    if let Some(copies) = copies {
        for group in &mut groups.groups {
            group.truncate(usize::from(copies).max(1));
        }
    }
    groups
}

/// A value that could not travel, or is longer than this host takes, is refused before anything is asked.
pub(super) fn check_limits(body: &Body, max_value_bytes: u64) -> Result<(), Failure> {
    let (len, media_type) = (body.len, body.content_type.as_deref().map_or(0, str::len));
    if len > max_value_bytes {
        let why = format!("a value of {len} bytes is too long: at most {max_value_bytes}");
        return Err(Failure::Limit(why));
    }
    if media_type > MAX_MEDIA_TYPE_BYTES {
        let why = format!(
            "a media type of {media_type} bytes is too long: at most {MAX_MEDIA_TYPE_BYTES}"
        );
        return Err(Failure::Limit(why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_media_types_have_limits() {
        let typed = |len: usize| Body {
            content_type: Some("x".repeat(len).into()),
            ..Body::new("meow")
        };
        assert_eq!(check_limits(&typed(MAX_MEDIA_TYPE_BYTES), 4), Ok(()));
        let long_type = check_limits(&typed(MAX_MEDIA_TYPE_BYTES + 1), 4);
        assert!(matches!(long_type, Err(Failure::Limit(why)) if why.contains("media type")));
        let long = check_limits(&Body::new("meow"), 3);
        assert!(matches!(long, Err(Failure::Limit(why)) if why.contains("at most 3")));
    }
}
