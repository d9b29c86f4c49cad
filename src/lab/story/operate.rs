//! Commands of people who run a ring: is it whole, is it well, and what is where?

use crate::archive::{Part, Reader, Writer};
use crate::message::{Item, KeyOp, Options, Outcome, Request, Tuning};
use crate::placement::HostId;
use crate::record::Key;
use crate::roster::Change;
use crate::sim::Answer;

use super::args::Args;
use super::{AFTERMATH, PATIENCE, Story};

impl Story {
    pub(super) fn operate_command(
        &mut self,
        name: &str,
        args: &mut Args<'_>,
    ) -> Result<String, String> {
        match name {
            "balance" => self.operate(args, Request::Balance),
            "count" => self.operate(args, Request::Count),
            "purge" => {
                let host = match args.word() {
                    Some(host) => Some(self.scene()?.known("HOST", host)?),
                    None => None,
                };
                self.operate(args, Request::Purge(host))
            }
            "remove" => {
                let mut changes = Vec::new();
                let mut next = Some(args.need("HOST")?);
                while let Some(host) = next {
                    changes.push(Change::Remove(self.scene()?.known("HOST", host)?));
                    next = args.word();
                }
                self.operate(args, Request::Change(changes))
            }
            "cancel" => self.operate(args, Request::CancelMove),
            "configure" => {
                let tuning = Tuning {
                    move_bytes_per_s: args.parsed("move-rate")?,
                };
                let host = match args.take("host")? {
                    Some(host) => Some(self.scene()?.known("host", host)?),
                    None => None,
                };
                self.operate(args, Request::Configure(tuning, host))
            }
            "explain" => {
                let key = super::data::key(args)?;
                match key {
                    Ok(key) => self.operate(args, Request::Explain(key)),
                    Err(refused) => Ok(refused),
                }
            }
            "export" => self.export(args),
            "import" => self.import(args),
            _ => self.damage(args),
        }
    }

    /// Asks one host, by default the first that is up.
    pub(super) fn operate(
        &mut self,
        args: &mut Args<'_>,
        request: Request,
    ) -> Result<String, String> {
        let options = Options {
            deadline: args.time("deadline")?,
            ..Options::default()
        };
        let host = self.scene()?.asked(args)?;
        self.ask(args, host, request, options)
    }

    /// All pages, one after the other, into an archive that the story keeps, from world to world.
    fn export(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let name = args.need("NAME")?.to_owned();
        let max_bytes = args.parsed("page")?.unwrap_or(64 * 1024);
        let host = self.scene()?.asked(args)?;
        args.end()?;
        let (mut writer, mut after, mut pages) = (Writer::new(), None, 0);
        let mut file = writer.begin();
        loop {
            let request = Request::Export {
                after: after.clone(),
                max_bytes,
            };
            let page = match self.answered(host, request)? {
                Ok(Outcome::Exported(page)) => page,
                Ok(other) => return Err(format!("an export was told {other}")),
                Err(failed) => return Ok(failed + "\n"),
            };
            page.items
                .iter()
                .for_each(|item| file.extend(writer.item(item)));
            // A story has room for them.
            for large in &page.large {
                let get = Request::One(large.key.clone(), KeyOp::Get);
                if let Ok(Outcome::Value(Some(found))) = self.answered(host, get)? {
                    let (body, deadline) = (found.body, found.deadline);
                    let key = large.key.clone();
                    file.extend(writer.item(&Item {
                        key,
                        body,
                        deadline,
                    }));
                }
            }
            (after, pages) = (page.next, pages + 1);
            if after.is_none() {
                break;
            }
        }
        let items = writer.items();
        file.extend(writer.end());
        let told = format!(
            "exported {items} values in {pages} pages, {} bytes\n",
            file.len()
        );
        self.archives.insert(name, file);
        Ok(told)
    }

    /// Every value of an archive, page by page, then what its checksum says.
    fn import(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let name = args.need("NAME")?;
        let overwrite = args.take("overwrite")?.is_some_and(|text| text == "yes");
        let page: usize = args.parsed("page")?.unwrap_or(100);
        let skip: u64 = args.parsed("skip")?.unwrap_or(0);
        let host = self.scene()?.asked(args)?;
        args.end()?;
        let file = self.archives.get(name).cloned();
        let file = file.ok_or_else(|| format!("NAME: nothing was exported as {name}"))?;
        let mut reader = Reader::new();
        reader.feed(&file);
        let (mut told, mut items, mut end) = (String::new(), Vec::new(), None);
        let mut large: Option<Item> = None;
        while end.is_none() {
            match reader.next() {
                Ok(Some(Part::Item(_))) if reader.items() <= skip => {}
                Ok(Some(Part::Item(item))) => items.push(item),
                Ok(Some(Part::Large(item))) => large = Some(item),
                Ok(Some(Part::Broken)) => large = None,
                Ok(Some(Part::Piece(piece))) => {
                    if let Some(item) = &mut large {
                        item.body.pieces.push(piece);
                    }
                    let whole = large.take_if(|item| item.body.is_whole());
                    items.extend(whole.filter(|_| reader.items() > skip));
                }
                Ok(Some(Part::End { items })) => {
                    end = Some(format!("its checksum fits: all {items} values were read\n"));
                }
                Ok(None) => {
                    end = reader
                        .close()
                        .err()
                        .map(|error| format!("failed: {error}\n"))
                }
                Err(error) => end = Some(format!("failed: {error}\n")),
            }
            if items.len() >= page.max(1) || end.is_some() && !items.is_empty() {
                let items: Vec<Item> = std::mem::take(&mut items);
                match self.answered(host, Request::Import { items, overwrite })? {
                    Ok(outcome) => told += &format!("{outcome}\n"),
                    Err(failed) => return Ok(format!("{told}{failed}\n")),
                }
            }
        }
        Ok(told + &end.unwrap_or_default())
    }

    /// A byte of an archive changes, or its end is lost.
    fn damage(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let name = args.need("NAME")?;
        let at: Option<usize> = args.parsed("at")?;
        let cut: Option<usize> = args.parsed("cut")?;
        args.end()?;
        let file = self.archives.get_mut(name);
        let file = file.ok_or_else(|| format!("NAME: nothing was exported as {name}"))?;
        if let Some(byte) = at.and_then(|at| file.get_mut(at)) {
            *byte ^= 1;
        }
        file.truncate(file.len().saturating_sub(cut.unwrap_or(0)));
        Ok(String::new())
    }

    /// What a host says to a request, without what happened meanwhile.
    fn answered(
        &mut self,
        host: HostId,
        request: Request,
    ) -> Result<Result<Outcome, String>, String> {
        let scene = self.scene()?;
        let limit = scene.world.now() + PATIENCE;
        let answer = scene.world.ask(host, request, limit);
        scene.pass(AFTERMATH);
        Ok(match answer {
            Some(Answer::Reply(Ok(outcome))) => Ok(outcome),
            Some(Answer::Reply(Err(failure))) => Err(format!("failed: {failure}")),
            Some(Answer::Broken) => Err(format!("broken: {host} is down, nobody will answer")),
            None => Err(format!("no answer after {} s", PATIENCE.as_secs())),
        })
    }
}

/// The request that `whereis` means.
pub(super) fn where_is(key: Key, check: bool) -> Request {
    if check {
        Request::Check(key)
    } else {
        Request::WhereIs(key)
    }
}
